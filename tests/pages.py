"""Runs what a page of the documentation shows."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]


def run_page(page: str) -> list[str]:
    """Run the ```python blocks of a page, all of them in one; return the lines that they print."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), flags=re.S | re.M)
    output = io.StringIO()
    with torch.random.fork_rng(), redirect_stdout(output):
        exec(compile("\n".join(blocks), page, "exec"), {"__name__": "__main__"})
    return output.getvalue().splitlines()
