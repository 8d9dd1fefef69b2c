"""Settings of Group Loss and the checks of their combinations."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from reid_gl.losses.leave_one_out import POSITIVES
from reid_gl.losses.vote_weights import NEGATIVES, SIMILARITIES

OTHERS = "others"
MAX_SCALE = 40
CLASS_SUBSETS = ("all", "batch")


@dataclass(frozen=True)
class GroupSettings:
    """Settings of group_loss, with the same names.

    Attributes:
        num_steps: replicator updates, at least 1.
        temperature: positive; divides the logits before they become beliefs.
        similarity: "pearson", each row centred over its own D numbers, or "cosine".
        negatives: how to remove negative similarities: "clip" sets them to zero; "shift" subtracts the
            smallest similarity of the batch from all similarities, if it is negative.
        similarity_scale: s > 0 replaces a similarity r by exp(s (r - 1)); None is the paper's form. Clipped
            similarities are a nearly flat kernel: no image of another class weighs much more than the others.
            Required with "others", where it also bounds the gradient: the logarithm of a row's support
            changes by at most s times the change of its similarities. The logarithm of a clipped similarity
            near 0 has an unbounded slope.
        self_similarity: whether a row also supports its own belief, as in the authors' code; the paper
            sets the diagonal of the similarities to zero. Must be False with a scale and with "others".
        class_subset: "all" training identities compete, or only those in the "batch". With "others" both give
            the same loss, since no row votes for an identity that is not in the batch.
        positives: support of the true class with "others". "sum" adds its votes, as the replicator does, so
            the most similar image dominates. "geometric" is the number of votes times their geometric mean,
            so the least similar image counts as much as the most similar one.

    Raises:
        ValueError: num_steps is below 1, the temperature is not positive, a choice is unknown, or settings
            exclude each other.
    """

    num_steps: int
    temperature: float
    similarity: str
    negatives: str
    similarity_scale: float | None
    self_similarity: bool
    class_subset: str
    positives: str

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"Group Loss needs at least one step, got {self.num_steps}")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"the temperature must be a positive number, got {self.temperature}")
        check_choice("similarity", self.similarity, SIMILARITIES)
        check_choice("treatment of negatives", self.negatives, NEGATIVES)
        check_choice("class subset", self.class_subset, CLASS_SUBSETS)
        check_choice("support of positives", self.positives, POSITIVES)
        if self.similarity_scale is None:
            return
        if not 0 < self.similarity_scale <= MAX_SCALE:
            raise ValueError(
                f"the similarity scale must be positive and at most {MAX_SCALE}, beyond which float32 cannot "
                f"hold exp(-2 s), got {self.similarity_scale}"
            )
        if self.self_similarity:
            raise ValueError(
                "similarity_scale needs self_similarity=False: with a sharp kernel an image would get nearly "
                "all its support from itself"
            )
        if self.negatives != "clip":
            raise ValueError(
                "similarity_scale leaves no negative similarities: negatives='shift' has no effect"
            )


def check_form(*, leave_one_out: bool, settings: GroupSettings) -> None:
    """Check that the settings fit the form: leave-one-out or the paper's.

    Raises:
        ValueError: the settings do not fit the form.
    """
    if leave_one_out and (settings.self_similarity or settings.similarity_scale is None):
        raise ValueError(
            "anchors 'others' need self_similarity=False, since no image may vote on itself with its own "
            "label, and a similarity_scale such as 10.0: clipped or shifted similarities may come near to 0, "
            "where the gradient of their logarithm has no bound"
        )
    if not leave_one_out and settings.positives != "sum":
        raise ValueError(f"positives={settings.positives!r} is for anchors 'others' only")


def check_choice(what: str, choice: str, choices: Collection[str]) -> None:
    """Raise ValueError unless choice is one of choices."""
    if choice not in choices:
        raise ValueError(f"unknown {what} {choice!r}: expected one of {', '.join(choices)}")
