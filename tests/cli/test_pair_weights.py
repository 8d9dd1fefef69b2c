from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from reid_gl.cli.experiment import split_overrides
from reid_gl.cli.pair_weights import add_arguments
from tests.cli.test_commands import call

TINY = ["SOLVER.IDENTITIES_PER_BATCH", "3", "SOLVER.IMAGES_PER_IDENTITY", "2"]


def understood(*words: str) -> tuple[list[str], list[str], str]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_intermixed_args(words)
    names, swallowed = split_overrides(options.losses)
    return names, [*options.overrides, *swallowed], options.output


@pytest.mark.parametrize(
    "words",
    [
        ["--losses", "triplet", "circle", "--output", "a.png", "SEED", "1", "TEST.FEATURE", "after_neck"],
        ["--output", "a.png", "--losses", "triplet", "circle", "SEED", "1", "TEST.FEATURE", "after_neck"],
        ["SEED", "1", "TEST.FEATURE", "after_neck", "--losses", "triplet", "circle", "--output", "a.png"],
        ["SEED", "1", "--losses", "triplet", "circle", "TEST.FEATURE", "after_neck", "--output", "a.png"],
    ],
)
def test_losses_and_overrides_are_told_apart_in_any_order(words: list[str]) -> None:
    names, overrides, output = understood(*words)
    assert names == ["triplet", "circle"]
    assert {*zip(overrides[::2], overrides[1::2], strict=True)} == {
        ("SEED", "1"),
        ("TEST.FEATURE", "after_neck"),
    }
    assert output == "a.png"


def test_the_tool_prints_numbers_and_says_where_the_image_is(tmp_path: Path) -> None:
    image = tmp_path / "weights.png"
    answer = call("pair_weights", "--output", image, "--losses", "multi_similarity", "triplet", *TINY)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 1
    scores = json.loads(answer.stdout)
    assert list(scores["losses"]) == ["multi_similarity", "triplet"]
    assert (scores["images"], scores["identities"]) == (6, 3)
    assert f"image: {image}" in answer.stderr
    assert image.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--losses", "tripplet"], "unknown loss 'tripplet'; the nearest one is 'triplet'"),
        (["--losses", "triplet", "SOLVR.X", "1"], "SOLVR.X"),
        (["--losses", "SEED", "1"], "no loss to draw"),
    ],
)
def test_a_mistake_ends_in_one_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    answer = call("pair_weights", *words, "--output", tmp_path / "a.png")
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    assert not list(tmp_path.iterdir())
