"""Files beside the package that repeat what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import reid_gl

ROOT = Path(__file__).parents[1]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == reid_gl.__version__
    assert citation["license"] == "Apache-2.0"
    assert all(reference["authors"] for reference in citation["references"])


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_an_issue_template_is_what_github_takes(path: Path) -> None:
    template = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(template)
    ids = [item["id"] for item in template["body"]]
    assert len(set(ids)) == len(ids) > 0
    assert all(item["attributes"]["label"] for item in template["body"])


def test_every_target_is_explained_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M)) - {"help", "install", "clean"}
    explained = set(re.findall(r'@echo "make ([a-z-]+) ', makefile))
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.M)[0].split())
    assert targets == explained
    assert targets <= phony
