from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from reid_gl import FeatureExtractor
from reid_gl.config.load import load_config
from reid_gl.data.datasets import load_dataset
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.measure_thresholds import calibrate_weights, check_storable, store_calibration
from reid_gl.inference.color_histogram import extract_color_histograms
from reid_gl.inference.extractor import find_weights as finding
from reid_gl.inference.extractor.find_weights import find_weights, results_folder
from reid_gl.models.packaged import PACKAGED, PACKAGED_FILE
from reid_gl.models.weights import read_checkpoint
from reid_gl.records import Features
from reid_gl.synthetic.plan import SyntheticSize
from reid_gl.synthetic.write_people import write_synthetic

PEOPLE = SyntheticSize(1, 12, 24, num_distractors=0, num_junk=0)


def test_the_file_is_small_and_holds_no_folder_of_the_machine_that_wrote_it() -> None:
    assert PACKAGED_FILE.stat().st_size < 10e6
    checkpoint = read_checkpoint(PACKAGED_FILE)
    assert set(checkpoint) == {"format", "net", "model", "preprocessing", "inference", "epoch"}
    assert checkpoint["net"]["num_classes"] == 1


def test_an_extractor_needs_no_weights_and_says_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    finding._say_what_it_was_trained_on.cache_clear()
    extractors = [FeatureExtractor(), FeatureExtractor(PACKAGED)]
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage().split(",")[0] for record in said] == [
        "the network that is part of reid_gl has seen rendered people only"
    ]
    image = np.random.default_rng(0).integers(256, size=(160, 70, 3), dtype=np.uint8)
    first, second = (extractor([image]) for extractor in extractors)
    assert first.shape == (1, extractors[0].embedding_dim)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(first, second)


def test_it_knows_people_it_has_not_seen_better_than_colours_do(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "synthetic", seed=4242, size=PEOPLE, num_workers=1)
    dataset = load_dataset("synthetic", tmp_path)
    extractor = FeatureExtractor(color_order="bgr")
    sides = {}
    for name, samples in (("query", dataset.query), ("gallery", dataset.gallery)):
        colors = extract_color_histograms(samples)
        sides[name] = (
            colors,
            Features(
                extractor([sample.path for sample in samples]), colors.pids, colors.camids, colors.paths
            ),
        )
    by_color, by_network = (
        evaluate_features(query, gallery).mean_ap
        for query, gallery in zip(sides["query"], sides["gallery"], strict=True)
    )
    assert by_network > by_color + 0.2


def test_nothing_of_the_user_s_is_written_beside_it() -> None:
    assert results_folder(find_weights(PACKAGED)) == Path()
    with pytest.raises(ValueError, match="thresholds cannot be stored in the package: copy "):
        check_storable(PACKAGED_FILE)


def test_a_copy_of_it_can_be_calibrated_as_the_message_says(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "synthetic", seed=4242, size=PEOPLE, num_workers=1)
    copy = tmp_path / "copy.ckpt"
    shutil.copyfile(PACKAGED_FILE, copy)
    config = load_config("synthetic.yml", ["DATA.ROOT", str(tmp_path / "synthetic")])
    with pytest.raises(ValueError, match=r"does not say what it was trained on: calibrate .* --on test"):
        calibrate_weights(config, copy, on="held-out")
    store_calibration(copy, calibrate_weights(config, copy, on="test"))
    assert FeatureExtractor(copy).calibration is not None
    with pytest.raises(ValueError, match="thresholds cannot be stored in the package: copy "):
        store_calibration(PACKAGED_FILE, FeatureExtractor(copy).calibration)
