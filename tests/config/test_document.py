from __future__ import annotations

from pathlib import Path

from reid_gl.config.document import document_config

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == document_config(), (
        "run: python -m reid_gl.config.document > docs/configuration.md"
    )
