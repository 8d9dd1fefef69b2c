"""What the README shows must run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_library_example_runs_and_prints_what_it_says() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.S))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "1.0 0.8333333333333333"


def test_every_file_it_names_is_there() -> None:
    names = re.findall(r"`(configs/\w+\.yml)`|\((\w[\w/.]+)\)|python (tools/\w+\.py)", README)
    named = {name for group in names for name in group if name}
    assert len(named) > 8
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_make_target_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, flags=re.M))
    assert targets == {"demo", "test"}
    assert all(f"\n{target}:" in makefile for target in targets)
