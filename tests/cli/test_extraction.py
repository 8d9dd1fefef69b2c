from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from reid_gl.cli.extraction import Extraction, add_extraction_arguments, read_extraction
from reid_gl.inference.extractor import find_weights as finding
from reid_gl.models.packaged import PACKAGED_FILE
from tests.tiny_checkpoint import write_checkpoint


def read(*words: str | Path, flip: bool = False) -> Extraction:
    parser = argparse.ArgumentParser()
    add_extraction_arguments(parser)
    return read_extraction(parser.parse_args([str(word) for word in words]), flip=flip)


def test_what_the_features_depend_on_is_known_before_the_weights_are_opened(tmp_path: Path) -> None:
    weights = tmp_path / "model.ckpt"
    weights.write_bytes(b"no checkpoint")
    words = ("--weights", weights, "--device", "cpu", "--batch-size", 3)
    plain = read(*words)
    assert plain.weights == weights
    assert {
        "weights": "model.ckpt",
        "bytes": 13,
        "flip": False,
        "kernel": None,
    }.items() <= plain.identity.items()
    assert plain.identity["changed"] == weights.stat().st_mtime_ns
    assert read(*words, flip=True).identity != plain.identity
    assert read(*words, "--kernel", "area").identity != plain.identity
    weights.write_bytes(b"another one")
    assert read(*words).identity != plain.identity
    with pytest.raises(ValueError, match=r"model\.ckpt"):
        plain.make_extractor()


def test_the_extractor_is_made_with_the_arguments(tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "model.ckpt")
    extractor = read("--weights", weights, "--device", "cpu", flip=True).make_extractor()
    assert extractor.embedding_dim == 512


def test_without_weights_the_network_of_the_package_is_used(caplog: pytest.LogCaptureFixture) -> None:
    finding._say_what_it_was_trained_on.cache_clear()  # it is said once for each process
    assert read("--device", "cpu").weights == PACKAGED_FILE
    assert "rendered people" in caplog.text


def test_weights_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights /dev/zero is not a file but a device"):
        read("--weights", "/dev/zero")
    with pytest.raises(FileNotFoundError, match=r"weights .*none\.ckpt do not exist"):
        read("--weights", tmp_path / "none.ckpt")
