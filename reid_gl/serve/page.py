"""The OpenAPI description as one HTML page without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left;"
    "vertical-align:top}code{background:#eee}"
)
JSON = "application/json"


def page_of(openapi: Mapping[str, Any]) -> str:
    """Return a page with the paths and their fields."""
    information = openapi["info"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(information['title'])}</title>",
        f"<style>{STYLE}</style><h1>{escape(information['title'])} {escape(information['version'])}</h1>",
        f"<p>{escape(information['description'])} Every path but /health needs the header",
        "<code>Authorization: Bearer &lt;token&gt;</code>. The same as data: <code>/openapi.json</code>.</p>",
    ]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2>{method.upper()} {escape(path)}</h2>")
            parts.append(f"<p>{escape(operation.get('description', ''))}</p>")
            parts += _fields("Request", operation.get("requestBody", {}))
            parts += _fields("Answer", operation["responses"].get("200", {}))
    parts += ["<h1>Records</h1>"]
    for name, schema in openapi["components"]["schemas"].items():
        if "properties" in schema:
            parts.append(f"<h2 id={escape(name)}>{escape(name)}</h2>")
            parts.append(f"<p>{escape(schema.get('description', ''))}</p>{_table(schema)}")
    return "\n".join(parts)


def _fields(title: str, holder: Mapping[str, Any]) -> list[str]:
    schema = holder.get("content", {}).get(JSON, {}).get("schema")
    return [f"<p>{title}: {_kind(schema)}</p>"] if schema else []


def _table(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{_kind(field)}<td>"
        f"{'required' if name in needed else escape(str(field.get('default', '')))}"
        f"<td>{escape(field.get('description', ''))}"
        for name, field in schema["properties"].items()
    ]
    return f"<table><tr><th>field<th>type<th>default<th>meaning{''.join(rows)}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type of a field as HTML, with links to records."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href=#{name}>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    return escape(str(schema.get("type", "object")))
