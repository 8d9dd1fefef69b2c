from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reid_gl.inference.exported.exported_network import (
    EXPORT_FORMAT,
    FACTS,
    import_optional,
    only_name,
    parse_description,
    preprocessing_of,
    read_sidecar,
    reason_of,
    sidecar_of,
)
from tests.inference.exported.mean_colour import (
    DESCRIPTION,
    SMALL,
    describe,
)


@pytest.mark.parametrize("text", ["[" * 100_000, "{" + " " * 10_000_001 + "}"])
def test_a_description_of_nested_brackets_or_without_an_end(text: str, tmp_path: Path) -> None:
    (tmp_path / "net.onnx.json").write_text(text)
    with pytest.raises(ValueError, match=r"net.onnx.json is not JSON \(.*\): remove it, or export"):
        read_sidecar(tmp_path / "net.onnx")


def test_the_file_beside_a_network(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert sidecar_of(path) == tmp_path / "net.onnx.json"
    assert read_sidecar(path) == {}
    describe(path, flip=True)
    assert read_sidecar(path) == {**json.loads(json.dumps(DESCRIPTION)), "flip": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"^a is not JSON \("),
        (b"\xff", r"^a is not JSON \("),
        ("3", "a does not describe an exported network: expected format 'reid_gl/export/1', found 3"),
        ('{"format": "reid_gl/1"}', "expected format 'reid_gl/export/1', found 'reid_gl/1'"),
    ],
)
def test_texts_that_describe_nothing(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_description(text, "a")


def test_a_description_by_hand_needs_no_format_but_all_facts() -> None:
    facts = {"height": 8, "width": 4, "mean": SMALL.mean, "std": SMALL.std, "channel_order": "rgb"}
    assert preprocessing_of({"preprocessing": facts}, "a") == SMALL
    for name in FACTS:
        rest = {key: value for key, value in facts.items() if key != name}
        with pytest.raises(ValueError, match=f"in a is incomplete: add {name}, for example"):
            preprocessing_of({"preprocessing": rest}, "a")
    older = {"format": EXPORT_FORMAT, "preprocessing": {**facts, "channel_order": "rgb"}}
    del older["preprocessing"]["channel_order"]
    assert preprocessing_of(older, "a") == SMALL
    with pytest.raises(ValueError, match=r"in a is incomplete \(it lacks 'mean'\): export again"):
        preprocessing_of({"format": EXPORT_FORMAT, "preprocessing": {"height": 8}}, "a")


def test_one_input_or_the_one_called_features() -> None:
    assert only_name(["x"], "input", Path("a")) == "x"
    assert only_name(["x", "features"], "output", Path("a")) == "features"
    with pytest.raises(ValueError, match=r"a has 2 outputs \(x, y\): expected one, or one called 'features'"):
        only_name(["x", "y"], "output", Path("a"))


def test_a_package_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert import_optional("json") is json
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"openvino is needed here .*: pip install reid_gl\[export\]"):
        import_optional("openvino")


def test_the_reason_of_a_runtime_is_its_last_line() -> None:
    openvino = (
        "Exception from src/core.cpp:84:\nException from src/reader.cpp:148:\nUnable to read the model\n\n"
    )
    assert reason_of(RuntimeError(openvino)) == "Unable to read the model"
    onnx = (
        "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from a.onnx failed:Protobuf parsing failed."
    )
    assert reason_of(RuntimeError(onnx)) == "Load model from a.onnx failed:Protobuf parsing failed."
    assert reason_of(RuntimeError("")) == "RuntimeError"
