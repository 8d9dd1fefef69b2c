"""Rules of the source tree that no single file can break unseen."""

from __future__ import annotations

import ast
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reid_gl"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = {
    "reid_gl": (
        "distributed",
        "records similarity device files own_files process_signals seeds untrusted",
        "losses models data evaluation",
        "synthetic inference",
        "training tracking gallery report compat",
        "config",
        "experiment",
        "serve",
        "cli",
    ),
    "reid_gl/data": ("loading", "datasets", "mot", "checking preparing"),
    "reid_gl/data/datasets": ("reading", "own", "*"),
    "reid_gl/evaluation": (
        "forked",
        "copies compiled",
        "blocks",
        "reranking",
        "*",
        "scores",
        "thresholds track_pooling",
    ),
    "reid_gl/experiment": ("*", "checking comparing extracting reporting"),
    "reid_gl/gallery": ("interface", "engines", "*", "browse"),
    "reid_gl/gallery/engines": ("vector_bytes nearest_rows", "sqlite servers", "ivf", "open_engine"),
    "reid_gl/inference": ("strategies exported", "extract", "*", "extractor", "exporting bulk"),
}
"""Which folders and files of a folder may import which, lowest layer first; `*` is every file not named.

A file imports from its own folder and from lower layers, never from a neighbour in its layer. The page
docs/architecture.md shows the same table.
"""
MOST_LINES = 60
"""Of a function, without its docstring."""
PAGE = (ROOT / "docs" / "architecture.md").read_text()
REMOVED = (
    r"np\.(float|int|bool|object|in1d)\b|torch\._six|collections\.(Mapping|Iterable)|pkg_resources|distutils"
)
ONLY_IN = {
    "torchvision.models": {"models/backbones.py", "models/ibn.py", "models/weights.py"},
    "torchreid": {"models/backbones.py"},
    "timm": {"models/timm_backbones.py"},
    "pytorch_metric_learning": {"losses/metric_learning.py"},
    "yacs": {"config"},
    "fastapi": {"serve"},
    "uvicorn": {"serve"},
    "pickle": {"models/weights.py", "models/state_dicts.py"},
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def module_of(path: Path) -> str:
    """A file by its place in the package: "losses/group", "losses/__init__"."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


MODULES = frozenset(module_of(path) for path in FILES)


def imported_modules(path: Path) -> set[str]:
    """The files of the package that a file imports, the front of the package itself left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(f"{node.module}.{alias.name}", str(node.module)) for alias in node.names]
        else:
            continue
        for candidates in names:
            places = [name.replace(".", "/").removeprefix("reid_gl/") for name in candidates]
            found |= set([m for place in places for m in (place, f"{place}/__init__") if m in MODULES][:1])
    return found


def points_upwards(importer: str, imported: str) -> bool:
    """Whether LAYERS forbids it, in the innermost folder that holds both."""
    own, other = importer.split("/"), imported.split("/")
    shared = next(depth for depth in range(len(own)) if own[depth : depth + 1] != other[depth : depth + 1])
    mine, theirs = own[shared], other[shared]
    layers = LAYERS.get("/".join(["reid_gl", *own[:shared]]))
    if "__init__" in (mine, theirs):  # the front of a folder stands above all that is in it
        return theirs == "__init__"
    if layers is None:
        return False
    return layer(theirs, layers) > layer(mine, layers) or (
        layer(theirs, layers) == layer(mine, layers) and {mine, theirs} <= set(" ".join(layers).split())
    )


def layer(name: str, layers: tuple[str, ...]) -> int:
    for wanted in (name, "*"):
        for number, names in enumerate(layers):
            if wanted in names.split():
                return number
    raise AssertionError(f"{name} stands in no layer: add it to LAYERS and to docs/architecture.md")


def test_imports_point_downwards() -> None:
    imported = [(module_of(path), other) for path in FILES for other in imported_modules(path)]
    assert len(imported) > 1000
    assert not [(own, other) for own, other in imported if own != other and points_upwards(own, other)]


def test_the_rule_of_directions_says_what_it_should() -> None:
    assert points_upwards("losses/group", "models/neck")  # neighbours
    assert points_upwards("losses/group", "training/fit")
    assert points_upwards("evaluation/reranking/rerank", "evaluation/scores/ranking")
    assert points_upwards("evaluation/reranking/rerank", "evaluation/__init__")
    assert points_upwards("data/datasets/own/table", "data/datasets/market1501")
    assert points_upwards("data/checking/check", "data/preparing/combine")
    assert not points_upwards("evaluation/scores/ranking", "evaluation/reranking/rerank")
    assert not points_upwards("evaluation/__init__", "evaluation/scores/ranking")
    assert not points_upwards("data/datasets/veri776", "data/datasets/market1501")
    assert not points_upwards("cli/train", "records")
    with pytest.raises(AssertionError, match="stands in no layer"):
        points_upwards("new_folder/file", "records")


def test_the_page_shows_these_directions() -> None:
    sections = re.split(r"^### ", PAGE.split("## Who may import whom")[1].split("\n## ")[0], flags=re.M)[1:]
    shown = {}
    for section in sections:
        rows = re.findall(r"^\| \d+ \| (.*?) \|", section, flags=re.M)
        names = [" ".join(re.findall(r"`([\w*]+)`", row)) for row in rows]
        shown[section.splitlines()[0].strip("`/ ")] = tuple(reversed(names))
    assert shown == LAYERS


def test_everything_that_the_page_names_is_there() -> None:
    names = set(re.findall(r"`([a-z]\w*(?:\.\w+)+)`", PAGE)) - {"pyproject.toml", "model.ckpt"}
    names = {name for name in names if not name.endswith(".py")}
    assert len(names) > 20
    for name in names:
        pkgutil.resolve_name(name if name.startswith("reid_gl.") else f"reid_gl.{name}")
    paths = re.findall(r"`(reid_gl/[\w/.]+)`", PAGE.split("## Where to change what")[1])
    assert len(paths) > 15
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_files_are_short_current_and_keep_their_dependencies_to_themselves() -> None:
    for path in FILES:
        text = path.read_text()
        place = path.relative_to(PACKAGE).as_posix()
        assert len(text.splitlines()) <= 300, place
        assert not re.search(REMOVED, text), place
        used = imports(path)
        for name, allowed in ONLY_IN.items():
            if any(one == name or one.startswith(f"{name}.") for one in used):
                assert place in allowed or place.split("/")[0] in allowed, f"{place} imports {name}"


def num_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from `def` to its end, without its docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    documented = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - documented


def test_lines_are_counted_without_the_docstring() -> None:
    function = ast.parse('def f(\n    x,\n):\n    """One.\n\n    Two.\n    """\n    return x').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert num_lines(function) == 4


def test_functions_are_short() -> None:
    functions = [
        (f"{module_of(path)}.{node.name}", num_lines(node))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 1000
    assert not [(name, lines) for name, lines in functions if lines > MOST_LINES]


def test_experiments_are_read_at_the_border_and_then_ask_the_configuration_nothing() -> None:
    readers = re.compile(r"reid_gl\.config\.(?!experiment\b)|\bCfgNode\b|\bconfig\.[A-Z]")
    assert readers.search("from reid_gl.config.build import x")
    assert readers.search("config.DATA.NAMES")
    files = [path for path in FILES if module_of(path).startswith(("experiment/", "cli/"))]
    assert len(files) > 30
    assert not {module_of(path): found[0] for path in files if (found := readers.search(path.read_text()))}


def test_no_class_below_the_config_sees_a_config_node() -> None:
    layers = LAYERS["reid_gl"]
    tops = {path: module_of(path).split("/")[0] for path in FILES if module_of(path) != "__init__"}
    below = [path for path, top in tops.items() if layer(top, layers) < layer("config", layers)]
    assert below
    assert not [path for path in below if "CfgNode" in path.read_text()]


def test_nothing_refers_outside_the_project() -> None:
    tracked = [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").rglob("*.yml")]
    outside = "/".join(("..", "shared"))
    assert not [path for path in tracked if outside in path.read_text()]


def test_messages_name_nothing_that_an_installed_package_lacks() -> None:
    """Commands are `reid-gl ...` and pages are the project's: a wheel has neither tools/ nor data/."""
    lacking = re.compile(r"\btools/|(?<!the project's )\b(data/README|docs/|notebooks/|benchmarks/)")
    found = []
    for path in FILES:
        if path.parent.name == "config":  # its texts are those of docs/configuration.md
            continue
        tree = ast.parse(path.read_text())
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented)]
        statements = {id(one.value) for body in bodies for one in body if isinstance(one, ast.Expr)}
        texts = (
            node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in statements
        )
        found += [
            f"{path}: {text.value}"
            for text in texts
            if isinstance(text.value, str) and lacking.search(text.value)
        ]
    assert found == []


def test_public_names_are_there_and_lazy() -> None:
    import reid_gl

    for name in reid_gl.__all__:
        assert getattr(reid_gl, name) is not None
    assert set(reid_gl.__all__) <= set(dir(reid_gl))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = reid_gl.nothing
