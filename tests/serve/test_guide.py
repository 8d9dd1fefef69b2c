"""What docs/serving.md shows must run: its curl commands are given to a service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import cv2
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from reid_gl.data.loading.images import MAX_PIXELS
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.guard import PATHS
from reid_gl.serve.limits import Limits
from reid_gl.serve.request_body import MOST_LISTS
from reid_gl.serve.run import CONNECTIONS_PER_REQUEST
from reid_gl.serve.schemas import MOST_RULES, MOST_VALUES
from reid_gl.serve.service import MOST_DECODERS
from tests.serve.running_service import TOKEN, running
from tests.tiny_checkpoint import coloured_crops

GUIDE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
TOKENS, CALLS = re.findall(r"^```sh\n(.*?)```", GUIDE, flags=re.S | re.M)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_calls_answer_what_the_page_says(
    extractor: FeatureExtractor, gallery: Path, tmp_path: Path
) -> None:
    (frame,) = coloured_crops(1, size=(200, 160))
    assert cv2.imwrite(str(tmp_path / "frame.jpg"), frame)
    assert cv2.imwrite(str(tmp_path / "person.jpg"), frame[10:160, 40:90])

    def shell(text: str) -> str:
        done = subprocess.run(["sh", "-ec", text], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    shell(TOKENS.replace("python -c 'import secrets; print(secrets.token_urlsafe(32))'", f"echo {TOKEN}"))
    assert (tmp_path / "header.txt").read_text() == f"Authorization: Bearer {TOKEN}"
    assert (tmp_path / "token.txt").stat().st_mode & 0o077 == 0
    with running(extractor, gallery) as client:
        calls = CALLS.replace(":8000", f":{client.port}")
        *posts, gets = calls.split("\n\n")
        answers = [shell(call) for call in (*posts, *gets.splitlines())]
    features, added, found, health, metrics, openapi = answers
    assert json.loads(features)["valid"] == [True, True]
    assert json.loads(added) == {"ids": [1, 2]}
    (match,) = json.loads(found)["matches"]
    assert (match["id"], match["path"], match["box"]) == (1, "3/frame.jpg", [40, 10, 90, 160])
    assert match["score"] > 0.99
    assert json.loads(health) == {"status": "ok"}
    assert "reid_gl_requests_total" in metrics
    assert set(json.loads(openapi)["paths"]) <= set(PATHS)


def test_the_tables_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `--max-(\w+)` \| ([\d,]+)", GUIDE, flags=re.M))
    assert rows == {field.name: f"{field.default:,.0f}" for field in fields(Limits)}
    assert set(re.findall(r"`(?:GET|POST) (/[\w.]+)`", GUIDE)) == set(PATHS)
    assert f"more than {MAX_PIXELS:,} pixels" in GUIDE
    assert MOST_DECODERS == 4
    assert f"a body {MOST_LISTS:,} lists" in GUIDE
    assert f"at most {MOST_VALUES:,} values per field and {MOST_RULES} rules" in GUIDE
    assert f"with {CONNECTIONS_PER_REQUEST * Limits().requests} open ones" in GUIDE
