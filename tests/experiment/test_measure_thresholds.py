from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
import torch

from reid_gl.config import load_config, read_experiment
from reid_gl.data.loading.images import read_image
from reid_gl.experiment import measure_thresholds as calibrating
from reid_gl.experiment import run_training
from reid_gl.experiment.load_data import hold_out, load_data
from reid_gl.experiment.measure_thresholds import calibrate_weights, report_calibration, store_calibration
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.stored_thresholds import load_calibration
from reid_gl.models import load_net, read_checkpoint
from tests.experiment.conftest import SMALL
from tests.inference.extractor.test_stored_thresholds import CALIBRATION
from tests.made_up_people import write_people


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """Overrides and weights of one epoch, which has not seen eight of sixteen people."""
    folder = tmp_path_factory.mktemp("calibrate")
    people = write_people(folder / "market1501", num_people=16)
    words = [*SMALL, "DATA.HOLDOUT", "0.5", "SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(people)]
    words += ["INPUT.SIZE", "[32,16]", "OUTPUT_DIR", str(folder / "run")]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, _ = run_training(load_config(None, words))
    return words, Path(weights)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Images that are read."""
    read, paths = read_image, set()

    def note(path: str) -> Any:
        paths.add(path)
        return read(path)

    monkeypatch.setattr(calibrating, "read_image", note)
    return paths


def test_held_out_people_are_all_that_is_opened(trained: tuple[list[str], Path], opened: set[str]) -> None:
    words, weights = trained
    config = load_config(None, words)
    result = calibrate_weights(config, weights, on="held-out")
    data = read_experiment(config).data
    holdout = hold_out(data.holdout, load_data(data))
    assert holdout is not None
    assert opened == {sample.path for sample in (*holdout.query, *holdout.gallery)}
    assert result.source == "held-out training identities of market1501"
    assert (result.num_identities, result.num_same) == (8, 8 * 9)
    assert result.num_different == 8 * 7 // 2 * 36
    assert calibrate_weights(config, weights, on="held-out") == result


def test_the_test_set_is_taken_only_when_asked_and_named(
    trained: tuple[list[str], Path], opened: set[str]
) -> None:
    words, weights = trained
    config = load_config(None, words)
    dataset = load_data(read_experiment(config).data)
    result = calibrate_weights(config, weights, on="test")
    assert result.source.startswith("test set of market1501 (thresholds chosen on it must not be used to")
    assert (result.num_same, result.num_different) == (16 * 3, 16 * (15 * 6 + 1))  # and a distractor
    assert opened == {sample.path for sample in (*dataset.query, *dataset.gallery)}


def test_features_are_those_of_the_extractor(
    trained: tuple[list[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, weights = trained
    seen = []
    monkeypatch.setattr(calibrating, "NUM_READ", 7)
    monkeypatch.setattr(calibrating, "calibrate", lambda *sides, source: seen.append((sides, source)))
    calibrate_weights(load_config(None, words), weights, on="test")
    ((query, gallery), source) = seen[0]
    assert source == (
        "test set of market1501 (thresholds chosen on it must not be used to report scores of it)"
    )
    extractor = FeatureExtractor(weights, device="cpu", precision="float32")
    np.testing.assert_allclose(query.embeddings, extractor(query.paths), atol=1e-6)
    np.testing.assert_allclose(gallery.embeddings, extractor(gallery.paths), atol=1e-6)
    assert len(query.pids) == 16
    assert (gallery.pids == 0).sum() == 1


def test_the_checkpoint_keeps_it_and_everything_else(trained: tuple[list[str], Path], tmp_path: Path) -> None:
    weights = tmp_path / "model.ckpt"
    copyfile(trained[1], weights)
    assert store_calibration(weights, CALIBRATION) == weights
    before, after = read_checkpoint(trained[1]), read_checkpoint(weights)
    assert load_calibration(weights) == CALIBRATION
    assert after.keys() - before.keys() == {"calibration"}
    for name, tensor in before["model"].items():
        assert torch.equal(after["model"][name], tensor)
    assert all(after[name] == before[name] for name in before.keys() - {"model"})
    load_net(weights)
    assert [path.name for path in tmp_path.iterdir()] == ["model.ckpt"]


def test_a_file_beside_keeps_its_other_keys(tmp_path: Path) -> None:
    weights = tmp_path / "net.onnx"
    weights.write_bytes(b"exported")
    beside = store_calibration(weights, CALIBRATION)
    assert beside == tmp_path / "net.onnx.json"
    assert load_calibration(weights) == CALIBRATION
    beside.write_text(json.dumps({"preprocessing": {"height": 256}, "calibration": "old"}))
    store_calibration(weights, CALIBRATION)
    assert json.loads(beside.read_text())["preprocessing"] == {"height": 256}
    assert load_calibration(weights) == CALIBRATION
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "net.onnx.json"]
    assert weights.read_bytes() == b"exported"
    with pytest.raises(FileNotFoundError, match=r"weights .*gone.onnx do not exist"):
        store_calibration(tmp_path / "gone.onnx", CALIBRATION)


def test_what_is_wrong_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = replace(CALIBRATION, mean_cosine_different=0.95, missing=((1e-4, "too few"),))
    with caplog.at_level(logging.WARNING):
        result = report_calibration(broken, None, tmp_path / "new" / "a.png")
    assert "no threshold for a false accept rate of 0.0001: too few" in caplog.text
    assert "2 identities are few (less than 20)" in caplog.text
    assert "the features have collapsed" in caplog.text
    assert result["file"] is None
    assert Path(result["picture"]).read_bytes().startswith(b"\x89PNG")


def test_weights_without_held_out_people(trained: tuple[list[str], Path], tmp_path: Path) -> None:
    words, weights = trained
    config = load_config(None, words)
    checkpoint = read_checkpoint(weights)
    all_seen = tmp_path / "model.ckpt"
    torch.save(
        {**checkpoint, "config": checkpoint["config"].replace("HOLDOUT: 0.5", "HOLDOUT: 0.0")}, all_seen
    )
    with pytest.raises(ValueError, match=r"every training identity \(DATA.HOLDOUT 0\).*with --on test"):
        calibrate_weights(config, all_seen, on="held-out")
    torch.save({**checkpoint, "pids": [1, 2]}, all_seen)
    with pytest.raises(ValueError, match=r"was not trained on the market1501 found here.*--on test"):
        calibrate_weights(config, all_seen, on="held-out")
