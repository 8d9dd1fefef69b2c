"""Figure of the weights that losses give to the pairs of one batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from reid_gl.losses.pairs import pair_masks

# blue and vermilion of Okabe and Ito, which suit all kinds of colour vision; negatives are drawn first
STYLES = {"negatives": ("#0072B2", "o", 9.0), "positives": ("#D55E00", "^", 16.0)}
LINEAR_DECADES = 2
"""Weights that span at most this many decades are drawn on a linear scale."""
MAX_DECADES = 4
"""A logarithmic scale reaches this many decades below the largest weight; below, it is linear down to 0."""
LINEAR_SHARE = 0.5
"""Height of the linear part, in decades."""
MAX_IDENTITY_TICKS = 16


@dataclass(frozen=True)
class WeightScale:
    """The scale that both panels of a loss share.

    Attributes:
        largest: end of the scale; it starts at 0.
        threshold: power of ten below which a logarithmic scale is linear; None for an entirely linear scale.
    """

    largest: float
    threshold: float | None = None


def draw_pair_weights(weights: Mapping[str, Tensor], similarity: Tensor, labels: Tensor) -> Figure:
    """Draw one row per loss: weight against similarity, and the weight matrix sorted by identity.

    Both panels of a row share one scale: linear, or logarithmic if the weights span decades. Each row has its
    own scale, because losses differ by factors that a learning rate or the weight of the loss compensates.
    An image with itself is not a pair: it has no point, and its cell is blank.

    Args:
        weights: name of a loss to its (N, N) weights, at least 0; rows are anchors.
        similarity: (N, N) cosines of the same batch.
        labels: (N,) int64.

    Returns:
        A figure outside pyplot's global state; `figure.savefig(path)` writes it.

    Raises:
        ValueError: there is no loss, the shapes disagree, or weights are negative or not finite.
    """
    _check(weights, similarity, labels)
    labels = labels.cpu()
    figure = Figure(figsize=(11.0, 0.7 + 3.8 * len(weights)), dpi=120, layout="constrained")
    panels = figure.subplots(len(weights), 2, squeeze=False, sharex="col", width_ratios=(1.3, 1.0))
    for (name, tensor), (left, right) in zip(weights.items(), panels, strict=True):
        values = tensor.detach().double().cpu()
        scale = _choose_scale(values.numpy())
        left.set_title(name, loc="left", fontweight="bold", pad=22)  # above the legend
        _draw_points(left, values, similarity.detach().double().cpu(), labels, scale)
        image = _draw_batch(right, values, labels, scale)
        bar = figure.colorbar(image, ax=right, label="weight", pad=0.02)
        _set_ticks(bar.ax.yaxis, scale)
    panels[-1, 0].set_xlabel("cosine similarity of anchor and image")
    panels[-1, 1].set_xlabel("image, by identity")
    figure.align_ylabels(panels[:, 0])
    figure.suptitle(
        f"Pair weights N·|∂L/∂S| in a batch of {len(labels)} images of {len(labels.unique())} identities"
        "\neach row has its own scale"
    )
    return figure


def _draw_points(
    panel: Axes, weights: Tensor, similarity: Tensor, labels: Tensor, scale: WeightScale
) -> None:
    """Draw one point per pair, anchor by anchor; the legend counts the pairs with a nonzero weight."""
    positive, negative = pair_masks(labels)
    opacity = min(0.8, max(0.15, 20.0 / len(labels)))
    for (kind, (color, marker, size)), mask in zip(STYLES.items(), (negative, positive), strict=True):
        values = weights[mask].numpy()
        label = f"{kind}: {np.count_nonzero(values)} of {len(values)} have weight"
        panel.scatter(
            similarity[mask].numpy(),
            values,
            s=size,
            c=color,
            marker=marker,
            alpha=opacity,
            linewidths=0,
            label=label,
        )
    if scale.threshold is None:
        panel.set_ylim(-0.03 * scale.largest, 1.05 * scale.largest)
    else:
        panel.set_yscale("symlog", linthresh=scale.threshold, linscale=LINEAR_SHARE)
        panel.set_ylim(-0.2 * scale.threshold, 2.0 * scale.largest)
    _set_ticks(panel.yaxis, scale)
    panel.set_ylabel("weight")
    panel.grid(alpha=0.3)
    panel.tick_params(labelbottom=True)
    _add_legend(panel)


def _add_legend(panel: Axes) -> None:
    """Add the legend between title and panel, where it covers no point."""
    legend = panel.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        ncols=2,
        frameon=False,
        fontsize="small",
        columnspacing=1.0,
        handletextpad=0.1,
        reverse=True,
    )
    legend.set_in_layout(False)  # the title's padding leaves room for it; it must not narrow the panel
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)


def _draw_batch(panel: Axes, weights: Tensor, labels: Tensor, scale: WeightScale) -> ScalarMappable:
    """Draw one cell per pair, rows are anchors; lines between identities frame the positives."""
    order = torch.argsort(labels, stable=True)
    cells = weights[order[:, None], order[None, :]].numpy()
    cells = np.ma.masked_array(cells, mask=np.eye(len(labels), dtype=bool))
    norm = (
        Normalize(0.0, scale.largest)
        if scale.threshold is None
        else SymLogNorm(scale.threshold, linscale=LINEAR_SHARE, vmin=0.0, vmax=scale.largest)
    )
    image = panel.imshow(cells, norm=norm, cmap="magma_r", interpolation="nearest")
    identities, counts = torch.unique(labels, return_counts=True)
    ends = counts.cumsum(0).numpy()
    width = min(0.5, 8.0 / len(identities))  # many lines must not cover the cells
    for border in ends[:-1] - 0.5:
        panel.axhline(border, color="0.55", linewidth=width)
        panel.axvline(border, color="0.55", linewidth=width)
    every = -(-len(identities) // MAX_IDENTITY_TICKS)
    middles = (ends - (counts.numpy() + 1) / 2)[::every]
    names = [str(identity) for identity in identities.tolist()][::every]
    panel.set_xticks(middles, names, rotation=90, fontsize=7)
    panel.set_yticks(middles, names, fontsize=7)
    panel.tick_params(length=0, labelbottom=True)
    panel.set_ylabel("anchor, by identity")
    panel.set_title("blocks on the diagonal: positives", loc="right", fontsize="medium")
    return image


def _choose_scale(weights: NDArray[np.float64]) -> WeightScale:
    """Choose a scale from 0 to the largest weight, logarithmic if the weights span decades."""
    present = weights[weights > 0]
    if not len(present):
        return WeightScale(1.0)
    largest = float(present.max())
    # skip the lowest 5 %, which may be rounding errors; subtract logarithms, as a quotient may overflow
    decades = math.log10(largest) - math.log10(float(np.quantile(present, 0.05)))
    if decades <= LINEAR_DECADES:
        return WeightScale(largest)
    return WeightScale(largest, 10.0 ** math.floor(math.log10(largest) - min(decades, MAX_DECADES)))


def _set_ticks(axis: Axis, scale: WeightScale) -> None:
    """Set ticks at 0 and at powers of ten on a logarithmic scale; keep matplotlib's on a linear one."""
    if scale.threshold is None:
        return
    powers = range(round(math.log10(scale.threshold)), math.floor(math.log10(scale.largest)) + 1)
    axis.set_ticks([0.0, *(10.0**power for power in powers)])
    axis.set_ticklabels(["0", *(f"$10^{{{power}}}$" for power in powers)])
    axis.set_ticks([], minor=True)


def _check(weights: Mapping[str, Tensor], similarity: Tensor, labels: Tensor) -> None:
    if not weights:
        raise ValueError("there are no weights to draw: give the weights of at least one loss")
    size = (len(labels), len(labels))
    for name, tensor in {**weights, "similarity": similarity}.items():
        if tensor.shape != size:
            raise ValueError(f"{name} must be (N, N) like labels, {size}, got {tuple(tensor.shape)}")
    for name, tensor in weights.items():
        if not bool((tensor >= 0).all()) or not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"the weights of {name} are negative or not finite: they cannot be drawn")
