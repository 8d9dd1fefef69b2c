from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.made_up_sequence import write_two_cameras


@pytest.fixture
def two_cameras(tmp_path: Path) -> Path:
    return write_two_cameras(tmp_path / "place")
