"""Rules of the source tree that no single file can break unseen."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reid_gl"
FILES = sorted(PACKAGE.rglob("*.py"))
LEVELS = (
    {"records", "similarity", "device", "files"},
    {"losses", "models", "data", "synthetic", "evaluation"},
    {"inference"},
    {"training", "tracking", "gallery", "report", "compat"},
    {"config"},
    {"experiment"},
    {"cli"},
)
REMOVED = (
    r"np\.(float|int|bool|object|in1d)\b|torch\._six|collections\.(Mapping|Iterable)|pkg_resources|distutils"
)
ONLY_IN = {
    "torchvision.models": {"models/backbones.py", "models/weights.py"},
    "torchreid": {"models/backbones.py"},
    "timm": {"models/timm_backbones.py"},
    "pytorch_metric_learning": {"losses/metric_learning.py"},
    "yacs": {"config", "experiment", "cli"},
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


def level(folder: str) -> int:
    return next(number for number, folders in enumerate(LEVELS) if folder in folders)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own in ("__init__", "py"):
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("reid_gl.")}
    for other in used - {own, "__init__", "__version__"}:
        assert level(other) <= level(own), f"{path} imports reid_gl.{other}, which stands above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_file_is_short_current_and_keeps_its_dependencies_to_itself(path: Path) -> None:
    text = path.read_text()
    place = path.relative_to(PACKAGE).as_posix()
    assert len(text.splitlines()) <= 300
    assert not re.search(REMOVED, text)
    for name, allowed in ONLY_IN.items():
        if any(used == name or used.startswith(f"{name}.") for used in imports(path)):
            assert place in allowed or place.split("/")[0] in allowed, f"{place} imports {name}"


def test_no_class_below_the_config_sees_a_config_node() -> None:
    below = [path for path in FILES if level_of(path) < level("config")]
    assert below
    assert not [path for path in below if "CfgNode" in path.read_text()]


def level_of(path: Path) -> int:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    return -1 if own == "__init__" else level(own)


def test_nothing_refers_outside_the_project() -> None:
    tracked = [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").rglob("*.yml")]
    outside = "/".join(("..", "shared"))
    assert not [path for path in tracked if outside in path.read_text()]


@pytest.mark.parametrize("module", ["torch", "numpy", "cv2", "yacs"])
def test_importing_the_package_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, reid_gl; assert {module!r} not in sys.modules; assert reid_gl.__version__"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_extracting_features_loads_no_training() -> None:
    code = (
        "import sys, reid_gl.inference, reid_gl.models; loaded = [n for n in sys.modules "
        "if n.startswith(('reid_gl.training', 'reid_gl.config', 'yacs', 'torchreid', 'tensorboard'))]; "
        "assert not loaded, loaded"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names_are_there_and_lazy() -> None:
    import reid_gl

    for name in reid_gl.__all__:
        assert getattr(reid_gl, name) is not None
    assert set(reid_gl.__all__) <= set(dir(reid_gl))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = reid_gl.nothing
