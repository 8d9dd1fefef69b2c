"""Weights of other projects go through one loader in every command: the same file, the same features."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from reid_gl.cli import calibrate, export, extract, score
from reid_gl.cli.foreign import read_foreign
from reid_gl.cli.main import main
from reid_gl.config import load_config
from reid_gl.experiment.score import load_candidate
from reid_gl.inference.evaluate import extract_sides
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.foreign import Foreign, GivenPreprocessing
from tests.made_up_people import write_people

WORDS = ["--architecture", "resnet18", "--input-size", "64", "32", "--mean", "127", "120", "100"]
WORDS += ["--std", "60", "61", "62", "--pixel-range", "255", "--channel-order", "bgr", "--kernel", "area"]
SAID = GivenPreprocessing((64, 32), (127.0, 120.0, 100.0), (60.0, 61.0, 62.0), 255.0, "bgr", "area")
FOREIGN = Foreign("resnet18", SAID)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of reid-strong-baseline with a neck."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torchvision.models.resnet18(weights=None)
    tensors = {f"base.{name}": value for name, value in net.state_dict().items() if name[:3] != "fc."}
    neck = torch.nn.BatchNorm1d(512)
    tensors |= {f"bottleneck.{name}": value for name, value in neck.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "foreign.pth"
    torch.save({"state_dict": tensors}, path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    people = write_people(tmp_path_factory.mktemp("data") / "market1501", num_people=24, images=1)
    return ["DATA.ROOT", str(people), "DATA.NUM_WORKERS", "0", "MODEL.DEVICE", "cpu"]


@pytest.mark.parametrize("command", [calibrate, export, extract, score])
def test_every_command_takes_the_same_arguments(command: object) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)  # type: ignore[attr-defined]
    words = {export: ["w", "--format", "onnx"], extract: ["a", "b", "--weights", "w"]}.get(command, [])  # type: ignore[call-overload]
    said = read_foreign(parser.parse_args([*words, *WORDS]))
    assert said.arguments() == {
        **FOREIGN.arguments(),
        **{name: list(getattr(SAID, name)) for name in ("input_size", "mean", "std")},
    }
    assert read_foreign(parser.parse_args(words)).is_empty()


def test_scoring_has_the_features_of_feature_extractor(weights: Path, data: list[str]) -> None:
    config = load_config(None, [*data, "MODEL.WEIGHTS", str(weights)])
    candidate = load_candidate(config, foreign=FOREIGN)
    query, _ = extract_sides(candidate.net, candidate.dataset, preprocessing=candidate.preprocessing)
    extractor = FeatureExtractor(weights, device="cpu", precision="float32", **FOREIGN.arguments())
    expected = extractor(list(query.paths))
    lengths = np.linalg.norm(query.embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(query.embeddings / lengths, expected, atol=1e-5)
    assert candidate.describe()["epoch"] is None
    assert load_candidate(config).preprocessing.height == 256  # recognised by its tensors


@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
def test_the_commands(
    weights: Path, data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", *data, "MODEL.WEIGHTS", str(weights), *WORDS]) == 0
    assert json.loads(capsys.readouterr().out)["mAP"] > 0.5  # blocks of colour
    assert main(["test", *data, "MODEL.WEIGHTS", str(weights), "--keep", *WORDS]) == 1
    assert "--ablate and --keep are for checkpoints of reid_gl" in capsys.readouterr().err

    exported = tmp_path / "net.torchscript"
    assert main(["export", str(weights), "--format", "torchscript", "--out", str(exported), *WORDS]) == 0
    capsys.readouterr()
    people = sorted(Path(data[1], "query").iterdir())
    ours = FeatureExtractor(weights, device="cpu", precision="float32", **FOREIGN.arguments())
    np.testing.assert_allclose(FeatureExtractor(exported, device="cpu")(people), ours(people), atol=1e-4)

    words = [str(weights), *data, "--on", "test", "--output", str(tmp_path / "a.png"), *WORDS]
    assert main(["calibrate", *words]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == f"{weights}.json"
    Path(f"{weights}.json").unlink()
    assert main(["calibrate", "--features", "a.npz", *WORDS]) == 1
    assert "--features are already computed" in capsys.readouterr().err
