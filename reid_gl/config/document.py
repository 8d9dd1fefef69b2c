"""Generates docs/configuration.md: `python -m reid_gl.config.document > docs/configuration.md`."""

from __future__ import annotations

import sys

from reid_gl.config.defaults import all_keys
from reid_gl.config.keys import Key

HEAD = """# Configuration

Every key, its default and its meaning. This page is generated from the code that uses the values
(`python -m reid_gl.config.document > docs/configuration.md`); a test keeps it up to date.

A YAML file sets keys by section; `_BASE_: other.yml` inherits from another file; `KEY VALUE` pairs on the
command line come last. Where a default is -1, a negative number switches the setting off.
"""


def document_config() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for section, keys in all_keys().items():
        if not keys:
            continue
        parts.append(f"\n## {section or 'Top level'}\n\n| key | default | meaning |\n|---|---|---|\n")
        parts += [_row(f"{section}.{name}" if section else name, key) for name, key in keys.items()]
    return "".join(parts)


def _row(name: str, key: Key) -> str:
    default = "empty" if key.default == "" else f"`{key.default}`"
    return f"| `{name}` | {default} | {key.meaning.replace('|', '/')} |\n"


if __name__ == "__main__":
    sys.stdout.write(document_config())
