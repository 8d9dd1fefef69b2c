"""Files of other runtimes, made here of a network that is worked out by hand: the mean of each channel."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from reid_gl.inference.exported import open_openvino as exported_openvino
from reid_gl.inference.exported.exported_network import (
    ExportedNet,
)
from reid_gl.inference.exported.open_exported import ExportedRuntime, load_exported
from reid_gl.inference.exported.open_openvino import openvino_core
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.inference.exported.mean_colour import (
    DESCRIPTION,
    SMALL,
    MeanColour,
    by_hand,
    describe,
    images,
    write,
    write_onnx,
)

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
GIVEN: dict[str, Any] = {
    "input_size": (8, 4),
    "mean": SMALL.mean,
    "std": SMALL.std,
    "pixel_range": 1.0,
    "channel_order": "rgb",
}
KINDS = ("onnx", "openvino", "torchscript")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 5])
def test_features_by_hand(tmp_path: Path, kind: str, count: int) -> None:
    runtime = load_exported(describe(write(tmp_path, kind)), None, device="auto", precision="float32")
    features = runtime(images(count))
    assert np.allclose(features, by_hand(images(count)), atol=1e-5)
    assert features.dtype == np.float32
    assert (runtime.embedding_dim, runtime.preprocessing, runtime.device) == (3, SMALL, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_caller_says_is_enough(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    extractor = FeatureExtractor(path, color_order="rgb", device="cpu", normalize=False, **GIVEN)
    assert extractor.preprocessing == SMALL
    assert np.allclose(extractor(list(images(3))), by_hand(images(3)), atol=1e-2)
    wide = {"mean": [255 * x for x in SMALL.mean], "std": [255 * x for x in SMALL.std], "pixel_range": 255.0}
    again = FeatureExtractor(path, color_order="rgb", device="cpu", normalize=False, **{**GIVEN, **wide})
    assert np.allclose(again(list(images(3))), extractor(list(images(3))), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_guessed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(
        ValueError, match=r"does not say what .*: give input_size, mean, std, pixel_range, channel_order, for"
    ):
        load_exported(write(tmp_path, kind), None, device="cpu", precision="auto")


def test_metadata_says_it_too(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    helper.set_model_props(model, {"reid_gl": json.dumps(DESCRIPTION)})
    onnx.save(model, str(path))
    xml = tmp_path / "net.xml"
    network = openvino.Core().read_model(path)
    network.set_rt_info(json.dumps(DESCRIPTION), "reid_gl")
    openvino.save_model(network, xml)
    script = tmp_path / "net.torchscript"
    traced = torch.jit.trace(MeanColour(), torch.zeros(2, 3, 8, 4))
    torch.jit.save(traced, str(script), _extra_files={"reid_gl.json": json.dumps(DESCRIPTION)})
    for file in (path, xml, script):
        assert load_exported(file, None, device="cpu", precision="auto").preprocessing == SMALL


def test_who_differs_is_named(tmp_path: Path) -> None:
    path = describe(write_onnx(tmp_path / "net.onnx"))
    assert load_exported(path, SMALL, device="cpu", precision="auto", kernel="linear").preprocessing == SMALL
    for other in (replace(SMALL, mean=(0.5, 0.4, 0.4)), replace(SMALL, channel_order="bgr")):
        with pytest.raises(ValueError, match=r"net.onnx.json and the caller differ on the images"):
            load_exported(path, other, device="cpu", precision="auto")
    with pytest.raises(ValueError, match=r"json says kernel 'linear', the caller 'cubic': leave kernel out"):
        load_exported(path, SMALL, device="cpu", precision="auto", kernel="cubic")


@pytest.mark.parametrize("kind", KINDS)
def test_planes_in_the_other_order(tmp_path: Path, kind: str) -> None:
    """The mean of each plane, by hand; mean and deviation stay RGB."""
    path = write(tmp_path, kind)
    expected = by_hand(images(3))[:, ::-1]
    settings = {"color_order": "rgb", "device": "cpu", "normalize": False}
    told = FeatureExtractor(path, **settings, **{**GIVEN, "channel_order": "bgr"})
    assert np.allclose(told(list(images(3))), expected, atol=1e-5)
    describe(path, preprocessing=replace(SMALL, channel_order="bgr").to_dict())
    assert np.allclose(FeatureExtractor(path, **settings)(list(images(3))), expected, atol=1e-5)
    with pytest.raises(ValueError, match="channel_order, of the network's input, must be rgb or bgr, got"):
        FeatureExtractor(path, **{**GIVEN, "channel_order": "BGR"})


def test_a_description_by_hand_says_everything_and_may_leave_the_kernel_to_the_caller(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    facts = {"height": 8, "width": 4, "mean": SMALL.mean, "std": SMALL.std, "channel_order": "bgr"}
    (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": facts}))
    runtime = load_exported(path, None, device="cpu", precision="auto", kernel="antialiased_linear")
    assert runtime.preprocessing == replace(SMALL, channel_order="bgr", kernel="antialiased_linear")
    for left_out in facts:
        rest = {name: value for name, value in facts.items() if name != left_out}
        (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": rest}))
        with pytest.raises(ValueError, match=f"is incomplete: add {left_out}, for example"):
            load_exported(path, None, device="cpu", precision="auto")
    wrong = {**facts, "mean": [123.7, 116.3, 103.5]}
    (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": wrong}))
    with pytest.raises(ValueError, match="do not fit colours in \\[0, 1\\]: divide"):
        load_exported(path, None, device="cpu", precision="auto")


def test_an_older_export_takes_rgb(tmp_path: Path) -> None:
    older = {name: value for name, value in SMALL.to_dict().items() if name != "channel_order"}
    path = describe(write_onnx(tmp_path / "net.onnx"), preprocessing=older)
    assert load_exported(path, None, device="cpu", precision="auto").preprocessing == SMALL


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (123.7, 116.3, 103.5)}, r"are not for pixels in \[0, 1\]: give .*, or pixel_range=255\.0"),
        ({"std": (58.4, 57.1, 57.4)}, r"are not for pixels in \[0, 1\]"),
        ({"mean": (-0.5, 0.4, 0.3)}, r"are not for pixels in \[0, 1\]"),
        ({"mean": (float("nan"), 0.4, 0.3)}, r"are not for pixels in \[0, 1\]"),
        (
            {"pixel_range": 255.0},
            r"are for pixels in \[0, 1\], not in \[0, 255\]: .*, or give pixel_range=1\.0",
        ),
        ({"pixel_range": 255.0, "mean": (300.0, 0.0, 0.0)}, r"are not for pixels in \[0, 255\]"),
        ({"channel_order": None}, r"does not say what .*: give channel_order, for example"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(write_onnx(tmp_path / "net.onnx"), **{**GIVEN, **changes})


def test_a_network_that_takes_pixels_as_they_are(tmp_path: Path) -> None:
    raw = {"mean": (0, 0, 0), "std": (1, 1, 1), "pixel_range": 255.0}
    path = write_onnx(tmp_path / "net.onnx")
    extractor = FeatureExtractor(path, color_order="rgb", normalize=False, **{**GIVEN, **raw})
    assert np.allclose(extractor(list(images(2))), images(2).mean(axis=(1, 2)), atol=1e-3)


def test_a_file_beside_it_may_hold_other_things_only(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.json").write_text('{"calibration": {}}')
    assert load_exported(path, SMALL, device="cpu", precision="auto").preprocessing == SMALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "net.onnx.json is not JSON"),
        ("[]", "does not describe an exported network"),
        ('{"format": "reid_gl/1"}', "expected format 'reid_gl/export/1', found 'reid_gl/1'"),
        (
            '{"preprocessing": {"height": 8}}',
            r"preprocessing in .*net.onnx.json is incomplete: add width, mean, std, channel_order,",
        ),
        (
            '{"format": "reid_gl/export/1", "preprocessing": {"height": 8}}',
            r"is incomplete \(it lacks 'mean'\)",
        ),
    ],
)
def test_broken_descriptions(tmp_path: Path, text: str, message: str) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_exported(path, None, device="cpu", precision="auto")


@pytest.mark.parametrize("count", [1, 4, 6, 9])
def test_a_fixed_batch_is_filled_up_and_cut_again(tmp_path: Path, count: int) -> None:
    path = write_onnx(tmp_path / "net.onnx", (4, 3, 8, 4))
    runtime = load_exported(path, SMALL, device="cpu", precision="auto")
    assert np.allclose(runtime(images(count)), by_hand(images(count)), atol=1e-5)


def test_files_in_half_precision(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", kind=TensorProto.FLOAT16)
    runtime = load_exported(describe(path, precision="fp16"), None, device="cpu", precision="float16")
    features = runtime(images(3))
    assert features.dtype == np.float32
    assert np.allclose(features, by_hand(images(3)), atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("n", 3, 16, 4), r"takes \(any, 3, 16, 4\): expected \(any, 3, 8, 4\)"),
        (("n", 1, 8, 4), r"takes \(any, 1, 8, 4\)"),
        (("n", 4, 8, 3), r"expected \(any, 8, 4, 3\), layout nhwc, and the input_size that was given"),
        (("n", 3, 1, 8, 4), r"takes \(any, 3, 1, 8, 4\)"),
    ],
)
def test_networks_for_other_images(tmp_path: Path, shape: tuple[str | int, ...], message: str) -> None:
    path = write_onnx(tmp_path / "net.onnx", shape)
    with pytest.raises(ValueError, match=message):
        load_exported(path, SMALL, device="cpu", precision="auto")


def test_maps_are_no_features(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", keep=1, axes=(3,))
    with pytest.raises(ValueError, match=r"gives \(2, 3, 8, 1\) for 2 images: expected one feature each"):
        load_exported(path, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("batch", ["n", 1, 2])
@pytest.mark.parametrize(("keep", "squeeze"), [(1, False), (1, True), (0, True)])
def test_maps_of_one_place_and_squeezed_batches(
    tmp_path: Path, keep: int, squeeze: bool, batch: str | int, count: int
) -> None:
    path = write_onnx(tmp_path / "net.onnx", (batch, 3, 8, 4), keep=keep, squeeze=squeeze)
    net = load_exported(path, SMALL, device="cpu", precision="auto")
    assert net.embedding_dim == 3
    np.testing.assert_allclose(net(images(count)), by_hand(images(count)), atol=1e-6)


def test_a_network_that_is_wrong_for_one_image_only_is_noticed_when_opened() -> None:
    def run(normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        return normalized.mean(axis=(2, 3))[:, : len(normalized) + 1]

    net = ExportedNet(run, (None, 3, 8, 4), "", "cpu")
    with pytest.raises(ValueError, match=r"mean gives \(1, 2\) for 1 images: expected one feature each"):
        ExportedRuntime(net, SMALL, "mean")


@pytest.mark.parametrize(
    ("kind", "stored", "wanted", "message"),
    [
        ("onnx", "float32", "bfloat16", "was exported in float32 and cannot compute in 'bfloat16'"),
        ("onnx", "fp16", "float32", "use auto or float16"),
        ("openvino", "float32", "int8", "use auto or bfloat16 or float32, or export it again"),
        ("openvino", "int8", "float32", "was exported in int8"),
        ("torchscript", "float32", "int8", "use auto or float32"),
    ],
)
def test_precisions_a_file_has_not(tmp_path: Path, kind: str, stored: str, wanted: str, message: str) -> None:
    path = describe(write(tmp_path, kind), precision=stored)
    with pytest.raises(ValueError, match=message):
        load_exported(path, None, device="cpu", precision=wanted)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.onnx", "cannot be used as an ONNX file"),
        ("net.xml", "cannot be used as an OpenVINO file"),
        ("net.torchscript", "cannot be used as a TorchScript file"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"<net/>")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        load_exported(tmp_path / name, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_devices_a_runtime_has_not(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="'mps'"):
        load_exported(write(tmp_path, kind), SMALL, device="mps", precision="auto")


@pytest.mark.parametrize(("kind", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    path = write(tmp_path, kind)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(exported_openvino, "openvino_core", openvino_core.__wrapped__)
    with pytest.raises(ImportError, match=rf"{package} is needed here .*: pip install reid_gl\[export\]"):
        load_exported(path, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_runtime(tmp_path: Path, kind: str) -> None:
    runtime = load_exported(write(tmp_path, kind), SMALL, device="cpu", precision="float32")
    counts = [1 + number % 5 for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda count: runtime(images(count)), counts))
    for count, features in zip(counts, found, strict=True):
        assert np.allclose(features, by_hand(images(count)), atol=1e-5)


def write_graph(
    path: Path,
    shape: tuple[str | int, ...],
    *,
    axes: tuple[int, ...],
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("features",),
) -> Path:
    """The mean over some axes of images of any kind; each further output is the double of the one before."""
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], [outputs[0]], keepdims=0),
        *(helper.make_node("Add", [a, a], [b]) for a, b in pairwise(outputs)),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(path))
    return path


def as_openvino(path: Path) -> Path:
    target = path.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(path), target, compress_to_fp16=False)
    return target


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
@pytest.mark.parametrize("batch", ["n", 2])
def test_channels_last(tmp_path: Path, kind: str, batch: str | int) -> None:
    path = write_graph(tmp_path / "net.onnx", (batch, 8, 4, 3), axes=(1, 2))
    path = as_openvino(path) if kind == "openvino" else path
    runtime = load_exported(describe(path), None, device="cpu", precision="float32")
    assert np.allclose(runtime(images(5)), by_hand(images(5)), atol=1e-5)


def test_a_layout_that_the_file_does_not_show_stands_in_its_description(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "net.onnx", ("n", "a", "b", "c"), axes=(1, 2))
    runtime = load_exported(describe(path, layout="nhwc"), None, device="cpu", precision="float32")
    assert np.allclose(runtime(images(3)), by_hand(images(3)), atol=1e-5)
    for layout, message in (
        ("hwc", "unknown layout 'hwc' of .*: expected nchw or nhwc"),
        (3, "says layout 3"),
    ):
        with pytest.raises(ValueError, match=message):
            load_exported(describe(path, layout=layout), None, device="cpu", precision="float32")
    first = write_graph(tmp_path / "first.onnx", ("n", 3, 8, 4), axes=(2, 3))
    with pytest.raises(ValueError, match=r"takes \(any, 3, 8, 4\): expected .* layout nhwc"):
        load_exported(describe(first, layout="nhwc"), None, device="cpu", precision="float32")


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_uint8_takes_pixels_as_they_are(tmp_path: Path, kind: str) -> None:
    path = write_graph(tmp_path / "net.onnx", ("n", 8, 4, 3), axes=(1, 2), kind=TensorProto.UINT8)
    path = as_openvino(path) if kind == "openvino" else path
    raw = {**GIVEN, "mean": (0, 0, 0), "std": (1, 1, 1), "pixel_range": 255.0}
    arguments: dict[str, Any] = {"color_order": "rgb", "device": "cpu", "normalize": False}
    extractor = FeatureExtractor(path, **arguments, **raw)
    crops = np.arange(256 * 96, dtype=np.int64).reshape(256, 8, 4, 3).astype(np.uint8)  # every value
    assert np.allclose(extractor(list(crops)), crops.mean(axis=(1, 2)), atol=1e-3)
    extractor = FeatureExtractor(path, **arguments, **{**raw, "channel_order": "bgr"})
    assert np.allclose(extractor(list(crops)), crops.mean(axis=(1, 2))[:, ::-1], atol=1e-3)
    with pytest.raises(ValueError, match=r"net\.\w+ takes uint8, unchanged pixels, but mean \(0\.5, 0\.4"):
        FeatureExtractor(path, **arguments, **GIVEN)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_an_output_is_chosen_by_name(tmp_path: Path, kind: str) -> None:
    path = write_graph(tmp_path / "net.onnx", ("n", 3, 8, 4), axes=(2, 3), outputs=("map", "embedding"))
    path = describe(as_openvino(path) if kind == "openvino" else path)
    arguments: dict[str, Any] = {"color_order": "rgb", "device": "cpu", "normalize": False}
    arguments["precision"] = "float32"
    with pytest.raises(ValueError, match=r"2 outputs \(map, embedding\): .*; give output_name"):
        FeatureExtractor(path, **arguments)
    with pytest.raises(ValueError, match=r"has no output 'logits': it has map, embedding"):
        FeatureExtractor(path, output_name="logits", **arguments)
    expected = 2 * by_hand(images(2))
    chosen = FeatureExtractor(path, output_name="embedding", **arguments)
    assert np.allclose(chosen(list(images(2))), expected, atol=1e-4)
    described = FeatureExtractor(describe(path, output_name="embedding"), **arguments)
    assert np.allclose(described(list(images(2))), expected, atol=1e-4)
    with pytest.raises(ValueError, match=r"json says output_name 'embedding', the caller 'map'"):
        FeatureExtractor(path, output_name="map", **arguments)


def test_only_exported_files_have_names_of_outputs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outputs of TorchScript files have no names: leave output_name out"):
        FeatureExtractor(write(tmp_path, "torchscript"), output_name="a", **GIVEN)
    (tmp_path / "a.ckpt").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"output_name is for exported files, .*a\.ckpt is opened in torch"):
        FeatureExtractor(tmp_path / "a.ckpt", output_name="a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"preprocessing": {**SMALL.to_dict(), "height": 10**6}},
            r"is invalid: .* at most 4096 each way",
        ),
        (
            {"preprocessing": {**SMALL.to_dict(), "mean": [0.5] * 5}},
            r"is invalid: mean and std need three",
        ),
        ({"precision": ["float32"]}, r"json says precision \['float32'\]: correct it"),
        ({"calibration": [1]}, r"net\.onnx has no calibration that this version reads"),
    ],
)
def test_descriptions_that_nobody_wrote(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(describe(write(tmp_path, "onnx"), **changes), device="cpu")
