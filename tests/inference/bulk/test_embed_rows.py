from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8, read_image
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.embed_rows import RowReader, embed_rows
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.tracking.coloured_people import ColourRuntime


@pytest.fixture
def paths(write_noise: WriteNoise) -> tuple[str, ...]:
    return tuple(str(write_noise(f"{seed}.jpg", seed=seed, size=(30, 20))) for seed in range(3))


def test_skipped_rows_have_a_reason_and_boxes_outside_have_none(
    paths: tuple[str, ...], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [90, 90, 99, 99], [np.nan] * 4])
    crops = CropList("four", (paths[0], str(broken), paths[1], paths[2]), boxes=boxes)
    done: list[int] = []
    extractor = FeatureExtractor(ColourRuntime(), color_order="rgb")
    arrays = embed_rows(extractor, RowReader(crops, skip=True), range(1, 4), 2, done.append)
    features, valid, reasons = arrays
    assert valid.tolist() == [False, False, True]
    assert reasons[0].startswith(f"{broken} is not an image")
    assert reasons[1:].tolist() == ["", ""]
    assert np.array_equal(features[2], extractor([read_image(paths[2])])[0])
    assert not features[:2].any()
    assert done == [2, 1]
    with pytest.raises(ValueError, match="is not an image"):
        embed_rows(extractor, RowReader(crops, skip=False), range(1, 4), 2)


def test_an_image_of_many_rows_is_read_once(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def count(path: str) -> Image8:
        read.append(path)
        return read_image(path)

    monkeypatch.setattr("reid_gl.inference.bulk.embed_rows.read_image", count)
    crops = CropList("four", (*paths[:1] * 3, paths[1]), boxes=np.array([[0, 0, 5, 5]] * 4, float))
    embed_rows(FeatureExtractor(ColourRuntime()), RowReader(crops, skip=False), range(4), 2)
    assert read == [paths[0], paths[1]]
