from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from reid_gl.cli.main import main
from reid_gl.gallery import Gallery
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.cli.test_commands import call, command
from tests.inference.extractor.test_stored_thresholds import CALIBRATION
from tests.tiny_checkpoint import coloured_crops, write_checkpoint

TOKEN = "a-token-for-tests-only"


def test_a_process_until_sigterm(tmp_path: Path) -> None:
    """Acknowledged rows are kept, running requests finish, and others may write afterwards."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    from tests.serve.encoded import as_text
    from tests.serve.running_service import Client

    weights = write_checkpoint(tmp_path / "model.ckpt", calibration=asdict(CALIBRATION))
    gallery = tmp_path / "people.db"
    words = [
        "--weights",
        weights,
        "--gallery",
        gallery,
        "--port",
        0,
        "--device",
        "cpu",
        "--precision",
        "float32",
    ]
    process = subprocess.Popen(
        command("serve", *words),
        env={**os.environ, "REID_GL_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        client = Client(int(json.loads(line)["url"].rpartition(":")[2]), TOKEN)
        crops = coloured_crops(3)
        reply = client.post("/features", image=as_text(crops[0]))
        expected = FeatureExtractor(weights, color_order="rgb", device="cpu", precision="float32")(crops)
        np.testing.assert_allclose(reply.json["features"][0], expected[0], atol=1e-6)
        with ThreadPoolExecutor(12) as pool:
            adding = [
                pool.submit(client.post, "/add", image=as_text(crop), sightings=[{"camera": number}])
                for number, crop in enumerate(crops * 4)
            ]
            adding[0].result()  # the others are on their way
            process.send_signal(signal.SIGTERM)
            replies = [reply.result() for reply in adding if reply.exception() is None]
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, errors
    acknowledged = [number for reply in replies if reply.status == 200 for number in reply.json["ids"]]
    assert acknowledged
    with Gallery(gallery) as after:  # the lock is free
        assert after.verify().is_whole
        assert {*acknowledged} <= set(range(1, after.stats().num_rows + 1))
        (found,) = after.search(expected[0], 1)
        assert found[0].score == pytest.approx(1.0, abs=1e-5)
    assert re.search(r"client at 127\.0\.0\.1: POST /add 200 in \d+ ms", errors)
    assert TOKEN not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "clients need a token: write it into a file for --token-file, or into REID_GL_TOKEN"),
        (["--token-file", "none.txt"], "none.txt"),
        (
            ["--token-file", "token.txt", "--max-boxes", "0"],
            "the limit of boxes must be greater than 0, got 0",
        ),
        (["--token-file", "token.txt", "--weights", "none.ckpt"], "none.ckpt"),
        (["--token-file", "token.txt", "--host", "203.0.113.1"], "cannot listen on 203.0.113.1, port 0"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--host" in words or "--weights" in words:
        pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REID_GL_TOKEN", raising=False)
    Path("token.txt").write_text(TOKEN)
    Path("token.txt").chmod(0o600)
    answer = call("serve", "--weights", "model.ckpt", "--gallery", "people.db", "--port", 0, *words)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not Path("people.db").exists()


def test_without_fastapi_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REID_GL_TOKEN", TOKEN)
    for name in ("reid_gl.serve.run", "reid_gl.serve.app", "reid_gl.serve.routes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "--weights", "model.ckpt", "--gallery", "people.db"]) == 1
    error = capsys.readouterr().err
    assert "serve needs FastAPI and uvicorn" in error
    assert "pip install 'reid_gl[serve]'" in error


def test_the_limits_and_their_defaults_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    assert re.search(r"--max-boxes N\s+boxes of an image, or vectors of an addition; default:\s+256", text)
    assert "default: 127.0.0.1" in text
