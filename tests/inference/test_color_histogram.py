from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.inference.color_histogram import color_histogram, extract_color_histograms
from reid_gl.records import Sample


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 24, 3), dtype=np.uint8)


def _plain(*colours: tuple[int, int, int]) -> np.ndarray:
    """Equal stripes of plain colours, top to bottom."""
    return np.concatenate([np.full((12, 24, 3), colour, np.uint8) for colour in colours])


@pytest.mark.parametrize("stripes", [1, 5, 6, 48])
@pytest.mark.parametrize("bins", [(8, 8, 4), (1, 1, 1), (16, 4, 2)])
def test_shape_norm_and_sign(bins: tuple[int, int, int], stripes: int) -> None:
    row = color_histogram(_noise(0), bins=bins, stripes=stripes)
    assert row.shape == (stripes * np.prod(bins),)
    assert row.dtype == np.float32
    assert row.min() >= 0
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)


def test_a_plain_image_fills_one_cell_per_stripe() -> None:
    row = color_histogram(_plain((255, 0, 0)), bins=(8, 8, 4), stripes=3).reshape(3, 8, 8, 4)
    assert row[:, 0, 7, 3] == pytest.approx(np.full(3, 3**-0.5))
    assert np.count_nonzero(row) == 3


def test_the_product_counts_the_stripes_that_agree() -> None:
    one = color_histogram(_plain((255, 0, 0), (0, 0, 255)), stripes=2)
    other = color_histogram(_plain((255, 0, 0), (0, 255, 0)), stripes=2)
    assert one @ other == pytest.approx(0.5)


def test_the_middle_columns_count_most() -> None:
    image = _plain((255, 0, 0))
    image[:, 8:16] = (0, 0, 255)
    row = color_histogram(image, stripes=1)
    assert row @ color_histogram(_plain((0, 0, 255)), stripes=1) > row @ color_histogram(
        _plain((255, 0, 0)), stripes=1
    )


def test_mirroring_changes_nothing() -> None:
    image = _noise(1)
    assert np.allclose(color_histogram(image), color_histogram(image[:, ::-1].copy()))


def test_features_keep_order_and_identities(tmp_path: Path) -> None:
    samples = []
    for number, image in enumerate((_noise(0), _noise(1), _noise(0))):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        samples.append(Sample(str(path), pid=number + 3, camid=number))
    features = extract_color_histograms(samples)
    assert features.embeddings.dtype == np.float32
    assert np.array_equal(features.embeddings[0], features.embeddings[2])
    assert not np.array_equal(features.embeddings[0], features.embeddings[1])
    assert np.array_equal(features.embeddings[0], color_histogram(_noise(0)))
    assert features.pids.tolist() == [3, 4, 5]
    assert features.camids.tolist() == [0, 1, 2]
    assert features.paths == tuple(sample.path for sample in samples)


def test_two_people_cut_from_one_frame_differ(tmp_path: Path) -> None:
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[:, :20], frame[:, 40:] = (250, 5, 5), (5, 250, 5)
    path = str(tmp_path / "frame.png")
    assert cv2.imwrite(path, frame)
    boxes = [(0, 0, 20, 40), (40, 0, 60, 40)]
    rows = extract_color_histograms([Sample(path, 1, box=box) for box in boxes]).embeddings
    crops = [frame[y1:y2, x1:x2, ::-1] for x1, y1, x2, y2 in boxes]
    np.testing.assert_array_equal(rows, [color_histogram(np.ascontiguousarray(crop)) for crop in crops])
    assert rows[0] @ rows[1] == 0


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        extract_color_histograms([])


@pytest.mark.parametrize("wrong", [{"stripes": 0}, {"stripes": 49}, {"bins": (8, 0, 4)}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"stripes|bins"):
        color_histogram(_noise(0), **wrong)  # type: ignore[arg-type]


def test_grey_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        color_histogram(np.zeros((48, 24), np.uint8))
