"""Whether features help a real tracker: DeepSORT on rendered crossings and re-entries, by TrackEval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.tracking import (
    Recording,
    box_overlaps,
    histogram_features,
    mean_idf1,
    network_features,
    random_features,
    record,
    render_and_record,
    score,
    track,
    true_features,
)
from reid_gl.data.mot.read import MotBoxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.models.packaged import PACKAGED
from reid_gl.synthetic.casting import look
from reid_gl.synthetic.plan import SyntheticSize, draw_cast
from reid_gl.synthetic.write_sequences import SequenceSize, draw_sequence_people, write_sequences

SEEDS = (100, 101)
SIZE = SequenceSize(num_cameras=1, num_frames=200, num_people=10, width=480, height=270)
THRESHOLDS = {"ours": 0.5, "histogram": 0.1, "random": 1.01}
"""Each the best for its features among 0.1 to 1.01 on sequences of other people (seeds 90 to 92)."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    kinds = {
        "ours": network_features(FeatureExtractor(PACKAGED, device="cpu", color_order="bgr")),
        "histogram": histogram_features,
        "random": random_features(0),
    }
    return render_and_record(tmp_path_factory.mktemp("sequences"), SEEDS, SIZE, kinds)


def test_features_of_the_package_beat_random_ones_and_colour_histograms(recordings: list[Recording]) -> None:
    idf1 = {kind: mean_idf1(recordings, kind, threshold) for kind, threshold in THRESHOLDS.items()}
    assert idf1["ours"] > idf1["histogram"] + 0.02, idf1
    assert idf1["ours"] > idf1["random"] + 0.08, idf1


def test_the_network_of_the_package_has_seen_nobody_of_the_sequences() -> None:
    size = SyntheticSize(num_train_identities=2_400, num_worlds=24)  # as configs/rendered_people.yml says
    known = {look(person) for person in draw_cast(101, size)}
    for seed in SEEDS:
        assert not known.intersection(map(look, draw_sequence_people(seed, SIZE.num_people)))


def test_who_knows_the_truth_tracks_better_than_who_knows_nothing(tmp_path: Path) -> None:
    size = SequenceSize(num_cameras=1, num_frames=80, num_people=6, width=320, height=180)
    (name,) = write_sequences(tmp_path / "out", seed=7, size=size)
    recording = record(tmp_path / "out" / name, {"random": random_features(0)})
    recording.features["truth"] = true_features(recording)
    assert mean_idf1([recording], "truth", 0.3) > mean_idf1([recording], "random", 0.3) + 0.1


def boxes_of(rows: list[tuple[int, int, float]]) -> MotBoxes:
    """Boxes of 10 x 20 pixels from (frame, id, left)."""
    ones = np.ones(len(rows))
    return MotBoxes(
        frames=np.array([frame for frame, _, _ in rows]),
        ids=np.array([identity for _, identity, _ in rows]),
        boxes=np.array([(left, 0.0, 10.0, 20.0) for _, _, left in rows]),
        confidences=ones,
        classes=ones.astype(np.int64),
        visibilities=ones,
    )


def test_by_hand_one_switch() -> None:
    truth = boxes_of([(frame, 1, 5.0 * frame) for frame in (1, 2, 3, 4)])
    perfect = score(truth, truth, 4)
    assert (perfect.idf1, perfect.switches) == (1, 0)
    assert (perfect.hota, perfect.association) == pytest.approx((1, 1))
    switched = score(truth, boxes_of([(f, 7 if f < 4 else 8, 5.0 * f) for f in (1, 2, 3, 4)]), 4)
    assert switched.switches == 1
    assert switched.idf1 == pytest.approx(2 * 3 / (4 + 4))
    assert switched.association == pytest.approx((3 * 3 / 4 + 1 / 4) / 4)
    assert switched.hota == pytest.approx(np.sqrt(switched.association))


def test_by_hand_overlaps() -> None:
    one = np.array([[0.0, 0, 10, 20]])
    other = np.array([[5.0, 0, 10, 20], [0, 0, 10, 20], [20, 0, 10, 20]])
    assert box_overlaps(one, other).tolist() == [[pytest.approx(1 / 3), 1, 0]]


def test_a_tracker_follows_one_person_who_walks_straight() -> None:
    steps = boxes_of([(frame, 1, 2.0 * frame) for frame in range(1, 11)])
    recording = Recording(10, steps, steps, {"same": np.ones((10, 4), np.float32)})
    tracks = track(recording, "same", 0.2)
    assert set(tracks.ids.tolist()) == {1}
    assert tracks.frames.tolist() == list(range(2, 11))  # confirmed with the second detection
