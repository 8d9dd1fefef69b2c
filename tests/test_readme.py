"""What the README shows must run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_library_example_runs_and_prints_what_it_says() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.S))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "1.0 0.8333333333333333"


def test_every_file_it_names_is_there() -> None:
    names = re.findall(r"`(configs/[\w/]+\.yml)`|\((\w[\w/.]+)\)|python (tools/\w+\.py)", README)
    named = {name for group in names for name in group if name}
    assert len(named) > 8
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("name", ["losses", "evaluation", "retrieval"])
def test_the_example_of_a_guide_runs(name: str) -> None:
    guide = (ROOT / "docs" / f"{name}.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide, flags=re.S))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(answer.stdout.splitlines()) == 2


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_make_target_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, flags=re.M))
    assert targets == {"demo", "test"}
    assert all(f"\n{target}:" in makefile for target in targets)
