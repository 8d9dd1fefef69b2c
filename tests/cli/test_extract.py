from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_gl.cli.main import main
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.inference.exported.test_open_exported import write_onnx
from tests.made_up_people import write_people
from tests.made_up_videos import noise_frames, write_sequence, write_video
from tests.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "model.ckpt")


def test_a_folder_to_npz(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = write_people(tmp_path / "people", num_people=2, images=1) / "bounding_box_train"
    output = tmp_path / "features.npz"
    words = [str(people), str(output), "--weights", str(weights), "--precision", "float32"]
    assert main(["extract", *words, "--batch-size", "3"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rows"], shown["embedding_dim"], shown["output"]) == (4, 512, str(output))
    with np.load(output) as stored:
        paths = stored["paths"].tolist()
        expected = FeatureExtractor(weights, precision="float32")(paths)
        assert paths == sorted(map(str, people.iterdir()))
        assert np.allclose(stored["features"], expected, atol=1e-5)
    assert main(["extract", *words]) == 1
    assert "features.npz exists: delete it, or choose another output" in capsys.readouterr().err


def test_what_a_foreign_network_takes(tmp_path: Path) -> None:
    people = write_people(tmp_path / "people", num_people=1, images=1) / "bounding_box_train"
    network, output = write_onnx(tmp_path / "net.onnx"), tmp_path / "features.npz"
    words = ["extract", str(people), str(output), "--weights", str(network), "--input-size", "8", "4"]
    words += ["--mean", "0", "0", "0", "--std", "1", "1", "1", "--pixel-range", "255"]
    assert main(words) == 1  # nothing is guessed
    assert main([*words, "--channel-order", "bgr", "--kernel", "antialiased_linear"]) == 0
    with np.load(output) as stored:
        images = [Image.open(path).resize((4, 8), Image.Resampling.BILINEAR) for path in stored["paths"]]
        means = np.stack([np.asarray(image).mean(axis=(0, 1))[::-1] for image in images])
        expected = means / np.linalg.norm(means, axis=1, keepdims=True)
        np.testing.assert_allclose(stored["features"], expected, atol=1e-5)


def test_a_broken_image_is_skipped_on_request(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = write_people(tmp_path / "people", num_people=2, images=1) / "bounding_box_train"
    broken = sorted(people.iterdir())[1]
    broken.write_text("no image")
    output = tmp_path / "features.npz"
    words = ["extract", str(people), str(output), "--weights", str(weights)]
    assert main(words) == 1
    assert f"{broken} is not an image" in capsys.readouterr().err
    assert main([*words, "--on-error", "skip"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rows"], shown["rejected"]) == (3, 1)
    with np.load(output) as stored:
        assert stored["paths"].tolist() == [str(path) for path in sorted(people.iterdir()) if path != broken]
    assert f"1,{broken},,{broken} is not an image" in Path(shown["rejects_file"]).read_text()


def test_frames_of_a_video(weights: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "noise.mkv", noise_frames(5))
    output = tmp_path / "features.npz"
    assert main(["extract", str(video), str(output), "--weights", str(weights), "--stride", "2"]) == 0
    with np.load(output) as stored:
        assert stored["frames"].tolist() == [1, 3, 5]
        assert np.allclose(np.linalg.norm(stored["features"], axis=1), 1, atol=1e-5)


def test_a_sequence_without_detections(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = "1,9,1,1,8,9,1,1,1\n1,7,1,1,8,9,1,3,1\n2,7,1,1,8,9,1,3,1\n"
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(2), gt=truth)
    words = ["extract", str(folder), str(tmp_path / "a.npz"), "--weights", str(weights), "--classes", "3"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "boxes and ids are those of the ground truth" in shown.err
    assert json.loads(shown.out)["rows"] == 2


def test_its_file_is_scored_and_calibrated(
    weights: Path,
    tmp_path: Path,
    write_noise: WriteNoise,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for person in range(10):
        (tmp_path / "people" / str(person + 1)).mkdir(parents=True)
        for number in range(5):
            write_noise(f"people/{person + 1}/{number}.png", seed=person, size=(20 + number, 10))
    table, output = tmp_path / "people" / "dataset.csv", tmp_path / "split.npz"
    assert main(["make-split", str(tmp_path / "people"), "--out", str(table)]) == 0
    assert main(["extract", str(table), str(output), "--weights", str(weights)]) == 0
    capsys.readouterr()
    assert main(["evaluate-features", str(output), "--verification"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert 0 < shown["scores"]["cosine"]["mAP"] <= 1
    assert shown["use_cameras"] is False
    rows = [f"people\\{row // 5 + 1}\\{row % 5}.png,{row // 5 + 1},0" for row in range(50)]
    (tmp_path / "list.csv").write_text("path,pid,camid\n" + "\n".join(rows))
    output = tmp_path / "list.npz"
    assert main(["extract", str(tmp_path / "list.csv"), str(output), "--weights", str(weights)]) == 0
    assert main(["evaluate-features", str(output), "--verification"]) == 1
    assert "--verification compares queries with a gallery" in capsys.readouterr().err
    assert main(["evaluate-features", str(output)]) == 1
    assert "score without cameras" in capsys.readouterr().err
    assert main(["evaluate-features", str(output), "--no-cameras"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["scores"]["cosine"]["mAP"] <= 1
    assert main(["calibrate", "--features", str(output), "--output", str(tmp_path / "a.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["source"] == f"{output} (pairs of one person within one camera)"
    assert shown["num_same"] == 10 * 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "a.npz", "--weights", "W"], "nowhere does not exist"),
        (["nowhere", "a.txt", "--weights", "W"], "cannot write a.txt"),
        ([".", "--weights", "W"], "features go into a file or into a gallery"),
        (
            [".", "a.npz", "--into", "people.db", "--weights", "W"],
            "features go into a file or into a gallery",
        ),
        (
            ["nowhere", "a.npz", "--engine", "ray", "--weights", "W"],
            "writes a folder of Parquet parts, not a.npz",
        ),
        ([".", "--into", "people.db", "--engine", "ray", "--weights", "W"], "parts, not people.db"),
        ([".", "a.npz", "--audit-log", "log", "--weights", "W"], "--audit-log is for a gallery: give it"),
        ([".", "a.npz", "--weights", "none.ckpt"], "weights none.ckpt do not exist"),
        ([".", "a.npz", "--weights", "W", "--boxes", "det.txt"], "boxes det.txt need a video or"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    words: list[str], message: str, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(weights) if word == "W" else word for word in words]
    assert main(["extract", *words]) == 1
    assert message in capsys.readouterr().err


def test_ray_without_its_package(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    words = [str(tmp_path), str(tmp_path / "out"), "--weights", str(weights), "--engine", "ray"]
    assert main(["extract", *words]) == 1
    assert "--engine ray needs Ray Data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning:ray")
def test_ray_gives_the_features_of_the_local_engine(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.data")
    parquet = pytest.importorskip("pyarrow.parquet")
    people = write_people(tmp_path / "people", num_people=2, images=1) / "bounding_box_train"
    words = ["--weights", str(weights), "--on-error", "skip"]
    sorted(people.iterdir())[1].write_text("no image")
    assert main(["extract", str(people), str(tmp_path / "local.parquet"), *words]) == 0
    words = ["extract", str(people), str(tmp_path / "out"), *words, "--engine", "ray"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    assert main(words) == 1
    assert f"ConnectionError: cannot connect to the Ray cluster {nobody}" in capsys.readouterr().err
    monkeypatch.delenv("RAY_ADDRESS")
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rows"], shown["rejected"], shown["parts"]) == (3, 1, 1)
    local, parts = (parquet.read_table(tmp_path / name) for name in ("local.parquet", "out"))
    assert parts["path"].to_pylist() == local["path"].to_pylist()
    features = [table["feature"].to_pylist() for table in (parts, local)]
    np.testing.assert_allclose(*features, rtol=0, atol=1e-6)
    theirs = (tmp_path / "local.parquet.rejects.csv").read_text()
    assert Path(shown["rejects_file"]).read_text() == theirs
