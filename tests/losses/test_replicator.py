from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reid_gl.losses import replicator_dynamics
from tests.reference.slow_group_loss import slow_replicator_step

NUM_ROWS, NUM_CLASSES = 8, 5
NOBODY = torch.zeros(NUM_ROWS, dtype=torch.bool)


def _random_case(seed: int, scale: float = 3.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Similarities, logarithms of beliefs, truth, anchors."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(NUM_ROWS, NUM_CLASSES, generator=generator, dtype=torch.float64)
    labels = torch.randint(NUM_CLASSES, (NUM_ROWS,), generator=generator)
    similarities = torch.rand(NUM_ROWS, NUM_ROWS, generator=generator, dtype=torch.float64)
    anchors = torch.rand(NUM_ROWS, generator=generator) < 0.3
    return similarities, F.log_softmax(logits, dim=1), F.one_hot(labels, NUM_CLASSES).double(), anchors


def test_two_rows_by_hand() -> None:
    """Both are supported by (.5, .5) + (.75, .25) = (1.25, .75)."""
    beliefs = torch.tensor([[0.5, 0.5], [0.75, 0.25]], dtype=torch.float64)
    everybody = torch.ones(2, 2, dtype=torch.float64)
    refined = replicator_dynamics(everybody, beliefs.log(), beliefs, NOBODY[:2], 1).exp()
    expected = torch.tensor([[5 / 8, 3 / 8], [5 / 6, 1 / 6]], dtype=torch.float64)
    assert torch.allclose(refined, expected, atol=1e-15)


def test_agrees_with_the_slow_version() -> None:
    for seed in range(8):
        similarities, prior, truth, _ = _random_case(seed)
        expected = prior.exp().tolist()
        for step in range(1, 4):
            expected = slow_replicator_step(similarities.tolist(), expected)
            refined = replicator_dynamics(similarities, prior, truth, NOBODY, step).exp()
            assert torch.allclose(refined, torch.tensor(expected, dtype=torch.float64), atol=1e-14)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    num_steps=st.integers(1, 4),
    scale=st.sampled_from([0.0, 0.1, 10.0, 1000.0]),
)
def test_beliefs_stay_on_the_simplex(seed: int, num_steps: int, scale: float) -> None:
    similarities, prior, truth, anchors = _random_case(seed, scale)
    beliefs = replicator_dynamics(similarities, prior, truth, anchors, num_steps).exp()
    assert beliefs.min() >= 0
    assert torch.allclose(beliefs.sum(dim=1), torch.ones(NUM_ROWS, dtype=torch.float64))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.1, 3.0, 100.0]))
def test_average_consistency_does_not_decrease(seed: int, scale: float) -> None:
    """For symmetric W that is not negative, sum_ij w_ij x_i.x_j never falls (Baum and Eagon)."""
    similarities, prior, truth, _ = _random_case(seed, scale)
    similarities = similarities + similarities.T
    states = [replicator_dynamics(similarities, prior, truth, NOBODY, n).exp() for n in range(6)]
    consistency = [float((state * (similarities @ state)).sum()) for state in states]
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(consistency))
    if scale < 100:  # where beliefs are not one-hot already, it rises
        assert consistency[-1] > consistency[0] + 1e-3


def test_one_hot_rows_are_fixed_points() -> None:
    truth = _random_case(2)[2]
    everybody = torch.ones(NUM_ROWS, NUM_ROWS, dtype=torch.float64)
    assert torch.equal(replicator_dynamics(everybody, truth.log(), truth, NOBODY, 3).exp(), truth)


def test_an_anchor_votes_as_a_one_hot_row_does() -> None:
    similarities, prior, truth, anchors = _random_case(3)
    refined = replicator_dynamics(similarities, prior, truth, anchors, 2)
    literal = torch.where(anchors[:, None], truth.log(), prior)
    expected = replicator_dynamics(similarities, literal, truth, NOBODY, 2)
    assert torch.allclose(refined[~anchors], expected[~anchors])


def test_rows_without_support_keep_their_belief() -> None:
    _, prior, truth, _ = _random_case(4)
    nobody_hears = torch.zeros(NUM_ROWS, NUM_ROWS, dtype=torch.float64)
    assert torch.allclose(replicator_dynamics(nobody_hears, prior, truth, NOBODY, 3), prior, atol=1e-12)
