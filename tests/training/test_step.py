from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from reid_gl.losses import CrossEntropyLoss, GroupLoss, LossTerm, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.step import NonFiniteError, StepSettings, train_step

LABELS = torch.arange(4).repeat_interleave(3)


@pytest.fixture
def net() -> ReidNet:
    torch.manual_seed(0)
    return ReidNet(NetSettings("resnet18", 4)).train()


def images() -> Tensor:
    return torch.randn(12, 3, 64, 32, generator=torch.Generator().manual_seed(1))


def losses() -> WeightedSum:
    return WeightedSum([LossTerm("cross_entropy", CrossEntropyLoss()), LossTerm("group", GroupLoss())])


def step(net: nn.Module, settings: StepSettings, total: WeightedSum | None = None) -> dict[str, float]:
    return train_step(
        net,  # type: ignore[arg-type]
        total or losses(),
        torch.optim.SGD(net.parameters(), lr=0.1),
        images(),
        LABELS,
        settings=settings,
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        generator=torch.Generator().manual_seed(2),
    )


def test_terms_are_named_and_sum_to_the_total(net: ReidNet) -> None:
    values = step(net, StepSettings())
    assert values["total"] == pytest.approx(values["cross_entropy"] + values["group"])
    assert values["gradient_norm"] > 0


@pytest.mark.parametrize("size", [3, 5, 11])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(net: ReidNet, size: int) -> None:
    for layer in net.backbone.modules():  # statistics of a part differ from the whole's: take stored ones
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    parts = copy.deepcopy(net)
    whole_values, part_values = step(net, StepSettings()), step(parts, StepSettings(micro_batch=size))
    assert part_values == pytest.approx(whole_values, rel=1e-4)
    for (name, whole), part in zip(net.named_parameters(), parts.parameters(), strict=True):
        if whole.grad is None:
            assert name == "neck.bias"
            continue
        assert part.grad is not None
        torch.testing.assert_close(
            part.grad, whole.grad, rtol=1e-3, atol=1e-5 * float(whole.grad.abs().max()) + 1e-7
        )


def test_parts_count_their_statistics_once(net: ReidNet) -> None:
    other = copy.deepcopy(net)
    step(net, StepSettings(micro_batch=4))
    with torch.no_grad():
        for part in images().split(4):
            other.pooled(part)
    torch.testing.assert_close(net.backbone.bn1.running_mean, other.backbone.bn1.running_mean)
    assert all(layer.momentum == 0.1 for layer in net.modules() if isinstance(layer, nn.BatchNorm2d))


def test_clipping_limits_the_gradient_and_reports_its_length_before(net: ReidNet) -> None:
    values = step(net, StepSettings(clip_norm=0.01))
    assert values["gradient_norm"] > 0.01
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    assert torch.nn.utils.get_total_norm(gradients) == pytest.approx(0.01, rel=1e-3)


def test_bfloat16_is_near_float32_and_the_losses_stay_float32(net: ReidNet) -> None:
    seen: list[torch.dtype] = []

    class Spy(nn.Module):
        def forward(self, embeddings: Tensor, labels: Tensor, *, logits: Tensor, generator: object) -> Tensor:
            seen.extend([embeddings.dtype, logits.dtype])
            return logits.square().sum()

    half = StepSettings(torch.bfloat16)
    step(copy.deepcopy(net), half, WeightedSum([LossTerm("spy", Spy())]))
    assert seen == [torch.float32, torch.float32]
    exact, rough = step(copy.deepcopy(net), StepSettings()), step(net, half)
    assert rough["total"] == pytest.approx(exact["total"], rel=0.05)


class Broken(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, embeddings: Tensor, labels: Tensor, *, logits: Tensor, generator: object) -> Tensor:
        return embeddings.sum() * self.value


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_term_that_is_not_finite_is_named_and_changes_nothing(
    net: ReidNet, value: float, word: str
) -> None:
    before = copy.deepcopy(dict(net.named_parameters()))
    terms = [LossTerm("cross_entropy", CrossEntropyLoss()), LossTerm("broken", Broken(value))]
    with pytest.raises(NonFiniteError, match=f"loss term 'broken' is -?{word}"):
        step(net, StepSettings(), WeightedSum(terms))
    assert all(torch.equal(before[name], p) for name, p in net.named_parameters())


def test_embeddings_that_are_not_finite_stop_the_step(net: ReidNet) -> None:
    with torch.no_grad():
        net.backbone.conv1.weight[0, 0, 0, 0] = float("nan")
    group = LossTerm("group", GroupLoss())
    with pytest.raises(NonFiniteError, match=r"embeddings are NaN or infinite in \d+ of \d+ rows: 0, 1"):
        step(net, StepSettings(), WeightedSum([group]))


def test_a_gradient_that_is_not_finite_is_named(net: ReidNet) -> None:
    class RootOfZero(nn.Module):
        def forward(self, embeddings: Tensor, labels: Tensor, *, logits: Tensor, generator: object) -> Tensor:
            return (embeddings.sum() * 0.0).sqrt()

    with pytest.raises(NonFiniteError, match="the gradient's norm is nan"):
        step(net, StepSettings(), WeightedSum([LossTerm("root", RootOfZero())]))


def test_a_frozen_backbone_gets_no_gradient(net: ReidNet) -> None:
    net.backbone.eval().requires_grad_(False)
    for settings in (StepSettings(), StepSettings(micro_batch=5)):
        step(net, settings)
        assert all(p.grad is None for p in net.backbone.parameters())
        assert net.classifier.weight.grad is not None


def test_settings_of_a_step_out_of_range() -> None:
    for clip_norm in (-1.0, float("nan")):
        with pytest.raises(
            ValueError, match=rf"SOLVER.CLIP_NORM must be at least 0 .no limit., got {clip_norm}"
        ):
            StepSettings(clip_norm=clip_norm)
    with pytest.raises(ValueError, match=r"SOLVER.MICRO_BATCH must be at least 0"):
        StepSettings(micro_batch=-1)
