from __future__ import annotations

from html.parser import HTMLParser

import pytest

pytest.importorskip("fastapi")

from fastapi import FastAPI

from reid_gl.serve.page import page_of
from reid_gl.serve.routes import open_router, router


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes


def test_the_page_shows_every_field_and_loads_nothing() -> None:
    app = FastAPI(title="a < b", description="d", version="1")
    app.include_router(open_router)
    app.include_router(router)
    openapi = app.openapi()
    page = page_of(openapi)
    reader = Reader()
    reader.feed(page)
    assert "<h1>a &lt; b 1</h1>" in page
    for path in openapi["paths"]:
        assert path in page
    for name in ("FeaturesRequest", "SearchRequest", "AddRequest", "SightingFields", "MatchRow"):
        assert f"<h2 id={name}>" in page
        for field in openapi["components"]["schemas"][name]["properties"]:
            assert f"<code>{field}</code>" in page
    assert "<code>xyxy</code> or <code>tlwh</code>" in page
    assert "list of <a href=#SightingFields>SightingFields</a>" in page
    assert not {"script", "img", "link", "iframe"} & set(reader.tags)
    assert all(str(value).startswith("#") for name, value in reader.attributes if name == "href")
    ids = {value for name, value in reader.attributes if name == "id"}
    linked = {str(value)[1:] for name, value in reader.attributes if name == "href"}
    assert linked <= ids
