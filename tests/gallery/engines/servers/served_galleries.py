"""A gallery on a server beside one in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import RerankSettings
from reid_gl.gallery import Gallery, Sighting
from tests.gallery.made_up_galleries import MORNING, features, sightings


def shown(answers: list[list[Any]]) -> list[list[tuple[float, Sighting]]]:
    return [[(match.score, match.sighting) for match in answer] for answer in answers]


def check_same_answers(uri: str, tmp_path: Path) -> None:
    """A new gallery on a server, treated like one in a file, gives the same answers."""
    with (
        Gallery(uri, audit_log=tmp_path / "log") as served,
        Gallery(tmp_path / "people.db") as kept,
    ):
        assert served.search(features(1)) == kept.search(features(1)) == [[]]
        rows = [gallery.add(features(300), sightings(300)) for gallery in (served, kept)]
        assert np.diff(rows[0]).tolist() == [1] * 299
        queries = features(4, seed=1)
        for asked in (
            {},
            {"cameras": [0, 2]},
            {"cameras": []},
            {"time": (MORNING, MORNING + 3600), "min_score": 0.1},
            {"exclude": [{"camera": 1, "tracklet": [0, 1]}, {"pid": 3}, {"pid": []}]},
            {"rerank": RerankSettings(k1=6, k2=2), "shortlist": 30},
        ):
            answers = [gallery.search(queries, 12, **asked) for gallery in (served, kept)]
            assert shown(answers[0]) == shown(answers[1])
        excluded = [
            gallery.search(queries, 5, exclude={"id": ids[:100]})
            for gallery, ids in zip((served, kept), rows, strict=True)
        ]
        assert shown(excluded[0]) == shown(excluded[1])
        vectors = served.features_of(rows[0][:2])
        np.testing.assert_array_equal(vectors, kept.features_of(rows[1][:2]))
        for gallery, ids in zip((served, kept), rows, strict=True):
            assert gallery.set_identity(ids[:7], 9) == 7
            assert gallery.delete(ids=ids[7:9]) == 2
            assert gallery.delete(ids=[]) == gallery.delete(ids=-1) == 0
        assert served.merge_identities([1, 2], into=3) == kept.merge_identities([1, 2], into=3) > 0
        assert served.delete(older_than=MORNING + 600) == kept.delete(older_than=MORNING + 600) > 0
        assert shown(served.search(queries, 99)) == shown(kept.search(queries, 99))
        first, second = served.stats(), kept.stats()
        for name in ("num_rows", "dimension", "num_identities", "num_tracklets", "cameras", "first_time"):
            assert getattr(first, name) == getattr(second, name)
        assert served.verify().is_whole
        assert served.export(tmp_path / "rows.npz") == first.num_rows


def check_keys(uri: str, tmp_path: Path, rows_at_once: int) -> None:
    """An addition that is tried again with its key is completed, and not done twice."""
    count = 2 * rows_at_once + 1
    vectors, metadata = features(count), sightings(count)
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        ids = gallery.add(vectors, metadata, key="a")
        assert np.diff(ids).tolist() == [1] * (count - 1)
        other = gallery.add(vectors[:1], metadata[:1], key="b").tolist()
        assert other[0] not in ids.tolist()
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        assert gallery.delete(ids=ids[rows_at_once + 1 :]) == rows_at_once  # as if it had been killed there
        assert gallery.add(vectors, metadata, key="a").tolist() == ids.tolist()
        assert gallery.stats().num_rows == count + 1
        with pytest.raises(ValueError, match="the key 'a' was used to add other rows"):
            gallery.add(vectors[:1], [Sighting(camera=77)], key="a")
        assert gallery.stats().num_rows == count + 1  # the refusal took nothing back
        assert gallery.verify().is_whole


def check_reopening(uri: str, tmp_path: Path) -> None:
    """A gallery keeps its rows and its age of deletion, and refuses changes when it is open for reading."""
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        assert gallery.stats().keep_seconds is None
        gallery.add(features(3), sightings(3))
        assert gallery.keep_for(1e12) == 0
    with Gallery(uri, "r", audit_log=tmp_path / "log") as gallery:
        assert gallery.stats().keep_seconds == 1e12
        assert len(gallery.search(features(1))[0]) == 3
        for change in (
            lambda: gallery.add(features(1), sightings(1)),
            lambda: gallery.delete(pids=3),
            lambda: gallery.keep_for(None),
        ):
            with pytest.raises(PermissionError, match="is open for reading"):
                change()
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        assert gallery.keep_for(1.0) > 0  # those of 2023
        gallery.keep_for(None)
        assert gallery.stats().keep_seconds is None
        with pytest.raises(ValueError, match="features have 8 numbers each, this gallery"):
            gallery.add(features(1, width=8), sightings(1))
