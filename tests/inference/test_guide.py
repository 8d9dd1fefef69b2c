"""What docs/inference.md shows must run, and its table of presets be true."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.inference.strategies.settings import PRESETS
from tests.pages import run_page

GUIDE = (Path(__file__).parents[2] / "docs" / "inference.md").read_text()


def test_the_examples_run() -> None:
    first, second, own, third, maps = run_page("docs/inference.md")
    assert first == "mixing 0.57, slope 1, beta 0.002 | re-ranked with k1 = 6"
    assert second.endswith("[0.0, 0.0]]")
    assert own == "16"
    assert third == "40"
    assert maps == "torch.Size([2, 63, 31]) torch.Size([2, 63, 31]) torch.Size([2])"


def test_the_table_of_presets_is_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|(.*)\| (\S+) / (\S+) / (\S+) \|$", GUIDE, flags=re.M)
    assert [row[0] for row in rows] == list(PRESETS)
    for name, *numbers in rows:
        inference, rerank = PRESETS[name].inference, PRESETS[name].rerank
        written = [float(number) if number.strip() else None for number in numbers]
        expected = [inference.mixing, inference.slope, inference.beta]
        if inference.mixing is None:
            expected = [None, None, None]
        assert written == [*expected, rerank.k1, rerank.k2, rerank.lambda_value]
