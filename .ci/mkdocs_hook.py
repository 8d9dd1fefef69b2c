"""Pages of the repository in the site: links that leave docs/ lead into it, or become plain text."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {"data/README.md": "datasets.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the repository that the site has too, and how it calls them."""
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for place, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / place).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to where the site has their targets."""
    names = {name: place for place, name in OUTSIDE.items()}
    source = ROOT / names.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def replace(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if "://" in target:
            return link[0]
        place = os.path.relpath(source.parent / target, ROOT)
        if not (ROOT / place).exists():
            return link[0]  # mkdocs says that it is broken
        name = OUTSIDE.get(place, place.removeprefix("docs/") if place.startswith("docs/") else "")
        if not name:
            return text
        return f"[{text}]({os.path.relpath(name, Path(page.file.src_uri).parent)}{anchor})"

    return LINK.sub(replace, markdown)
