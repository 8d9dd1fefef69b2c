from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.random_changes import Changes


def _written(changes: Changes, images: np.ndarray) -> np.ndarray:
    out = np.full_like(images, 77)
    for place, image in enumerate(images):
        changes.write(place, image, out[place])
    return out


def _tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(0, 4), st.integers(1, 30), st.integers(1, 30)),
    pad=st.integers(0, 40),
    color_gain=st.sampled_from([0.0, 0.3]),
    is_channels_last=st.booleans(),
)
def test_a_batch_changes_to_the_same_pixels_as_its_images(
    seed: int, size: tuple[int, int, int], pad: int, color_gain: float, is_channels_last: bool
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    original = images.copy()
    changes = Augmentation(pad=pad, color_gain=color_gain, erase=0.8).draw((seed,), *size)
    given_images = _tensor(images) if is_channels_last else _tensor(images).contiguous()
    batch = changes.apply(given_images)
    written = _written(changes, images)
    assert batch.dtype == torch.uint8
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, _tensor(written))
    assert np.array_equal(images, original)
    assert torch.equal(given_images, _tensor(original))


def test_changes_by_hand() -> None:
    """Mirrored, one down and one left over black, doubled, then one pixel erased."""
    image = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3, 1).repeat(3, axis=3)  # 1 2 3 / 4 5 6
    doubled = np.minimum(2 * np.arange(256), 255).astype(np.uint8)
    changes = Changes(
        flip=np.array([True]),
        shift=np.array([[1, -1]]),
        light=np.stack([doubled, doubled, np.arange(256, dtype=np.uint8)], axis=1)[None],
        erased=np.array([[1, 2, 1, 2]]),
        fill=(7, 8, 9),
    )
    expected = [
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[4, 4, 2], [7, 8, 9], [0, 0, 0]],
    ]
    assert _written(changes, image)[0].tolist() == expected
    assert changes.apply(_tensor(image))[0].permute(1, 2, 0).tolist() == expected


def test_images_that_cannot_be_written_to_and_views_are_fine() -> None:
    """As they come from a cache and from centre crops."""
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    image.flags.writeable = False
    changes = Augmentation(color_gain=0.1).draw((0,), 8, 16, 8)
    views = np.stack([image[2:18, 5:13]] * 8)
    out = np.empty_like(views)
    for place in range(8):
        changes.write(place, image[2:18, 5:13], out[place])
    assert np.array_equal(out, _written(changes, views))
