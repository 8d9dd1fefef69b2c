from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.identities import check_distances, check_identities


def test_the_largest_floating_point_numbers_that_are_told_apart() -> None:
    for dtype, largest in ((np.float32, 2**24 - 1), (np.float64, 2**53 - 1)):
        pids, _ = check_identities("query", np.array([largest, -largest], dtype), None, 2)
        assert pids.tolist() == [largest, -largest]


def test_whole_numbers_of_any_type_become_int64() -> None:
    pids, camids = check_identities("query", [1.0, -1.0], np.array([2, 3], np.uint8), 2)
    assert pids.tolist() == [1, -1]
    assert camids.tolist() == [2, 3]
    assert pids.dtype == camids.dtype == np.int64
    assert check_identities("query", [5], None, 1)[1].tolist() == [-1]


@pytest.mark.parametrize(
    ("pids", "message"),
    [
        ([1, 2, 3], r"query_pids must have shape \(2,\), got \(3,\)"),
        (["1", "2"], "query_pids must be whole numbers, got <U1"),
        ([1.5, 2], "query_pids must be whole numbers of 64 bits, got 1.5"),
        ([1, np.nan], "query_pids must be whole numbers of 64 bits, got nan"),
        ([1e30, 1], "query_pids must be whole numbers of 64 bits, got 1e\\+30"),
        (
            np.array([2**64 - 1, 1], np.uint64),
            "query_pids must be whole numbers of 64 bits, got 18446744073709551615",
        ),
        ([2**63, 1], "query_pids must be whole numbers of 64 bits, got 9"),
        ([10**20, 1], "query_pids must be whole numbers, got object"),
        (
            np.array([2**24 + 2, 1], np.float32),
            "query_pids are float32, which tells whole numbers apart below 16777216 only, and reach 16777218",
        ),
        (np.array([1, -(2.0**54)]), "query_pids are float64, .* below 9007199254740992 only"),
        (np.array([2.0**53, 2.0**53 + 1]), "query_pids are float64, .* and reach 9007199254740992"),
    ],
)
def test_errors(pids: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_identities("query", pids, None, 2)  # type: ignore[arg-type]


def test_distances_become_floating_point_and_keep_their_precision() -> None:
    side = (np.array([1, 2]), None)
    for given, wanted in ((np.int64, np.float64), (np.float32, np.float32), (np.float16, np.float64)):
        distances, query, gallery = check_distances(np.ones((2, 2), given), side, side)
        assert distances.dtype == wanted
        assert query[0].tolist() == gallery[0].tolist() == [1, 2]


def test_what_are_no_distances() -> None:
    one, known = (np.array([1]), None), (np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match=r"distances must be numbers \(Q, G\), got float64 \(1,\)"):
        check_distances(np.ones(1), one, one)
    with pytest.raises(ValueError, match=r"distances must be numbers \(Q, G\), got <U1 \(1, 1\)"):
        check_distances(np.array([["a"]]), one, one)
    with pytest.raises(ValueError, match="one side alone has no meaning"):
        check_distances(np.ones((1, 1)), known, one)
