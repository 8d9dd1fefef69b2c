"""Features for a tracker: images/s compared with torchreid's extractor, and the time per video frame.

    python benchmarks/extraction.py [--no-peers]

Crops are JPEGs in memory. Each side decodes them in its own way: ours with OpenCV, torchreid with PIL. Both
sides use the same random weights, because speed does not depend on them. Times are medians of three runs
after a warm-up run. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import print_header
from PIL import Image
from torch import nn

from reid_gl import FeatureExtractor, Preprocessing, Sample
from reid_gl.data.loading.images import decode_image, read_image
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.crops import as_corners, cut_boxes, resize_crops
from reid_gl.inference.extractor.load_runtime import GivenPreprocessing, load_runtime
from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.training.checkpoint import save_checkpoint

PEOPLE = Path("data/synthetic/bounding_box_train")

NETWORKS = ("resnet50", "osnet_x1_0")
NUM_CROPS = 128
BOXES = (5, 20, 80)
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-peers", action="store_true", help="leave out torchreid")
    options = parser.parse_args()
    print_header("Extraction")
    with tempfile.TemporaryDirectory() as folder:
        weights = {name: save_weights(name, Path(folder)) for name in NETWORKS}
        print(f"{NUM_CROPS} JPEG crops of 160 x 70 pixels in memory to features, network input 256 x 128:\n")
        print("| network | extractor | images/s | ratio to torchreid | smallest cosine to float32 |")
        print("|---|---|---|---|---|", flush=True)
        for name, path in weights.items():
            theirs = compare(name, path, options.no_peers)
            exports(name, Path(folder), theirs)
        print("\nA frame of 1920 x 1080 pixels, resnet50, milliseconds:\n")
        print(
            "| boxes | precision | crop and resize | the same with PIL | network | rest | whole extract() |"
        )
        print("|---|---|---|---|---|---|---|", flush=True)
        for precision in ("float32", "auto"):
            frames(weights["resnet50"], precision)
        latency(weights["resnet50"])


def save_weights(name: str, folder: Path) -> Path:
    """Save a torchreid network with random weights in torchreid's own format."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchreid import reid
    torch.manual_seed(0)
    net = reid.models.build_model(name, num_classes=751, pretrained=False)
    path = folder / f"{name}.pth"
    torch.save({"state_dict": net.state_dict()}, path)
    return path


def synthetic_jpegs() -> list[bytes]:
    rng = np.random.default_rng(0)
    crops = []
    for _ in range(NUM_CROPS):
        image = cv2.resize(rng.integers(0, 256, (16, 7, 3)).astype(np.uint8), (70, 160))
        crops.append(cv2.imencode(".jpg", image)[1].tobytes())
    return crops


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def compare(name: str, path: Path, no_peers: bool) -> float | None:
    jpegs = synthetic_jpegs()
    theirs = None if no_peers else peer_rate(name, path, jpegs)
    if theirs is not None:
        print(f"| {name} | torchreid | {theirs:.1f} | 1.0 | |", flush=True)
    exact = None
    for precision in ("float32", "bfloat16"):
        extractor = FeatureExtractor(path, architecture=name, precision=precision, color_order="rgb")

        def extract(extractor: FeatureExtractor = extractor) -> np.ndarray:
            return extractor([decode_image(jpeg) for jpeg in jpegs])

        features = extract()
        exact = features if exact is None else exact
        rate = NUM_CROPS / seconds(extract)
        ratio = "" if theirs is None else f"{rate / theirs:.1f}"
        cosine = (features * exact).sum(axis=1).min()
        print(f"| {name} | ours, {precision} | {rate:.1f} | {ratio} | {cosine:.5f} |", flush=True)
    return theirs


def exports(name: str, folder: Path, theirs: float | None) -> None:
    """Time our own network exported to OpenVINO; int8 is calibrated on synthetic people."""
    crops = [Sample(str(path), 0) for path in sorted(PEOPLE.glob("*.jpg"))[:320]]
    if not crops:
        print(f"| {name} | OpenVINO: no images in {PEOPLE}, see tools/make_synthetic.py | | | |", flush=True)
        return
    checkpoint = save_checkpoint_of_ours(name, folder, crops[:32])
    exact = FeatureExtractor(checkpoint, precision="float32")([crop.path for crop in crops[:64]])
    for precision in ("bfloat16", "int8"):
        kind = "int8" if precision == "int8" else "float32"
        path = folder / f"{name}_{kind}.xml"
        with redirect_stdout(sys.stderr):
            export_weights(checkpoint, ExportSettings("openvino", kind), out=path, images=crops)
        extractor = FeatureExtractor(path, precision=precision, color_order="rgb")
        cosine = (extractor([crop.path for crop in crops[:64]]) * exact).sum(axis=1).min()
        jpegs = synthetic_jpegs()

        def extract(extractor: FeatureExtractor = extractor, jpegs: list[bytes] = jpegs) -> object:
            return extractor([decode_image(jpeg) for jpeg in jpegs])

        rate = NUM_CROPS / seconds(extract)
        ratio = "" if theirs is None else f"{rate / theirs:.1f}"
        print(f"| {name} | OpenVINO, {precision} | {rate:.1f} | {ratio} | {cosine:.5f} |", flush=True)


def save_checkpoint_of_ours(name: str, folder: Path, crops: list[Sample]) -> Path:
    """Save a checkpoint with random weights and with batch-norm statistics of one batch of people.

    It compares features before the neck: after the neck, random weights would only amplify rounding errors.
    """
    torch.manual_seed(0)
    net = ReidNet(NetSettings(name, 751, last_stride=1 if name.startswith("osnet") else 2)).train()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.momentum = 1.0
    preprocessing = Preprocessing()
    images = np.stack([preprocessing.resize(read_image(crop.path)) for crop in crops])
    with torch.no_grad():
        net(preprocessing.normalize(torch.from_numpy(images).permute(0, 3, 1, 2)))
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "preprocessing": preprocessing.to_dict(),
        "pids": list(range(751)),
        "config": "{DATA: {NAMES: market1501}, TEST: {FEATURE: before_neck}}",
        "model": net.state_dict(),
        "epoch": 0,
        "metrics": {},
    }
    path = folder / f"{name}.ckpt"
    save_checkpoint(checkpoint, path)
    return path


def peer_rate(name: str, path: Path, jpegs: list[bytes]) -> float:
    """Return the images/s of torchreid's extractor, in batches of 64; it would put all into one batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchreid.reid.utils import FeatureExtractor as Peer

        with redirect_stdout(sys.stderr):  # it prints what it loads
            peer = Peer(model_name=name, model_path=str(path), device="cpu", verbose=False)

    def extract() -> None:
        for start in range(0, len(jpegs), 64):
            peer(
                [
                    np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
                    for jpeg in jpegs[start : start + 64]
                ]
            )

    return NUM_CROPS / seconds(extract)


def frames(path: Path, precision: str) -> None:
    runtime = load_runtime(
        path,
        device="auto",
        precision=precision,
        flip=False,
        architecture="resnet50",
        given=GivenPreprocessing(),
    )
    extractor = FeatureExtractor(runtime, color_order="bgr")
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.integers(0, 256, (108, 192, 3)).astype(np.uint8), (1920, 1080))
    for num in BOXES:
        heights = rng.uniform(80, 400, num)
        boxes = np.stack(
            [rng.uniform(0, 1700, num), rng.uniform(0, 600, num), 0.4 * heights, heights], axis=1
        )

        def crop(boxes: np.ndarray = boxes) -> np.ndarray:
            crops = cut_boxes(frame, as_corners(boxes, "tlwh"))
            return resize_crops(crops, extractor.preprocessing, color_order="bgr")

        def crop_by_pil(boxes: np.ndarray = boxes) -> object:
            size = extractor.input_size[::-1]
            crops = [crop for crop in cut_boxes(frame, as_corners(boxes, "tlwh")) if crop is not None]
            return [
                np.asarray(Image.fromarray(c[..., ::-1].copy()).resize(size, Image.Resampling.BILINEAR))
                for c in crops
            ]

        images = crop()

        def network(prepared: np.ndarray = images) -> object:
            return [runtime(prepared[start : start + 64]) for start in range(0, len(prepared), 64)]

        def whole(boxes: np.ndarray = boxes) -> object:
            return extractor.extract(frame, boxes, "tlwh")

        cut, pil, forward, total = (1000 * seconds(call) for call in (crop, crop_by_pil, network, whole))
        rest = total - cut - forward
        times = f"{cut:.2f} | {pil:.2f} | {forward:.1f} | {rest:.1f} | {total:.1f}"
        print(f"| {num} | {precision} | {times} |", flush=True)


def latency(path: Path) -> None:
    crop = decode_image(synthetic_jpegs()[0])
    for precision in ("float32", "auto"):
        extractor = FeatureExtractor(path, architecture="resnet50", precision=precision, color_order="rgb")
        taken = seconds(lambda extractor=extractor: extractor(crop), 20)
        print(f"\nOne crop, resnet50, {precision}: {1000 * taken:.1f} ms.")


if __name__ == "__main__":
    main()
