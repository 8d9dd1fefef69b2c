from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.distributed.agreement import (
    agreement,
    first_on_each_host,
    gather_blocks,
    gather_bytes,
    on_first,
    own_block,
    value_of_first,
)
from tests.distributed.rank_talk import talk
from tests.distributed.run_ranks import check_ranks


def test_alone_everything_passes_through() -> None:
    assert gather_bytes(b"x") == [b"x"]
    unusual = object()  # alone, a value need not be JSON
    assert value_of_first(unusual) is unusual
    assert on_first(lambda: unusual) is unusual
    assert first_on_each_host(lambda: unusual) is unusual
    assert own_block(5) == slice(0, 5)
    rows = np.zeros((2, 3), dtype=np.float32)
    assert gather_blocks(rows) is rows
    with pytest.raises(KeyError, match="as it was"), agreement():
        raise KeyError("as it was")


@pytest.mark.slow
def test_ranks_exchange_tensors_and_values_and_agree_on_errors(tmp_path: Path) -> None:
    check_ranks(talk, 3, tmp_path)
