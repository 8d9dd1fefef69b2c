"""Comparing what a loader of ours and one of torchreid's make of the same folder of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from reid_gl.records import ReidDataset
from tests.data.datasets.peer_samples import PeerItem, assert_same_as_torchreid

PeerTrack = tuple[Sequence[str], int, int, int]


def assert_same_tracks_as_torchreid(ours: ReidDataset, theirs: Any) -> None:
    """Same frames in each part, same cameras and people; each of their tracks has one number of ours.

    Args:
        ours: a data set of ours.
        theirs: a data set of torchreid.
    """
    parts = {name: _frames(getattr(theirs, name)) for name in ("train", "query", "gallery")}
    assert_same_as_torchreid(ours, SimpleNamespace(**parts))
    numbers = {sample.path: sample.tracklet for sample in ours.train + ours.query + ours.gallery}
    tracks = [*theirs.train, *theirs.query, *theirs.gallery]
    found = [{numbers[path] for path in track[0]} for track in tracks]
    assert {len(track) for track in found} == {1}
    assert len(set.union(*found)) == len(tracks)


def _frames(tracks: Sequence[PeerTrack]) -> list[PeerItem]:
    return [(path, pid, camid, 0) for paths, pid, camid, _ in tracks for path in paths]
