from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reid_gl.losses.replicator import SMALLEST_SUPPORT
from reid_gl.losses.replicator_steps import ReplicatorSteps
from tests.reference.slow_group_loss import slow_replicator_step

NUM_ROWS, NUM_CLASSES = 5, 4


def _random(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Similarities, support of anchors and beliefs."""
    beliefs = _random(seed, NUM_ROWS, NUM_CLASSES)
    weights, from_anchors = _random(seed + 1, NUM_ROWS, NUM_ROWS), _random(seed + 2, NUM_ROWS, NUM_CLASSES)
    return weights, from_anchors, beliefs / beliefs.sum(dim=1, keepdim=True)


def _mean_support(weights: Tensor, from_anchors: Tensor, beliefs: Tensor) -> Tensor:
    return (beliefs * (weights @ beliefs + from_anchors)).sum(dim=1, keepdim=True)


def _walked(seed: int, num_steps: int) -> tuple[ReplicatorSteps, Tensor]:
    """Steps, each with the normaliser of the beliefs before it, and the beliefs before the first."""
    weights, from_anchors, beliefs = _case(seed)
    steps, state = ReplicatorSteps(), beliefs
    for _ in range(num_steps):
        steps.append(weights, from_anchors, _mean_support(weights, from_anchors, state))
        state = steps.forth(beliefs, steps.anchored)[0][-1]
    return steps, beliefs


def test_without_anchors_the_states_are_those_of_the_slow_version() -> None:
    for seed in range(5):
        weights, _, beliefs = _case(seed)
        nothing = torch.zeros(NUM_ROWS, NUM_CLASSES, dtype=torch.float64)
        steps, expected = ReplicatorSteps(), beliefs.tolist()
        for step in range(3):
            state = torch.tensor(expected, dtype=torch.float64)
            steps.append(weights, nothing, _mean_support(weights, nothing, state))
            expected = slow_replicator_step(weights.tolist(), expected)
            states, ratios = steps.forth(beliefs, steps.anchored)
            torch.testing.assert_close(states[-1], torch.tensor(expected, dtype=torch.float64))
            torch.testing.assert_close(states[-1], states[-2] * ratios[-1])
            assert len(states) == len(ratios) + 1 == step + 2


def test_rows_stay_on_the_simplex_also_with_anchors_and_in_blocks() -> None:
    steps, beliefs = _walked(0, 3)
    whole = steps.forth(beliefs, steps.anchored)[0][-1]
    torch.testing.assert_close(whole.sum(dim=1), torch.ones(NUM_ROWS, dtype=torch.float64))
    offsets = [anchored[:, 1:3] for anchored in steps.anchored]
    torch.testing.assert_close(steps.forth(beliefs[:, 1:3], offsets)[0][-1], whole[:, 1:3])


def test_without_any_support_a_belief_stays() -> None:
    beliefs, nothing = _case(0)[2], torch.zeros(NUM_ROWS, NUM_ROWS, dtype=torch.float64)
    steps = ReplicatorSteps()
    steps.append(nothing, nothing[:, :NUM_CLASSES], nothing[:, :1])
    assert steps.floors[0].tolist() == [[1.0]] * NUM_ROWS
    assert steps.divisors[0].tolist() == [[SMALLEST_SUPPORT]] * NUM_ROWS
    torch.testing.assert_close(steps.forth(beliefs, steps.floors)[0][-1], beliefs)


def test_a_step_back_is_what_autograd_gives() -> None:
    """A loss whose gradient by log X_1 is `flow`, with normalisation as a price `total` on the row sums."""
    for seed in range(5):
        steps, beliefs = _walked(seed, 1)
        flow, total = _random(seed + 3, NUM_ROWS, NUM_CLASSES), _random(seed + 4, NUM_ROWS, 1)
        states, ratios = steps.forth(beliefs, steps.anchored)

        log_beliefs = beliefs.log().requires_grad_()
        ratio = steps.shares[0] @ log_beliefs.exp() + steps.anchored[0]
        after = log_beliefs.exp() * ratio
        loss = (flow * after.log()).sum() - (total * after).sum()
        by_ratio, by_beliefs = torch.autograd.grad(loss, [ratio, log_beliefs])

        quotient, before = steps.back(0, flow.clone(), states, ratios, total)
        torch.testing.assert_close(quotient, by_ratio)
        torch.testing.assert_close(before, by_beliefs)


@pytest.mark.parametrize("has_anchors", [True, False])
def test_the_last_flow_is_the_gradient_of_the_normalisers(has_anchors: bool) -> None:
    for seed in range(5):
        weights, from_anchors, beliefs = _case(seed)
        from_anchors = from_anchors * has_anchors
        factors = _random(seed + 5, NUM_ROWS, 1)
        steps = ReplicatorSteps()
        steps.append(weights, from_anchors, _mean_support(weights, from_anchors, beliefs))

        log_beliefs = beliefs.log().requires_grad_()
        normalisers = _mean_support(weights, from_anchors, log_beliefs.exp()).log()
        (expected,) = torch.autograd.grad((factors * normalisers).sum(), log_beliefs)
        push = factors * steps.anchored[0] if has_anchors else None
        torch.testing.assert_close(steps.last_flow(beliefs, push, factors), expected)


def test_another_type_is_a_copy() -> None:
    steps, _ = _walked(0, 2)
    narrow = steps.to(torch.float32)
    for name, tensors in vars(steps).items():
        assert [tensor.dtype for tensor in tensors] == [torch.float64] * 2
        assert [tensor.dtype for tensor in vars(narrow)[name]] == [torch.float32] * 2
