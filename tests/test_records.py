from __future__ import annotations

import numpy as np
import pytest

from reid_gl.records import RankingResult, ReidDataset, Sample

RESULT = RankingResult(
    cmc=np.array([0.25, 0.5, 0.75]),
    mean_ap=0.3,
    mean_ap_trapezoid=0.3,
    mean_inp=0.1,
    num_queries=4,
    num_scored=4,
    num_gallery=9,
    average_precision=np.full(4, 0.3),
    first_match=np.array([1, 2, 3, 9]),
)


def test_a_rank_is_a_place_of_the_curve_counted_from_one() -> None:
    ranks = [RESULT.rank(k) for k in (1, 2, 3)]
    assert ranks == [0.25, 0.5, 0.75]
    assert all(type(rank) is float for rank in ranks)  # numpy's own would not be JSON


@pytest.mark.parametrize("k", [0, 4, -1])
def test_ranks_that_were_not_computed(k: int) -> None:
    with pytest.raises(ValueError, match=rf"rank {k} was not computed: expected 1 to 3 \(max_rank\)"):
        RESULT.rank(k)


def test_samples_are_known_by_their_values() -> None:
    sample = Sample("a.jpg", 3)
    assert (sample.camid, sample.box, sample.tracklet) == (-1, None, -1)
    assert {sample, Sample("a.jpg", 3)} == {sample}
    assert sample != Sample("a.jpg", 3, box=(0, 0, 1, 1))
    assert ReidDataset((sample,), (), ()).name == "custom"
