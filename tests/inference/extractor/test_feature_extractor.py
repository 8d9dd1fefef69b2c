from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from reid_gl import FeatureExtractor
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference import extract_features
from reid_gl.models import NetSettings, ReidNet, load_net
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.records import Sample
from reid_gl.training.checkpoint import save_checkpoint

SIZE = (64, 32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = ReidNet(NetSettings(backbone="resnet18", num_classes=5))
    with torch.no_grad():
        for _ in range(3):  # statistics of the batch normalisations
            net.train()(torch.randn(8, 3, *SIZE))
    path = tmp_path_factory.mktemp("weights") / "model.ckpt"
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "preprocessing": Preprocessing(*SIZE).to_dict(),
        "pids": list(range(5)),
        "config": "TEST:\n  FEATURE: after_neck\n",
        "model": net.state_dict(),
        "epoch": 1,
        "metrics": {},
    }
    save_checkpoint(checkpoint, path)
    return path


@pytest.fixture(scope="module")
def extractor(weights: Path) -> FeatureExtractor:
    return FeatureExtractor(weights, precision="float32", color_order="bgr")


def _images(num: int, seed: int = 0) -> list[np.ndarray]:
    """BGR images of several sizes."""
    rng = np.random.default_rng(seed)
    sizes = [(64, 32), (100, 40), (31, 17), (200, 90)]
    return [
        cv2.resize(rng.integers(0, 256, (8, 4, 3)).astype(np.uint8), sizes[i % 4][::-1]) for i in range(num)
    ]


def test_rows_are_unit_vectors_of_somebody_elses(extractor: FeatureExtractor) -> None:
    features = extractor(_images(5))
    assert features.shape == (5, extractor.embedding_dim) == (5, 512)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert features.flags.owndata
    assert features.flags.writeable
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    before = features.copy()
    features[0] /= 2
    np.testing.assert_array_equal(extractor(_images(5)), before)


def test_every_way_in_gives_the_feature_of_the_test(
    weights: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    images = _images(4)
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image)
    loaded = load_net(weights)
    samples = [Sample(str(path), 1) for path in paths]
    expected = extract_features(loaded.net, samples, preprocessing=Preprocessing(*SIZE)).embeddings
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    rgb = [image[..., ::-1] for image in images]
    ways: dict[str, Any] = {
        "paths": paths,
        "words": [str(path) for path in paths],
        "arrays": images,
        "PIL": [Image.fromarray(np.ascontiguousarray(image)) for image in rgb],
        "tensors": [torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1) for image in rgb],
        "mixed": [paths[0], images[1], *[Image.fromarray(np.ascontiguousarray(rgb[i])) for i in (2, 3)]],
    }
    for name, images_of_a_kind in ways.items():
        np.testing.assert_allclose(extractor(images_of_a_kind), expected, atol=1e-5, err_msg=name)
    frame = np.zeros((220, 260, 3), np.uint8)
    boxes, left = [], 0
    for image in images:
        height, width = image.shape[:2]
        frame[3 : 3 + height, left : left + width] = image
        boxes.append([left, 3, left + width, 3 + height])
        left += width
    np.testing.assert_allclose(extractor.extract(frame, boxes).features, expected, atol=1e-5)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_file_gives_the_same_feature_by_path_and_by_pil(
    bits: int, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    deep, lying = str(tmp_path / "deep.png"), tmp_path / "lying.png"
    small = np.random.default_rng(0).integers(0, 1 << bits, (8, 4), dtype=np.uint16)
    grey = cv2.resize(small, (64, 128), interpolation=cv2.INTER_NEAREST)
    assert cv2.imwrite(deep, grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.rot90(_images(1)[0][..., ::-1])
    Image.fromarray(np.ascontiguousarray(turned)).save(lying, exif=exif)
    upright = _images(1)[0]
    from_paths = extractor([deep, lying])
    with Image.open(deep) as first, Image.open(lying) as second:
        np.testing.assert_array_equal(extractor([first, second]), from_paths)
    np.testing.assert_array_equal(extractor([(grey >> (bits - 8)).astype(np.uint8), upright]), from_paths)


def test_one_image_is_a_list_of_one(extractor: FeatureExtractor) -> None:
    image = _images(1)[0]
    np.testing.assert_array_equal(extractor(image), extractor([image]))
    stacked = np.stack([image, image[::-1]])
    np.testing.assert_allclose(extractor(stacked), extractor([*stacked]), atol=1e-6)
    tensors = torch.from_numpy(stacked[..., ::-1].copy()).permute(0, 3, 1, 2)
    np.testing.assert_allclose(extractor(tensors), extractor(stacked), atol=1e-6)


def test_nothing_gives_no_rows(extractor: FeatureExtractor) -> None:
    assert extractor([]).shape == (0, 512)
    result = extractor.extract(np.zeros((9, 9, 3), np.uint8), [])
    assert result.features.shape == (0, 512)
    assert result.valid.shape == (0,)


def test_boxes_that_hold_nothing_are_zeros_and_said_so(extractor: FeatureExtractor) -> None:
    frame = cv2.resize(_images(1)[0], (200, 100))
    before = frame.copy()
    boxes = [[10, 10, 50, 90], [10, 10, 10, 90], [300, 10, 350, 90], [np.nan, 1, 2, 3], [-20, -20, 30, 300]]
    features, valid = extractor.extract(frame, boxes)
    assert valid.tolist() == [True, False, False, False, True]
    assert not features[~valid].any()
    np.testing.assert_allclose(features[0], extractor(frame[10:90, 10:50])[0], atol=1e-6)
    np.testing.assert_allclose(features[4], extractor(frame[0:100, 0:30])[0], atol=1e-6)
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_nothing_but_rounding(
    batch_size: int, weights: Path, extractor: FeatureExtractor
) -> None:
    other = FeatureExtractor(weights, precision="float32", color_order="bgr", batch_size=batch_size)
    assert np.abs(other(_images(10)) - extractor(_images(10))).max() < 1e-5


def test_several_threads_share_an_extractor(extractor: FeatureExtractor) -> None:
    sets = [_images(6, seed) for seed in range(8)]
    expected = [extractor(images) for images in sets]
    with ThreadPoolExecutor(4) as pool:
        for result, single in zip(pool.map(extractor, sets), expected, strict=True):
            np.testing.assert_allclose(result, single, atol=1e-5)


def test_the_colour_order_is_asked_for_once(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = _images(3)
    silent = FeatureExtractor(weights, precision="float32")
    with caplog.at_level(logging.WARNING, logger="reid_gl"):
        features = silent(images)
        silent.extract(images[0], [[0, 0, 9, 9]])
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "arrays are taken as BGR, as OpenCV reads them"
    ]
    named = FeatureExtractor(weights, precision="float32", color_order="rgb")
    swapped = [image[..., ::-1] for image in images]
    np.testing.assert_allclose(named(swapped), features, atol=1e-6)
    assert np.abs(named(images) - features).max() > 1e-3


def test_flip_averages_and_normalize_can_be_left_out(weights: Path) -> None:
    images = _images(3)
    settings: dict[str, Any] = {"precision": "float32", "color_order": "bgr", "normalize": False}
    plain = FeatureExtractor(weights, **settings)
    mirrored = plain([image[:, ::-1] for image in [plain.preprocessing.resize(p) for p in images]])
    flipped = FeatureExtractor(weights, flip=True, **settings)(images)
    np.testing.assert_allclose(flipped, (plain(images) + mirrored) / 2, atol=1e-4)
    assert np.abs(np.linalg.norm(flipped, axis=1) - 1).max() > 0.01


def test_images_of_the_inputs_size_are_not_resized_again(extractor: FeatureExtractor) -> None:
    images = [cv2.resize(image, SIZE[::-1]) for image in _images(3)]
    rgb = np.stack([image[..., ::-1] for image in images])
    np.testing.assert_allclose(extractor.embed(rgb), extractor(images), atol=1e-6)
    assert extractor.embed(rgb[:0]).shape == (0, extractor.embedding_dim)


def test_the_black_image(extractor: FeatureExtractor) -> None:
    black = np.zeros((5, 5, 3), np.uint8)
    np.testing.assert_allclose(extractor.embed_black(), extractor(black)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("missing.jpg", FileNotFoundError, "image missing.jpg does not exist"),
        (np.zeros((4, 4, 3), np.float64), TypeError, "image 0 must be an array of uint8"),
        (torch.zeros(3, 4, 4), TypeError, r"image 0: a tensor must be uint8 \(3, H, W\), got torch.float32"),
        ([3], TypeError, "image 0 is a int: expected a path, a uint8 array, a PIL image or a tensor"),
    ],
)
def test_what_is_no_image(
    image: Any, error: type[Exception], message: str, extractor: FeatureExtractor
) -> None:
    with pytest.raises(error, match=message):
        extractor(image)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"color_order": "hsv"}, "unknown color order 'hsv': expected bgr, rgb or None"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"precision": "int8"}, "int8 needs a calibrated export of .*: reid-gl export"),
        ({"mean": (0, 0, 0)}, "is a reid_gl checkpoint and describes its input images itself"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], message: str, weights: Path) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(weights, **changes)


def test_weights_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights .*none.ckpt do not exist"):
        FeatureExtractor(tmp_path / "none.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"not a reid_gl checkpoint.*give the architecture, such as"):
        FeatureExtractor(tmp_path / "other.pth")


def test_a_network_that_gives_no_numbers(weights: Path) -> None:
    class Broken:
        preprocessing, embedding_dim, device = Preprocessing(*SIZE), 4, "cpu"

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return np.full((len(images), 4), np.nan, np.float32)

    with pytest.raises(ValueError, match=r"NaN or infinite features for images \[0, 1\]"):
        FeatureExtractor(Broken(), color_order="bgr")(_images(2))


def test_bfloat16_is_near(weights: Path, extractor: FeatureExtractor) -> None:
    short = FeatureExtractor(weights, precision="bfloat16", color_order="bgr")(_images(8))
    cosines = (short * extractor(_images(8))).sum(axis=1)
    assert cosines.min() > 0.999
