"""The notebooks run from their first cell to their last, in the order in which a reader would run them."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ("train_and_read_scores", "features_for_a_tracker", "my_own_data")


def cells(name: str, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_all_notebooks_are_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_without_what_a_run_leaves(name: str) -> None:
    code = cells(name, "code")
    assert len(code) > 3
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_links_to_is_there(name: str) -> None:
    text = "".join("".join(cell["source"]) for cell in cells(name, "markdown"))
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (FOLDER / link).exists()]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], str]]:
    """The names that each notebook defines, and what it prints."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebooks"))
        for name in NAMES:
            names: dict[str, Any] = {}
            with redirect_stdout(io.StringIO()) as printed:
                for cell in cells(name, "code"):
                    exec("".join(cell["source"]), names)
            results[name] = names, printed.getvalue()
        assert [path.name for path in Path().iterdir()] == ["output"]  # which git ignores
    return results


@pytest.mark.slow
def test_the_training_learns_something(ran: dict[str, tuple[dict[str, Any], str]]) -> None:
    names, printed = ran["train_and_read_scores"]
    assert names["trained"]["mAP"] > names["untrained"]["mAP"]
    assert names["nearest"][0].camid != names["query"].camid or names["nearest"][0].pid != names["query"].pid
    assert names["report"]["scores"]["run"]["mAP"] == names["trained"]["mAP"]
    assert re.search(r"^output/report\.html, 0\.\d MB: mAP 0\.\d\d$", printed, flags=re.M)
    assert re.search(r"^untrained +rank-1 0\.\d\d   mAP 0\.\d\d$", printed, flags=re.M)


@pytest.mark.slow
def test_the_tracker_gets_features_and_the_video_identities(
    ran: dict[str, tuple[dict[str, Any], str]],
) -> None:
    names, _ = ran["features_for_a_tracker"]
    assert names["rows"].shape == (len(names["left"]), names["extractor"].embedding_dim)
    assert (names["summary"]["frames"], names["image"].shape) == (40, (180, 320, 3))
    assert names["summary"]["identities"] >= 2


@pytest.mark.slow
def test_own_data_come_to_a_network(ran: dict[str, tuple[dict[str, Any], str]]) -> None:
    names, _ = ran["my_own_data"]
    assert names["scores"]["mAP"] > 0.5
    assert names["first"] @ names["second"] > names["first"] @ names["third"]
