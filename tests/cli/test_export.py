from __future__ import annotations

import json
from pathlib import Path

from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.cli.test_commands import call
from tests.made_up_people import write_people
from tests.tiny_checkpoint import write_checkpoint


def test_int8_is_calibrated_on_the_training_set_and_its_cost_reported(tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt")
    people = write_people(tmp_path / "market1501")
    words = ["--format", "openvino", "--precision", "int8", "DATA.ROOT", people, "DATA.NUM_WORKERS", "0"]
    answer = call("export", weights, *words)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert len(answer.stdout.splitlines()) == 1
    assert all(0.95 <= one["min_cosine"] < 0.99999 for one in result["parity"])
    assert result["mAP"]["torch"] > 0.5  # blocks of colour
    assert result["mAP"]["change"] == result["mAP"]["exported"] - result["mAP"]["torch"]
    assert f"{tmp_path / 'net_int8.xml'}: cosine to the network's features is at least 0.9" in answer.stderr
    assert "mAP 0." in answer.stderr or "mAP 1." in answer.stderr
    unseen = sorted((people / "bounding_box_test").glob("*.jpg"))
    exported, torch = (
        FeatureExtractor(path, device="cpu", precision=precision)(unseen)
        for path, precision in ((result["file"], "int8"), (weights, "float32"))
    )
    assert (exported * torch).sum(axis=1).min() > 0.9
    assert Path(result["file"]).with_suffix(".bin").stat().st_size < weights.stat().st_size / 3.5
    assert not list(tmp_path.glob(".*"))
