"""What the README shows must run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import run_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_library_example_runs_and_prints_what_it_says() -> None:
    assert run_page("README.md")[-1] == "1.0 0.8333333333333333"


def test_every_file_it_names_is_there() -> None:
    names = re.findall(r"`(configs/[\w/]+\.yml)`|\]\((\w[\w/.]+)\)|python (tools/\w+\.py)", README)
    named = {name for group in names for name in group if name}
    assert len(named) > 8
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["losses", "evaluation", "retrieval"])
def test_the_example_of_a_guide_runs(name: str) -> None:
    assert len(run_page(f"docs/{name}.md")) == 2


PAGES = sorted(
    [*ROOT.glob("*.md"), ROOT / "data" / "README.md", *(ROOT / "docs").rglob("*.md")],
)


def test_the_index_names_every_page_of_the_documentation() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    named = [line for line in index.splitlines() if line.startswith("- ")]
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    linked = [re.match(r"- \[.+?\]\(([^)]+)\): .+\.$", line) for line in named]
    assert all(linked)
    links = [link[1] for link in linked if link]
    assert len(set(links)) == len(links)
    assert set(links) == pages - {"README.md"} | {"../data/README.md"}


def test_the_reference_shows_every_public_package() -> None:
    fronts = [path for path in (ROOT / "reid_gl").rglob("__init__.py") if "__all__" in path.read_text()]
    public = {".".join(path.parent.relative_to(ROOT).parts) for path in fronts} - {"reid_gl"}
    shown = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "reference.md").read_text(), flags=re.M)
    assert len(public) > 5
    assert public <= set(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_make_target_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, flags=re.M))
    assert targets == {"demo", "test"}
    assert all(f"\n{target}:" in makefile for target in targets)
