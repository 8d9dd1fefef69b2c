"""The bounded computation against the plain one: replicator_dynamics and autograd."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reid_gl.losses.refinement import refined_cross_entropy
from reid_gl.losses.replicator import replicator_dynamics

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


class Case(NamedTuple):
    similarities: Tensor
    logits: Tensor
    labels: Tensor
    anchors: Tensor


def _random_case(seed: int, num_rows: int = 10, num_classes: int = 37, share: float = 0.3) -> Case:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(num_rows, num_rows, generator=generator, dtype=torch.float64)
    return Case(
        (uniform - 0.3).relu(),
        3 * torch.randn(num_rows, num_classes, generator=generator, dtype=torch.float64),
        torch.randint(num_classes, (num_rows,), generator=generator),
        torch.rand(num_rows, generator=generator) < share,
    )


def _plain(case: Case, *, num_steps: int, temperature: float) -> Tensor:
    prior = F.log_softmax(case.logits / temperature, dim=1)
    truth = F.one_hot(case.labels, case.logits.shape[1]).to(case.logits.dtype)
    beliefs = replicator_dynamics(case.similarities, prior, truth, case.anchors, num_steps)
    return F.nll_loss(beliefs, case.labels, reduction="none")[~case.anchors]


def _bounded(case: Case, *, num_steps: int, temperature: float, block_numbers: int | None = None) -> Tensor:
    similarities, logits, labels, anchors = case
    return refined_cross_entropy(
        similarities,
        logits,
        labels,
        anchors,
        num_steps=num_steps,
        temperature=temperature,
        block_numbers=block_numbers,
    )


def _live(case: Case, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Case:
    return Case(
        case.similarities.to(device, dtype).clone().requires_grad_(),
        case.logits.to(device, dtype).clone().requires_grad_(),
        case.labels.to(device),
        case.anchors.to(device),
    )


def _gradients(losses: Tensor, case: Case, seed: int = 0) -> list[Tensor]:
    """Of a random combination of the rows' losses."""
    factors = torch.randn(len(losses), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    total = (losses * factors.to(losses)).sum()
    return list(torch.autograd.grad(total, [case.similarities, case.logits]))


@pytest.mark.parametrize("block_numbers", [1, 60, None])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 5])
def test_losses_and_gradients_are_those_of_the_plain_version(
    num_steps: int, share: float, block_numbers: int | None
) -> None:
    for seed in range(3):
        case = _live(_random_case(seed, share=share))
        expected = _plain(case, num_steps=num_steps, temperature=2.0)
        losses = _bounded(case, num_steps=num_steps, temperature=2.0, block_numbers=block_numbers)
        assert torch.allclose(losses, expected, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(_gradients(losses, case), _gradients(expected, case), strict=True):
            assert (ours - theirs).abs().max() <= 1e-11 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("device", DEVICES)
def test_float32_is_as_exact_as_promised_with_many_classes(device: str) -> None:
    """Loss to 1e-6 relative, gradients to 1e-5 of their maximum, of the plain version in float64."""
    for seed in range(3):
        case = _random_case(seed, num_rows=64, num_classes=20_000)
        exact, live = _live(case), _live(case, torch.float32, device)
        expected = _plain(exact, num_steps=3, temperature=5.0)
        losses = _bounded(live, num_steps=3, temperature=5.0)
        assert losses.dtype == torch.float32
        assert losses.mean().item() == pytest.approx(expected.mean().item(), rel=1e-6)
        for ours, theirs in zip(_gradients(losses, live), _gradients(expected, exact), strict=True):
            assert (ours.cpu().double() - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("num_steps", [1, 3])
@pytest.mark.parametrize("margin", [10.0, 60.0, 110.0, 1000.0])
def test_float32_is_exact_where_the_images_are_well_known(margin: float, num_steps: int) -> None:
    """Losses down to 1e-6, and 0: differences of large numbers, were it not for float64 where it counts."""
    case = _random_case(0, num_rows=24, num_classes=200)
    logits = case.logits.scatter_add(1, case.labels[:, None], torch.full((24, 1), margin).double())
    case = case._replace(logits=logits.float().double(), similarities=case.similarities.float().double())
    exact, live = _live(case), _live(case, torch.float32)
    expected = _plain(exact, num_steps=num_steps, temperature=10.0)
    losses = _bounded(live, num_steps=num_steps, temperature=10.0)
    assert losses.min() >= 0
    assert losses.mean().item() == pytest.approx(expected.mean().item(), rel=2e-6, abs=1e-15)
    for ours, theirs in zip(_gradients(losses, live), _gradients(expected, exact), strict=True):
        assert (ours.double() - theirs).abs().max() <= 1e-5 * theirs.abs().max() + 1e-15


@pytest.mark.parametrize("temperature", [0.3, 3.0, 70.0])
@pytest.mark.parametrize("scale", [1e6, 1e12, 1e30])
def test_logits_of_any_finite_size_are_finite(scale: float, temperature: float) -> None:
    case = _random_case(6)
    live = _live(case._replace(logits=scale * case.logits), torch.float32)
    losses = _bounded(live, num_steps=2, temperature=temperature)
    assert torch.isfinite(losses).all()
    assert all(torch.isfinite(gradient).all() for gradient in _gradients(losses, live))


def test_labels_outside_the_logits() -> None:
    case = _random_case(7)
    for label in (-1, 37):
        labels = case.labels.clone().index_fill_(0, torch.tensor([0]), label)
        with pytest.raises(ValueError, match=r"labels must lie in \[0, 37\) like the columns of logits"):
            _bounded(case._replace(labels=labels), num_steps=1, temperature=1.0)


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_gradcheck(num_steps: int) -> None:
    case = _random_case(1, num_rows=5, num_classes=7)

    def losses(similarities: Tensor, logits: Tensor) -> Tensor:
        live = case._replace(similarities=similarities, logits=logits)
        return _bounded(live, num_steps=num_steps, temperature=2.0, block_numbers=12)

    # inside the range of similarities: at zero only one side counts
    similarities = (case.similarities + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(losses, (similarities, case.logits.requires_grad_()))


@pytest.mark.parametrize("num_steps", [1, 2])
def test_without_support_the_belief_stays(num_steps: int) -> None:
    case = _live(_random_case(2)._replace(similarities=torch.zeros(10, 10, dtype=torch.float64)))
    losses = _bounded(case, num_steps=num_steps, temperature=2.0, block_numbers=60)
    expected = F.cross_entropy(case.logits / 2.0, case.labels, reduction="none")[~case.anchors]
    assert torch.allclose(losses, expected, atol=1e-12)
    by_logits = torch.autograd.grad(losses.sum(), case.logits)[0]
    assert torch.allclose(by_logits, torch.autograd.grad(expected.sum(), case.logits)[0], atol=1e-12)


@pytest.mark.parametrize("num_steps", [1, 3])
def test_only_anchors(num_steps: int) -> None:
    case = _live(_random_case(3, share=2.0))
    losses = _bounded(case, num_steps=num_steps, temperature=2.0)
    assert losses.shape == (0,)
    assert all(gradient.abs().max() == 0 for gradient in torch.autograd.grad(losses.sum(), case[:2]))


def test_one_class() -> None:
    case = _random_case(4, num_classes=1)
    live = _live(case)
    losses = _bounded(live, num_steps=2, temperature=2.0)
    assert losses.abs().max() < 1e-12
    assert all(gradient.abs().max() < 1e-12 for gradient in torch.autograd.grad(losses.sum(), live[:2]))


def test_half_precision_logits_keep_their_dtype_in_the_gradient() -> None:
    case = _random_case(5)
    live = _live(case, torch.float32)
    half = case.logits.bfloat16().requires_grad_()
    losses = _bounded(live._replace(logits=half), num_steps=2, temperature=2.0)
    expected = _bounded(live._replace(logits=half.detach().float()), num_steps=2, temperature=2.0)
    assert torch.equal(losses, expected)
    assert torch.autograd.grad(losses.sum(), half)[0].dtype == torch.bfloat16


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.0, 1.0, 10.0, 100.0, 1e4, 1e8]),
    num_steps=st.integers(1, 5),
    zeros=st.sampled_from([0.0, 0.5, 0.9]),
)
def test_whatever_the_beliefs_everything_is_finite(
    seed: int, scale: float, num_steps: int, zeros: float
) -> None:
    case = _random_case(seed)
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(10, 10, generator=generator) >= zeros
    case = _live(case._replace(logits=scale * case.logits, similarities=case.similarities * kept))
    case = _live(case, torch.float32)
    losses = _bounded(case, num_steps=num_steps, temperature=1.0, block_numbers=60)
    assert torch.isfinite(losses).all()
    similarities = case.similarities
    by_similarities, by_logits = _gradients(losses, case)
    assert torch.isfinite(by_similarities).all()
    assert torch.isfinite(by_logits).all()
    # the share of a similarity in its row bounds its pull, so no weight above zero can explode
    assert (similarities * by_similarities).abs().max() < 1e3 * 2**num_steps


MEMORY = """
import resource, torch
from reid_gl.losses.refinement import refined_cross_entropy
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
N, C = 64, 60_000
logits = torch.randn(N, C).requires_grad_()
labels = torch.arange(16).repeat_interleave(4)
anchors = torch.arange(N) % 4 == 0
weights = torch.rand(N, N).requires_grad_()
def run(classes, steps):
    part = logits[:, :classes]
    refined_cross_entropy(weights, part, labels, anchors, num_steps=steps, temperature=2.0).sum().backward()
run(1000, 3)
before = peak()
run(C, 1); one = peak()
run(C, 6); six = peak()
print(one - before, six - one, logits.numel() * 4 / 2**20)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_steps() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    first, more, matrix = (float(word) for word in done.stdout.split())
    assert first < 5 * matrix  # the gradient, its sum into .grad, and blocks
    assert more < 0.5 * matrix
