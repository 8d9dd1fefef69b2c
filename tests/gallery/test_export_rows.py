from __future__ import annotations

from pathlib import Path

import numpy as np

from reid_gl.evaluation.feature_files import load_features
from reid_gl.gallery import Gallery
from reid_gl.gallery.interface.sightings import unit_features
from tests.gallery.made_up_galleries import filled


def test_what_is_in_the_file(tmp_path: Path) -> None:
    vectors, metadata = filled(tmp_path / "people.db")
    with Gallery(tmp_path / "people.db", "r") as gallery:
        assert gallery.export(tmp_path / "rows.npz") == 40
        cameras = [sighting.camera for sighting in metadata]
        assert gallery.export(tmp_path / "some.npz", cameras=[1]) == cameras.count(1)
    with np.load(tmp_path / "rows.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["features"], unit_features("", vectors, None))
        assert stored["rows"].tolist() == list(range(1, 41))
        assert stored["camids"].tolist() == cameras
        assert stored["paths"].tolist() == [sighting.path for sighting in metadata]
        assert np.isnan(stored["times"][2])
        assert stored["times"][0] == metadata[0].time
        assert stored["boxes"][0].tolist() == list(metadata[0].box or ())
        assert np.isnan(stored["boxes"][3]).all()
    queries, gallery_side = load_features(tmp_path / "rows.npz")
    assert gallery_side is None
    assert queries.pids.tolist() == [sighting.pid for sighting in metadata]
    assert queries.camids.tolist() == cameras
