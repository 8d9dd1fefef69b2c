"""Group Loss: refine class beliefs by the similarities within the batch, then apply cross-entropy.

There are two forms. A tensor of anchors selects the paper's form: rows that are not anchors are free and vote
for one another with their beliefs. "others" selects our leave-one-out form: every row is predicted once, with
the labels of all other rows as anchors.

Values and gradients are finite for every batch, including identical or constant embeddings, a single class,
and one image per class. A row without any support keeps its belief. A row that gets support from anchors of
other classes only has a large finite loss instead of the formula's infinity, because 1e-20 is added to
supports. With "others", a row without another image of its class does not count; if no row counts, or if the
batch has a single class, the loss is 0.

Example:
    Two images of person 0, the first of them an anchor, and one of person 1. Their correlations are 1/2
    (images 0, 1), -1 (0, 2) and -1/2 (1, 2). All logits are 0, so beliefs start at (1/2, 1/2).
    Image 1 gets the support 1/2 (1, 0) + (1/2, 1/2) = (1, 1/2), so its belief becomes (2/3, 1/3). Image 2
    gets support from itself only, so its belief stays. The loss is (log 3/2 + log 2) / 2 = log(3) / 2.

    >>> embeddings = torch.tensor([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    >>> labels, logits = torch.tensor([0, 0, 1]), torch.zeros(3, 2)
    >>> anchors = torch.tensor([True, False, False])
    >>> loss = group_loss(embeddings, labels, logits=logits, anchors=anchors, num_steps=1)
    >>> round(float(loss.exp() ** 2), 4)
    3.0
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from reid_gl.losses.anchors import ANCHOR_CHOICES, choose_anchors
from reid_gl.losses.group_settings import OTHERS, GroupSettings, check_choice, check_form
from reid_gl.losses.leave_one_out import leave_one_out_cross_entropy
from reid_gl.losses.pairs import check_batch
from reid_gl.losses.refinement import refined_cross_entropy
from reid_gl.losses.vote_weights import vote_weights

logger = logging.getLogger(__name__)


def group_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    logits: Tensor,
    anchors: Tensor | str,
    num_steps: int = 2,
    temperature: float = 10.0,
    similarity: str = "pearson",
    negatives: str = "clip",
    similarity_scale: float | None = None,
    self_similarity: bool = True,
    class_subset: str = "all",
    positives: str = "sum",
) -> Tensor:
    """Cross-entropy of class beliefs after similar samples have voted; anchors vote with their labels.

    GroupSettings explains the settings that follow `anchors` in full.

    Computed in float32 or better, also under autocast. Memory does not grow with num_steps (see
    `refinement`). The paper's form supports first derivatives only.

    Args:
        embeddings: (N, D) pooled features, any scale; before the neck in the paper's form.
        labels: (N,) int64 in [0, C).
        logits: (N, C) scores over all training identities.
        anchors: (N,) bool, True for rows with the belief fixed to their label; or "others".
        num_steps: replicator updates, at least 1.
        temperature: divides the logits before they become beliefs.
        similarity: "pearson", each row centred over its own D numbers, or "cosine".
        negatives: negative similarities become zero ("clip"), or all are shifted above zero ("shift").
        similarity_scale: s > 0 replaces a similarity r by exp(s (r - 1)); None for the paper's form.
        self_similarity: whether a row also supports its own belief.
        class_subset: "all" training identities compete, or only those in the "batch".
        positives: the votes for the true class as their "sum", or with "others" as "geometric" mean.

    Returns:
        Scalar, nats, mean over the rows that are not anchors; 0 with a live graph if all rows are anchors.
        The authors' code divides by the number of all rows instead, which only scales the loss.

    Raises:
        ValueError: shapes disagree, a label is outside [0, C), or the settings are invalid.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3. The scale and "others"
        are ours; with one step and a flat prior the latter is the soft nearest neighbour loss (Goldberger et
        al., "Neighbourhood Components Analysis", NIPS 2004).
    """
    settings = GroupSettings(
        num_steps,
        temperature,
        similarity,
        negatives,
        similarity_scale,
        self_similarity,
        class_subset,
        positives,
    )
    losses = _losses_of_free_rows(embeddings, labels, logits=logits, anchors=anchors, settings=settings)
    return losses.sum() / max(1, len(losses))


def _losses_of_free_rows(
    embeddings: Tensor, labels: Tensor, *, logits: Tensor, anchors: Tensor | str, settings: GroupSettings
) -> Tensor:
    """Losses (M,), in nats, of the predicted rows; for the arguments see group_loss."""
    labels = check_batch(embeddings, labels, logits=logits)
    _check_anchors(labels, anchors)
    check_form(leave_one_out=isinstance(anchors, str), settings=settings)
    if settings.class_subset == "batch":
        classes, labels = labels.unique(return_inverse=True)
        logits = logits.index_select(1, classes)
    with torch.autocast(embeddings.device.type, enabled=False):
        weights = vote_weights(
            embeddings,
            similarity=settings.similarity,
            negatives=settings.negatives,
            similarity_scale=settings.similarity_scale,
            self_similarity=settings.self_similarity,
        )
        steps, temperature = settings.num_steps, settings.temperature
        if isinstance(anchors, str):
            return leave_one_out_cross_entropy(
                weights,
                logits,
                labels,
                num_steps=steps,
                temperature=temperature,
                positives=settings.positives,
            )
        return refined_cross_entropy(
            weights, logits, labels, anchors, num_steps=steps, temperature=temperature
        )


class GroupLoss(nn.Module):
    """group_loss as a module; chooses the anchors unless they are given.

    `GroupLoss()` is the paper's form. In our measurements, `GroupLoss(num_steps=1,
    anchors_per_class="others", similarity_scale=10.0, self_similarity=False, positives="geometric")` on
    features after the neck trains better.

    Args:
        num_steps: replicator updates.
        temperature: divides the logits.
        anchors_per_class: rows of each class with a fixed belief, may be 0; or "others": every row is
            predicted from the labels of all other rows.
        anchor_choice: "random", or "first" in batch order, as in the authors' code.
        similarity: "pearson" or "cosine".
        negatives: "clip" or "shift".
        similarity_scale: sharpness of the similarities; None for the paper's form. Required with "others".
        self_similarity: whether a row supports its own belief; must be False with a scale or "others".
        class_subset: "all" or "batch".
        positives: "sum", or "geometric" (with "others" only).
    """

    def __init__(
        self,
        *,
        num_steps: int = 2,
        temperature: float = 10.0,
        anchors_per_class: int | str = 2,
        anchor_choice: str = "random",
        similarity: str = "pearson",
        negatives: str = "clip",
        similarity_scale: float | None = None,
        self_similarity: bool = True,
        class_subset: str = "all",
        positives: str = "sum",
    ) -> None:
        super().__init__()
        self.settings = GroupSettings(
            num_steps,
            temperature,
            similarity,
            negatives,
            similarity_scale,
            self_similarity,
            class_subset,
            positives,
        )
        if isinstance(anchors_per_class, str):
            check_choice("anchors per class", anchors_per_class, (OTHERS,))
        elif anchors_per_class < 0:
            raise ValueError(f"anchors per class must not be negative, got {anchors_per_class}")
        check_form(leave_one_out=isinstance(anchors_per_class, str), settings=self.settings)
        check_choice("anchor choice", anchor_choice, ANCHOR_CHOICES)
        self.anchors_per_class = anchors_per_class
        self.anchor_choice = anchor_choice
        self._has_warned = False

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        logits: Tensor | None = None,
        anchors: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the scalar loss of embeddings (N, D), labels (N,) and logits (N, C)."""
        if logits is None:
            raise ValueError("Group Loss needs logits (N, C): the network must have a classifier")
        chosen: Tensor | str = anchors if anchors is not None else self._choose(labels, generator)
        losses = _losses_of_free_rows(
            embeddings, labels, logits=logits, anchors=chosen, settings=self.settings
        )
        if not self._has_warned and len(losses) == 0:
            self._has_warned = True
            logger.warning("Group Loss is 0: %s", self._why_nothing_is_predicted())
        return losses.sum() / max(1, len(losses))

    def _choose(self, labels: Tensor, generator: torch.Generator | None) -> Tensor | str:
        if isinstance(self.anchors_per_class, str):
            return self.anchors_per_class
        return choose_anchors(labels, self.anchors_per_class, choice=self.anchor_choice, generator=generator)

    def _why_nothing_is_predicted(self) -> str:
        if self.anchors_per_class == OTHERS:
            return "no identity has two images in the batch, set SOLVER.IMAGES_PER_IDENTITY to at least 2"
        return (
            f"every image of the batch is an anchor; anchors_per_class ({self.anchors_per_class}) must be "
            "smaller than the number of images of a class in the batch"
        )


def _check_anchors(labels: Tensor, anchors: Tensor | str) -> None:
    if isinstance(anchors, str):
        check_choice("anchors", anchors, (OTHERS,))
    elif not isinstance(anchors, Tensor) or anchors.dtype != torch.bool or anchors.shape != labels.shape:
        found = (
            f"{anchors.dtype} {tuple(anchors.shape)}"
            if isinstance(anchors, Tensor)
            else type(anchors).__name__
        )
        raise ValueError(f"anchors must be a bool tensor of shape {tuple(labels.shape)}, got {found}")
