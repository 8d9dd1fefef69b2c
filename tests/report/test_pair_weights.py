from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from torch import Tensor

from reid_gl.report.pair_weights import draw_pair_weights

LABELS = torch.tensor([7, 3, 7, 3, 9])
ORDER = [1, 3, 0, 2, 4]


def random_matrix(seed: int, size: int = 5) -> Tensor:
    matrix = torch.rand(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return matrix * (1 - torch.eye(size, dtype=torch.float64))


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def panels(figure: Figure, num_losses: int) -> list[tuple[Axes, Axes]]:
    """Left and right panel of every loss; colour bars come after them."""
    assert len(figure.axes) == 3 * num_losses
    return list(zip(figure.axes[0 : 2 * num_losses : 2], figure.axes[1 : 2 * num_losses : 2], strict=True))


def points(panel: Axes) -> dict[str, np.ndarray]:
    return {str(item.get_label()).split(":")[0]: np.asarray(item.get_offsets()) for item in panel.collections}


@pytest.mark.parametrize("num_losses", range(1, 7))
def test_every_loss_has_its_points_and_its_batch(num_losses: int) -> None:
    weights = {f"loss {number}": random_matrix(number) for number in range(num_losses)}
    similarity = random_matrix(99)
    figure = draw_pair_weights(weights, similarity, LABELS)
    for (name, values), (left, right) in zip(weights.items(), panels(figure, num_losses), strict=True):
        assert left.get_title(loc="left") == name
        drawn = points(left)
        for kind in ("positives", "negatives"):
            expected = [
                (similarity[i, j].item(), values[i, j].item())
                for i in range(5)
                for j in range(5)
                if i != j and (LABELS[i] == LABELS[j]) == (kind == "positives")
            ]
            np.testing.assert_array_equal(drawn[kind], expected)
        cells = right.images[0].get_array()
        assert isinstance(cells, np.ma.MaskedArray)
        np.testing.assert_array_equal(np.ma.getmaskarray(cells), np.eye(5, dtype=bool))
        np.testing.assert_array_equal(cells.filled(0.0), values[ORDER][:, ORDER].numpy())


def test_identities_are_framed_and_named() -> None:
    _, right = panels(draw_pair_weights({"a": random_matrix(0)}, random_matrix(1), LABELS), 1)[0]
    borders = {(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in right.lines}
    assert borders == {
        ((0, 1), (1.5, 1.5)),
        ((0, 1), (3.5, 3.5)),
        ((1.5, 1.5), (0, 1)),
        ((3.5, 3.5), (0, 1)),
    }
    for ticks, labels in (
        (right.get_xticks(), right.get_xticklabels()),
        (right.get_yticks(), right.get_yticklabels()),
    ):
        assert list(ticks) == [0.5, 2.5, 4.0]
        assert [label.get_text() for label in labels] == ["3", "7", "9"]


def test_many_identities_are_named_in_part() -> None:
    labels = torch.arange(50).repeat_interleave(2)
    figure = draw_pair_weights({"a": random_matrix(0, 100)}, random_matrix(1, 100), labels)
    _, right = panels(figure, 1)[0]
    assert [label.get_text() for label in right.get_xticklabels()] == [str(i) for i in range(0, 50, 4)]
    assert list(right.get_xticks()) == [2 * i + 0.5 for i in range(0, 50, 4)]


def test_everything_is_labelled() -> None:
    figure = draw_pair_weights({"a": random_matrix(0), "b": random_matrix(1)}, random_matrix(2), LABELS)
    assert "5 images of 3 identities" in figure.get_suptitle()
    (_, _), (left, right) = panels(figure, 2)
    assert left.get_xlabel() == "cosine similarity of anchor and image"
    assert left.get_ylabel() == "weight"
    assert right.get_xlabel() == "image, by identity"
    assert right.get_ylabel() == "anchor, by identity"
    assert [axes.get_ylabel() for axes in figure.axes[4:]] == ["weight", "weight"]


def test_the_legend_counts_the_pairs_with_weight() -> None:
    weights = random_matrix(0)
    weights[0] = 0
    left, _ = panels(draw_pair_weights({"a": weights}, random_matrix(1), LABELS), 1)[0]
    legend = left.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["positives: 3 of 4 have weight", "negatives: 13 of 16 have weight"]
    colors = {tuple(item.get_facecolor()[0][:3]) for item in left.collections}
    assert len(colors) == 2


def test_similarities_share_their_axis_and_every_loss_has_its_scale() -> None:
    weights = {"a": random_matrix(0), "b": 100 * random_matrix(1)}
    (first, _), (second, _) = panels(draw_pair_weights(weights, random_matrix(2), LABELS), 2)
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim()[1] < 2 < 50 < second.get_ylim()[1]


def test_weights_over_decades_are_drawn_on_a_logarithmic_scale_that_keeps_zero() -> None:
    weights = 10 ** (-8 * random_matrix(0)) * (random_matrix(1) > 0.3)
    left, right = panels(draw_pair_weights({"a": weights}, random_matrix(2), LABELS), 1)[0]
    norm = right.images[0].norm
    assert isinstance(norm, SymLogNorm)
    assert (norm.vmin, norm.vmax) == (0.0, weights.max().item())
    assert norm.linthresh == pytest.approx(1e-5)  # the largest is a little below 1
    assert left.get_yscale() == "symlog"
    assert left.get_ylim()[0] < 0
    assert left.get_ylim()[1] > weights.max().item()
    assert [tick.get_text() for tick in left.get_yticklabels()][:2] == ["0", "$10^{-5}$"]
    np.testing.assert_allclose(left.get_yticks(), [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1])


@pytest.mark.parametrize("factor", [0.0, 1.0, 1e-30, 1e30])
def test_weights_of_one_size_are_drawn_on_a_linear_scale(factor: float) -> None:
    weights = factor * (0.1 + random_matrix(0))
    figure = draw_pair_weights({"a": weights}, random_matrix(1), LABELS)
    left, right = panels(figure, 1)[0]
    assert left.get_yscale() == "linear"
    assert right.images[0].norm.vmax == (weights.max().item() or 1.0)
    assert png(figure).startswith(b"\x89PNG")


def test_weights_too_small_for_a_quotient_can_be_drawn() -> None:
    weights = torch.full((5, 5), 1e-310, dtype=torch.float64)
    weights[0, 1] = 1e30
    left, _ = panels(figure := draw_pair_weights({"a": weights}, random_matrix(1), LABELS), 1)[0]
    assert left.get_yscale() == "symlog"
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("labels", [[0], [0, 1], [0, 0], [0, 0, 0, 1]])
def test_small_batches_can_be_drawn(labels: list[int]) -> None:
    size = len(labels)
    figure = draw_pair_weights({"a": random_matrix(0, size)}, random_matrix(1, size), torch.tensor(labels))
    assert png(figure).startswith(b"\x89PNG")


def test_the_image_shows_its_content_and_touches_no_global_state() -> None:
    before = dict(mpl.rcParams)
    images = [
        png(draw_pair_weights({"a": random_matrix(seed)}, random_matrix(9), LABELS)) for seed in (0, 0, 1)
    ]
    assert images[0] == images[1] != images[2]
    assert dict(mpl.rcParams) == before


def test_mistakes_are_named() -> None:
    good = random_matrix(0)
    with pytest.raises(ValueError, match="no weights to draw"):
        draw_pair_weights({}, good, LABELS)
    with pytest.raises(ValueError, match=r"triplet must be \(N, N\) like labels, \(5, 5\), got \(4, 4\)"):
        draw_pair_weights({"triplet": random_matrix(0, 4)}, good, LABELS)
    with pytest.raises(ValueError, match=r"similarity must be \(N, N\) .* got \(4, 4\)"):
        draw_pair_weights({"triplet": good}, random_matrix(0, 4), LABELS)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weights of triplet are negative or not finite"):
            draw_pair_weights({"triplet": good + wrong}, good, LABELS)
