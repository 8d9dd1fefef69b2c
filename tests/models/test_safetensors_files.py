from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.models.safetensors_files import read_safetensors


def test_a_header_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((10**8).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match=r"a\.safetensors .* its header has 100,000,000 bytes, more than"):
        read_safetensors(path)
