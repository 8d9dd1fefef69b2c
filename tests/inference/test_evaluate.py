from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation import RerankSettings, evaluate_features
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.extract import extract_features
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import NetSettings, ReidNet
from reid_gl.records import ReidDataset, Sample

SMALL = Preprocessing(height=32, width=16)
COLOURS = {1: (250, 5, 5), 2: (5, 250, 5), 3: (5, 5, 250), 0: (128, 128, 128), -1: (250, 5, 5)}


class _MeanColour(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class _Constant(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.ones(len(images), 4)


@pytest.fixture
def coloured(tmp_path: Path) -> ReidDataset:
    """Three people, each in a colour of their own, seen by two cameras; a distractor and junk."""

    def take(name: str, *people: tuple[int, int]) -> tuple[Sample, ...]:
        samples = []
        for number, (pid, camid) in enumerate(people):
            path = tmp_path / f"{name}{number}.png"
            pixels = np.full((40, 20, 3), COLOURS[pid][::-1], dtype=np.uint8)
            assert cv2.imwrite(str(path), pixels)
            path.write_bytes(path.read_bytes() + path.name.encode())  # no two files are the same
            samples.append(Sample(str(path), pid, camid))
        return tuple(samples)

    return ReidDataset(
        train=(),
        query=take("query", (1, 0), (2, 0), (3, 0)),
        gallery=take("gallery", (1, 0), (1, 1), (2, 1), (3, 1), (0, 1), (-1, 1)),
    )


def _evaluate(model: nn.Module, dataset: ReidDataset, **settings: Any) -> Any:
    return evaluate(model, dataset, **{"preprocessing": SMALL, **settings})


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_plain_module_that_sees_colours_finds_everybody(coloured: ReidDataset, metric: str) -> None:
    result = _evaluate(_MeanColour(), coloured, metric=metric)
    assert result.rank(1) == result.mean_ap == result.mean_inp == 1
    assert (result.num_queries, result.num_scored, result.num_gallery) == (3, 3, 5)


def test_a_module_that_sees_nothing_finds_nobody(coloured: ReidDataset) -> None:
    result = _evaluate(_Constant(), coloured)
    assert result.rank(1) == 0
    assert result.first_match.tolist() == [4, 5, 5]  # the query's own camera does not count


def test_it_is_extraction_and_scoring(coloured: ReidDataset) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ReidNet(NetSettings("resnet18", 3))
    result = _evaluate(net, coloured, feature="before_neck", metric="euclidean", batch_size=2)
    sides = [
        extract_features(net, side, preprocessing=SMALL, feature="before_neck")
        for side in (coloured.query, coloured.gallery)
    ]
    expected = evaluate_features(*sides, metric="euclidean")
    assert np.array_equal(result.average_precision, expected.average_precision)
    assert result.num_gallery == expected.num_gallery


def test_the_default_input_is_256_by_128(coloured: ReidDataset) -> None:
    seen = []

    class Look(_MeanColour):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(images.shape[1:]))
            return super().forward(images)

    evaluate(Look(), coloured)
    assert set(seen) == {(3, 256, 128)}


def test_junk_is_never_opened(coloured: ReidDataset) -> None:
    Path(coloured.gallery[-1].path).unlink()
    assert _evaluate(_MeanColour(), coloured).rank(1) == 1


def test_the_camera_filter_decides_what_counts(
    coloured: ReidDataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the rule, person 1 has a second match in the query's own camera."""
    with caplog.at_level(logging.WARNING):
        on, off, auto = (
            _evaluate(_Constant(), coloured, camera_filter=name) for name in ("on", "off", "auto")
        )
    assert on.average_precision.tolist() == auto.average_precision.tolist()
    assert on.average_precision[0] == pytest.approx(1 / 4)
    assert off.average_precision[0] == pytest.approx((1 / 4 + 2 / 5) / 2)
    assert not caplog.text


def test_the_frames_of_a_track_count_as_one_image(coloured: ReidDataset) -> None:
    """Person 1 has a track of a red frame and a grey one, which alone would come last."""
    grey = replace(coloured.gallery[4], pid=1, tracklet=5)
    frames = [replace(coloured.gallery[1], tracklet=5), *coloured.gallery[2:], grey]
    dataset = replace(coloured, gallery=tuple(frames))
    result = _evaluate(_MeanColour(), dataset)
    assert (result.num_queries, result.num_scored, result.num_gallery) == (3, 3, 4)
    assert result.first_match.tolist() == [1, 1, 1]
    assert result.mean_inp == 1
    single = _evaluate(
        _MeanColour(),
        replace(dataset, gallery=tuple(replace(sample, tracklet=-1) for sample in frames)),
    )
    assert single.num_gallery == 5
    assert single.mean_inp < 1
    with pytest.raises(ValueError, match="the frames of a track are pooled by direction: score them by co"):
        _evaluate(_MeanColour(), dataset, metric="euclidean")


def test_the_frames_of_a_query_are_one_query(coloured: ReidDataset) -> None:
    frames = [replace(sample, tracklet=sample.pid) for sample in coloured.query for _ in range(3)]
    result = _evaluate(_MeanColour(), replace(coloured, query=tuple(frames)))
    assert (result.num_queries, result.mean_ap) == (3, 1)


def test_unknown_cameras_turn_the_rule_off(coloured: ReidDataset, caplog: pytest.LogCaptureFixture) -> None:
    unknown = replace(
        coloured,
        query=tuple(replace(sample, camid=-1) for sample in coloured.query),
        gallery=tuple(replace(sample, camid=-1) for sample in coloured.gallery),
    )
    with caplog.at_level(logging.WARNING):
        result = _evaluate(_MeanColour(), unknown)
    assert result.num_scored == 3
    assert "some images have no camera: the camera rule is off" in caplog.text


def test_impossible_test_sets_are_refused_before_the_network_runs(coloured: ReidDataset) -> None:
    class Never(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise AssertionError

    with pytest.raises(ValueError, match="nothing can be scored"):
        _evaluate(Never(), replace(coloured, gallery=coloured.gallery[4:]))
    with pytest.raises(ValueError, match="camera filter 'maybe': expected one of"):
        _evaluate(Never(), coloured, camera_filter="maybe")


def test_switches_reach_the_features(coloured: ReidDataset) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ReidNet(NetSettings("resnet18", 3))
    settings = {"feature": "before_neck", "inference": InferenceSettings(mixing=0.5, slope=1.0, beta=0.01)}
    rerank = RerankSettings(2, 1, 0.5)
    result = _evaluate(net, coloured, metric="euclidean", rerank=rerank, **settings)
    sides = [
        extract_features(net, side, preprocessing=SMALL, **settings)  # type: ignore[arg-type]
        for side in (coloured.query, coloured.gallery)
    ]
    expected = evaluate_features(*sides, metric="euclidean", rerank=rerank)
    assert np.array_equal(result.average_precision, expected.average_precision)


def test_switches_that_cannot_act_are_refused_before_the_network_runs(coloured: ReidDataset) -> None:
    class Never(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise AssertionError

    with pytest.raises(ValueError, match="changes nothing under cosine"):
        _evaluate(Never(), coloured, feature="before_neck", inference=InferenceSettings(beta=0.1))
    with pytest.raises(ValueError, match="act on the feature before the neck"):
        _evaluate(Never(), coloured, inference=InferenceSettings(mixing=0.1))


def test_errors(coloured: ReidDataset) -> None:
    with pytest.raises(ValueError, match="unknown metric 'dot'"):
        _evaluate(_MeanColour(), coloured, metric="dot")
    with pytest.raises(ValueError, match="unknown feature 'x'"):
        _evaluate(_MeanColour(), coloured, feature="x")


def test_a_query_in_the_gallery_does_not_find_itself(
    coloured: ReidDataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is alike under noise, so that only a copy of the query would be right."""
    rng = np.random.default_rng(0)
    samples = []
    for number, path in enumerate(Path(coloured.query[0].path).parent.glob("*.png")):
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
        samples.append(Sample(str(path), 1 + number % 3))
    net = ReidNet(NetSettings("resnet18", 3))
    same = ReidDataset((), query=tuple(samples), gallery=tuple(samples))
    alone = ReidDataset((), query=tuple(samples), gallery=())
    assert _evaluate(net, same).rank(1) == _evaluate(net, alone).rank(1) < 1
    assert "9 of 9 queries are in the gallery too" in caplog.text
