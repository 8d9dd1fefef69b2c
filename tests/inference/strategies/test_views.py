from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.strategies.views import AveragedViews, BothSides, enlarged, five_crops
from tests.inference.strategies.test_pooling_statistics import make_net
from tests.reference.slow_inference import slow_mean

SIZE = Preprocessing(height=4, width=2)


class _TopLeft(nn.Module):
    """(N, 3): the first pixel."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, 0, 0]


def images(height: int = 4, width: int = 2) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_five_crops_by_hand() -> None:
    image = torch.arange(12.0).reshape(1, 1, 4, 3)
    crops = [crop[0, 0].tolist() for crop in five_crops(image, height=2, width=1)]
    assert crops == [[[0], [3]], [[2], [5]], [[6], [9]], [[8], [11]], [[4], [7]]]


def test_images_for_crops_are_an_eighth_larger_than_crops() -> None:
    larger = enlarged(Preprocessing(height=224, width=112, kernel="area"))
    assert (larger.height, larger.width, larger.kernel) == (256, 128, "area")
    assert larger.shorter_side == 0


@pytest.mark.parametrize(("shorter_side", "expected"), [(224, 256), (255, 256), (256, 256), (300, 300)])
def test_images_for_crops_are_cut_out_of_no_smaller_ones(shorter_side: int, expected: int) -> None:
    larger = enlarged(Preprocessing(height=224, width=224, shorter_side=shorter_side))
    assert (larger.height, larger.width, larger.shorter_side) == (256, 256, expected)


@pytest.mark.parametrize(("num_crops", "flip"), [(1, True), (5, False), (5, True)])
def test_features_are_averaged_over_views(num_crops: int, flip: bool) -> None:
    given = images(5, 3) if num_crops == 5 else images()
    views = AveragedViews(_TopLeft(), SIZE, num_crops=num_crops, flip=flip)
    sides = [given, torch.flip(given, dims=(3,))] if flip else [given]
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0)] if num_crops == 5 else [(0, 0)]
    for number, row in enumerate(views(given)):
        seen = [side[number, :, top, left].tolist() for side in sides for top, left in places]
        assert row.tolist() == pytest.approx(slow_mean(seen), abs=1e-6)


def test_one_view_is_the_network_itself() -> None:
    net = make_net()
    given = images(32, 16).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        output, plain = AveragedViews(net, SIZE)(given), net(given)
    assert all(torch.equal(*pair) for pair in zip(output, plain, strict=True))


def test_every_field_of_an_output_is_averaged() -> None:
    """The neck is a line in evaluation: the mean after it is what it makes of the mean before it."""
    net, given = make_net(), images(32, 16)
    with torch.inference_mode():
        output = AveragedViews(net, SIZE, flip=True)(given)
        mirrored = AveragedViews(net, SIZE, flip=True)(given.flip(3))
        assert torch.allclose(output.after_neck, net.neck(output.before_neck), atol=1e-6)
        assert torch.allclose(output.before_neck, mirrored.before_neck, atol=1e-6)
        assert not torch.allclose(output.before_neck, net(given).before_neck, atol=1e-4)


def test_both_sides_are_kept_apart() -> None:
    given = images()
    both = BothSides(_TopLeft())(given)
    assert torch.equal(both[:, 0], given[:, :, 0, 0])
    assert torch.equal(both[:, 1], given[:, :, 0, 1])
