"""The makers: each against its paper by loops, against the raw library, and on degenerate batches."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.miners import BatchHardMiner
from torch import Tensor

from reid_gl.losses import metric_learning as makers
from reid_gl.losses.peer_loss import PeerLoss
from reid_gl.similarity import cosine_similarity
from tests.losses.peer_cases import CASES, LEARNED, NUM_CLASSES, PAIRS, gradients, random_batch, vectors
from tests.reference import slow_peer_losses as slow

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


def raw_value(name: str, ours: PeerLoss, rows: Tensor, labels: Tensor) -> Tensor:
    """The library called as its users call it."""
    raw = CASES[name].raw().to(rows.device, rows.dtype)
    raw.load_state_dict({key.removeprefix("loss."): value for key, value in ours.state_dict().items()})
    indices = BatchHardMiner(distance=raw.distance)(rows, labels) if "triplet" in name else None
    value: Tensor = raw(rows, labels, indices)
    return value


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_slow_version(name: str) -> None:
    for seed in range(8):
        case, (rows, labels) = CASES[name], random_batch(seed)
        loss = case.build()
        learned = (vectors(loss).tolist(),) if case.learns else ()
        settings = case.settings if case.slow_settings is None else case.slow_settings
        expected = case.slow(rows.tolist(), labels.tolist(), *learned, **settings)
        assert expected > 0
        assert loss(rows, labels).item() == pytest.approx(expected, abs=1e-10, rel=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_library(name: str, dtype: torch.dtype, tolerance: float, device: str) -> None:
    for seed in range(5):
        loss = CASES[name].build(dtype).to(device)
        rows, labels = (tensor.to(device) for tensor in random_batch(seed, dtype=dtype, num_rows=20))
        value, (gradient, *_) = gradients(loss, rows, labels)
        rows.requires_grad_()
        expected = raw_value(name, loss, rows, labels)
        assert value.item() == pytest.approx(expected.item(), rel=10 * tolerance)
        (expected_gradient,) = torch.autograd.grad(expected, rows)
        error = (gradient - expected_gradient).abs().max() / expected_gradient.abs().max()
        assert error < 100 * tolerance


@pytest.mark.parametrize("name", PAIRS)
def test_on_unit_vectors_the_similarity_is_all_that_counts(name: str) -> None:
    for seed in range(5):
        loss, (rows, labels) = CASES[name].build(), random_batch(seed)
        unit = F.normalize(rows, dim=1)
        value, (gradient,) = gradients(loss, unit, labels)
        unit.requires_grad_()
        other = loss.from_similarity(cosine_similarity(unit), labels)
        assert other.item() == pytest.approx(value.item(), rel=1e-12)
        # along the vectors themselves the similarity says nothing
        across = gradient - (gradient * unit).sum(dim=1, keepdim=True) * unit
        assert torch.allclose(torch.autograd.grad(other, unit)[0], across, atol=1e-10)


def test_triplet_by_hand() -> None:
    """On a line: 0 and 3 are one person, 4 and 9 another; anchors 0, 3, 4, 9."""
    rows, labels = torch.tensor([[0.0], [3.0], [4.0], [9.0]]), torch.tensor([0, 0, 1, 1])
    loss = makers.make_triplet_loss(margin=0.5)
    assert loss(rows, labels).item() == pytest.approx((0 + 2.5 + 4.5 + 0) / 4)
    soft = sum(math.log1p(math.exp(x)) for x in (3 - 4, 3 - 1, 5 - 1, 5 - 6)) / 4
    assert makers.make_soft_triplet_loss()(rows, labels).item() == pytest.approx(soft)


def test_a_normalised_triplet_does_not_see_the_scale() -> None:
    rows, labels = random_batch(0)
    loss = makers.make_triplet_loss(normalize=True)
    assert torch.allclose(loss(rows * torch.arange(1, 10)[:, None], labels), loss(rows, labels))
    assert loss(rows, labels) == pytest.approx(
        slow.slow_triplet_loss(F.normalize(rows, dim=1).tolist(), labels.tolist(), margin=0.3)
    )


def test_the_triplet_sees_small_distances_between_large_vectors() -> None:
    """The library squares and subtracts from 26 rows on, and finds 0 or 0.5 here."""
    generator = torch.Generator().manual_seed(0)
    rows = 1000 + 1e-2 * torch.randn(40, 5, generator=generator)
    labels = torch.arange(40) // 4
    expected = makers.make_triplet_loss(margin=0.01)(rows.double(), labels).item()
    assert makers.make_triplet_loss(margin=0.01)(rows, labels).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in CASES if "triplet" not in name])
def test_only_directions_count(name: str) -> None:
    loss, (rows, labels) = CASES[name].build(torch.float32), random_batch(1, dtype=torch.float32)
    value = loss(rows, labels)
    for scale in (1e-30, 1e30):
        assert torch.allclose(loss(scale * rows, labels), value)


# the weights of circle loss are constants by definition: see the next test
@pytest.mark.parametrize("name", [name for name in CASES if name != "circle"])
def test_gradcheck(name: str) -> None:
    loss, (rows, labels) = CASES[name].build(), random_batch(2)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), (rows.requires_grad_(),))


def test_the_weights_of_circle_loss_take_no_gradient() -> None:
    """One pair each: derivative sigmoid(z) times the two weights, by hand."""
    similarity = torch.tensor([[1.0, 0.8, 0.3]]).double().repeat(3, 1).requires_grad_()
    loss = makers.make_circle_loss(margin=0.25, scale=2.0)
    labels = torch.tensor([0, 0, 1])
    loss.from_similarity(similarity, labels).backward()
    pull, push = 1.25 - 0.8, 0.3 + 0.25
    inside = 2.0 * (-pull * (0.8 - 0.75) + push * (0.3 - 0.25))
    slope = 2.0 / (1 + math.exp(-inside)) / 2  # anchors 0 and 1 count
    expected = torch.tensor([0.0, -slope * pull, slope * push]).double()
    assert similarity.grad is not None
    assert torch.allclose(similarity.grad[0], expected)


DEGENERATE = {
    "one identity": lambda rows: (rows, torch.zeros(len(rows), dtype=torch.long)),
    "one image per identity": lambda rows: (rows[:6], torch.arange(6)),
    "identical rows": lambda rows: (rows[:1].repeat(40, 1), torch.arange(40) // 7),
    "constant rows": lambda rows: (torch.full_like(rows, 0.1), torch.arange(len(rows)) // 2),
    "zero rows": lambda rows: (0 * rows, torch.arange(len(rows)) // 2),
    "one zero row": lambda rows: (torch.cat([rows[:1] * 0, rows[1:]]), torch.arange(len(rows)) // 2),
    "one row": lambda rows: (rows[:1], torch.tensor([2])),
}


@pytest.mark.parametrize("batch", DEGENERATE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_degenerate_batches_are_finite(name: str, dtype: torch.dtype, batch: str) -> None:
    rows, labels = DEGENERATE[batch](random_batch(3, dtype=dtype, num_rows=10)[0])
    value, found = gradients(CASES[name].build(dtype), rows, labels)
    assert value.isfinite()
    assert value >= 0
    for gradient in found:
        assert gradient.abs().max() < 1e4


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in ("contrastive", "lifted_structure")])
@pytest.mark.parametrize("batch", ["one identity", "one image per identity", "one row"])
def test_without_a_positive_and_a_negative_it_is_zero(name: str, batch: str) -> None:
    rows, labels = DEGENERATE[batch](random_batch(3)[0])
    value, (gradient,) = gradients(CASES[name].build(), rows, labels)
    assert value == 0
    assert gradient.abs().max() == 0
    similarity = cosine_similarity(rows).requires_grad_()
    value = CASES[name].build().from_similarity(similarity, labels)
    assert value == 0
    assert torch.autograd.grad(value, similarity)[0].abs().max() == 0


@pytest.mark.parametrize(
    ("name", "batch", "expected"),
    [
        ("triplet", "identical rows", 0.7),
        ("soft_triplet", "identical rows", math.log(2)),
        ("contrastive", "identical rows", 0.0 + 0.8),
        ("contrastive", "one row", 0.0),
        ("lifted_structure", "one row", 0.0),
        ("lifted_structure", "zero rows", math.log(1) + math.log(8 * math.exp(0.4))),
        ("supervised_contrastive", "zero rows", math.log(9)),
        ("cosface", "zero rows", math.log(1 + 5 * math.exp(12 * 0.25))),
    ],
)
def test_degenerate_values_by_hand(name: str, batch: str, expected: float) -> None:
    rows, labels = DEGENERATE[batch](random_batch(3, num_rows=10)[0])
    if "triplet" in name or name == "contrastive":  # the last identity has fewer images
        rows, labels = rows[:35], labels[:35]
    value, _ = gradients(CASES[name].build(), rows, labels % NUM_CLASSES)
    assert value.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", LEARNED)
def test_an_embedding_in_line_with_a_class_vector(name: str, sign: float, dtype: torch.dtype) -> None:
    """At a cosine of exactly 1 or -1 the angle has no derivative."""
    loss = CASES[name].build(dtype)
    _, found = gradients(loss, sign * 3 * vectors(loss).detach(), torch.arange(NUM_CLASSES))
    for gradient in found:
        assert gradient.abs().max() < 1e6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CASES)
def test_half_precision_and_autocast_compute_in_float32(name: str, dtype: torch.dtype) -> None:
    loss = CASES[name].build(torch.float32)
    rows, labels = random_batch(4, dtype=dtype)
    value = loss(rows.float(), labels)
    assert torch.equal(loss(rows, labels), value)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(rows.float(), labels), value)
        if name in PAIRS:
            similarity = cosine_similarity(rows.float())
            with torch.autocast("cpu", enabled=False):
                expected = loss.from_similarity(similarity, labels)
            assert torch.equal(loss.from_similarity(similarity, labels), expected)


@pytest.mark.parametrize("name", LEARNED)
def test_what_it_learns_keeps_its_number_format(name: str) -> None:
    """The library turns its parameters into the format of the embeddings; an optimiser cannot follow."""
    loss, (rows, labels) = CASES[name].build(torch.float32), random_batch(4)
    assert loss(rows, labels).dtype == torch.float32
    assert vectors(loss).dtype == torch.float32


@pytest.mark.parametrize("name", CASES)
def test_neither_the_random_state_nor_the_arguments_change(name: str) -> None:
    loss, (rows, labels) = CASES[name].build(), random_batch(5)
    state, before = torch.get_rng_state(), rows.clone()
    generator = torch.Generator().manual_seed(3)
    own = generator.get_state()
    loss(rows, labels, logits=None, anchors=None, generator=generator)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(generator.get_state(), own)
    assert torch.equal(rows, before)


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_the_batch_does_not_matter(name: str) -> None:
    for seed in range(5):
        loss, (rows, labels) = CASES[name].build(), random_batch(seed)
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        assert torch.allclose(loss(rows[order], labels[order]), loss(rows, labels), rtol=1e-12)


def test_class_vectors_of_arcface_and_cosface_start_small() -> None:
    for make in (makers.make_arcface_loss, makers.make_cosface_loss):
        (weight,) = make(50, 200).parameters()
        assert weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: makers.make_circle_loss(scale=0.0), "scale must be positive, got 0.0"),
        (lambda: makers.make_supervised_contrastive_loss(temperature=-1.0), "temperature must be positive"),
        (lambda: makers.make_proxy_anchor_loss(2, 3, alpha=float("nan")), "alpha must be positive, got nan"),
        (lambda: makers.make_arcface_loss(2, 3, scale=-1.0), "scale must be positive"),
        (lambda: makers.make_cosface_loss(2, 3, scale=0.0), "scale must be positive"),
    ],
)
def test_bad_settings(make: Callable[[], PeerLoss], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
