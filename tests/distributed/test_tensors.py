from __future__ import annotations

import torch

from reid_gl.distributed.tensors import (
    average_in_place,
    copy_from_first,
    gather_rows,
    largest,
    sum_over_ranks,
)


def test_alone_everything_stays_as_it_is() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(rows) is rows
    assert sum_over_ranks(rows) is rows
    before = rows.detach().clone()
    average_in_place([rows])
    copy_from_first([rows])
    assert torch.equal(rows, before)
    assert largest(3) == 3
