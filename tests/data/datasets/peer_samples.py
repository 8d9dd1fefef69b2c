"""Comparing what a loader of ours and one of torchreid's make of the same folder."""

from __future__ import annotations

from typing import Any

from reid_gl.records import ReidDataset, Sample

PeerItem = tuple[str, int, int, int]


def assert_same_as_torchreid(ours: ReidDataset, theirs: Any) -> None:
    """Same images in each part, same cameras, and the same images of one person.

    Args:
        ours: a data set of ours.
        theirs: a data set of torchreid.
    """
    _assert_same([*ours.train], theirs.train)
    _assert_same([*ours.query, *ours.gallery], [*theirs.query, *theirs.gallery])
    assert {sample.path for sample in ours.query} == {item[0] for item in theirs.query}


def _assert_same(ours: list[Sample], theirs: list[PeerItem]) -> None:
    ours = sorted(ours, key=lambda sample: sample.path)
    theirs = sorted(theirs)
    assert [(sample.path, sample.camid) for sample in ours] == [(path, camid) for path, _, camid, _ in theirs]
    pairs = {(sample.pid, item[1]) for sample, item in zip(ours, theirs, strict=True)}
    assert len(pairs) == len({pid for pid, _ in pairs}) == len({pid for _, pid in pairs})
