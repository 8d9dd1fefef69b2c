"""Group Loss: the classes of a batch are refined by the similarities inside it, then scored."""

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
    """Cross-entropy of class beliefs after similar samples have voted; anchors vote with the truth.

    Two forms. With a tensor of anchors it is the paper's: the other rows are free and vote on one another
    with their beliefs. With "others" it is ours, leave-one-out: every row is predicted once, and the labels
    of all other rows are its anchors.

    Computed in float32 or better, also under autocast, in memory that does not grow with num_steps (see
    `refinement`). First derivatives only in the paper's form.

    Defined for every batch: identical or constant embeddings, one class and one image per class give
    finite values and gradients. A row that nobody supports keeps its belief. A row that hears only anchors
    of other classes has a large finite loss, where the formula says infinity: 1e-20 is added to supports.
    With "others", a row without another image of its class does not count; if no row counts, or if the batch
    has a single class, the loss is 0.

    Args:
        embeddings: (N, D) pooled features, any scale; before the neck in the paper's form.
        labels: (N,) int64 in [0, C).
        logits: (N, C) scores over all training identities.
        anchors: (N,) bool, rows whose belief is fixed to their label; or "others".
        num_steps: replicator updates, at least 1.
        temperature: divides the logits before they become beliefs.
        similarity: "pearson", each row centred over its own D numbers, or "cosine".
        negatives: what becomes of negative similarities: "clip" sets them to zero; "shift" subtracts the
            smallest similarity of the batch, if it is negative, from all of them.
        similarity_scale: s > 0 replaces a similarity r by exp(s (r - 1)); None is the paper's form. Clipped
            similarities are a nearly flat kernel: no image of another class weighs much more than the rest.
            Must be given with "others", where it also bounds the gradient: the logarithm of a row's support
            moves by at most s times the change of its similarities, while that of a clipped vote near 0 has
            a slope without limit.
        self_similarity: whether a row also supports its own belief, as in the authors' code; the paper
            sets the diagonal of the similarities to zero. Must be false with a scale and with "others".
        class_subset: "all" training identities compete, or only those in the "batch". With "others" it makes
            no difference, since nobody votes for an identity that is not in the batch.
        positives: support of the true class with "others": the "sum" of its votes, as the replicator has it,
            in which the most similar image drowns the rest; or their number times their "geometric" mean, in
            which the least similar one counts as much.

    Returns:
        Scalar, nats per row that is not an anchor; 0 with a live graph if every row is one. The authors'
        code divides by all rows instead, which only scales the loss.

    Raises:
        ValueError: shapes disagree, a label outside [0, C), no step, a temperature that is not positive, an
            unknown choice, or settings that exclude each other.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3. The scale and "others"
        are ours; with one step and a flat prior the latter is the soft nearest neighbour loss (Goldberger et
        al., "Neighbourhood Components Analysis", NIPS 2004).

    Example:
        Two images of person 0, the first of them an anchor, and one of person 1. Their correlations are 1/2
        (images 0, 1), -1 (0, 2) and -1/2 (1, 2); the classifier knows nothing: beliefs start at (1/2, 1/2).
        Image 1 is supported by 1/2 (1, 0) + (1/2, 1/2) = (1, 1/2): its belief becomes (2/3, 1/3). Image 2 is
        supported by itself only and stays. The loss is (log 3/2 + log 2) / 2 = log(3) / 2.

        >>> embeddings = torch.tensor([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
        >>> labels, logits = torch.tensor([0, 0, 1]), torch.zeros(3, 2)
        >>> anchors = torch.tensor([True, False, False])
        >>> loss = group_loss(embeddings, labels, logits=logits, anchors=anchors, num_steps=1)
        >>> round(float(loss.exp() ** 2), 4)
        3.0
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
    """(M,) nats of the rows that are predicted; arguments as of group_loss."""
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
    """group_loss with its settings; picks the anchors unless they are given.

    `GroupLoss()` is the paper's form. What trains better in our measurements is `GroupLoss(num_steps=1,
    anchors_per_class="others", similarity_scale=10.0, self_similarity=False, positives="geometric")` on
    features after the neck.

    Args:
        num_steps: replicator updates.
        temperature: divides the logits.
        anchors_per_class: rows of each class whose belief is fixed, 0 is allowed; or "others": every row is
            predicted from the labels of all other rows.
        anchor_choice: "random", or "first" in batch order as the authors do.
        similarity: "pearson" or "cosine".
        negatives: "clip" or "shift".
        similarity_scale: sharpness of the similarities; None for the paper's. Must be given with "others".
        self_similarity: whether a row supports its own belief; False with a scale or "others".
        class_subset: "all" or "batch".
        positives: "sum" or "geometric", the latter with "others" only.
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
        """Scalar loss of embeddings (N, D), labels (N,) and logits (N, C)."""
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
