"""Batches of P identities with K images each."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

logger = logging.getLogger(__name__)

MAX_TURNS = 1_000_000
"""Times a small data set may be gone through while a large one is gone through once."""


class BatchKey(NamedTuple):
    """Which images make a batch, and what its random changes are drawn from."""

    epoch: int
    step: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One of several equal parts of each batch: what one rank trains on.

    The identities of a batch differ and the images of each stand together, so parts share no identity, and
    all parts one after the other are the batch.

    Attributes:
        number: which one, from 0.
        count: number of parts.
    """

    number: int = 0
    count: int = 1

    def rows(self, batch_size: int) -> slice:
        """Places of the part's images in the batch."""
        size = batch_size // self.count
        return slice(self.number * size, (self.number + 1) * size)


WHOLE = Part()
"""The only part of a batch that is not dealt."""


def check_parts(num_identities: int, num_parts: int) -> None:
    """Check that the identities of a batch can be dealt evenly.

    Raises:
        ValueError: the number of parts does not divide P.
    """
    if num_identities % num_parts:
        lower = num_identities // num_parts * num_parts
        nearest = [str(number) for number in (lower, lower + num_parts) if number]
        raise ValueError(
            f"P={num_identities} identities of a batch cannot be dealt evenly over {num_parts} ranks: set "
            f"SOLVER.IDENTITIES_PER_BATCH to {' or '.join(nearest)}, or start another number of ranks"
        )


class EpochSampler(Sampler[BatchKey]):
    """Gives the batches of one epoch from one step on; a subclass defines `epoch_batches`."""

    _epoch = _first_step = 0

    def start_at(self, epoch: int, step: int = 0) -> None:
        """Let the next iteration give this epoch's batches from this step on."""
        self._epoch, self._first_step = epoch, step

    def epoch_batches(self, epoch: int) -> list[tuple[int, ...]]:
        """All batches of one epoch, as indices of images."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.epoch_batches(self._epoch)) - self._first_step

    def __iter__(self) -> Iterator[BatchKey]:
        batches = self.epoch_batches(self._epoch)
        for step in range(self._first_step, len(batches)):
            yield BatchKey(self._epoch, step, batches[step])


class PKSampler(EpochSampler):
    """Batches of exactly P different identities with K images each, every identity in every epoch.

    An epoch shows every image about once: an identity with n images comes in floor(n / K) groups of
    K, at least one; with fewer than K images some of them are repeated within the group. The order
    depends on the seed and the epoch only, so that an interrupted epoch can go on where it stopped.

    Attributes:
        num_identities: C.
        num_short: identities with fewer than K images.
    """

    def __init__(self, labels: Sequence[int], *, num_identities: int, num_images: int, seed: int = 0) -> None:
        """Group the images.

        Args:
            labels: identity of every training image.
            num_identities: P, identities in a batch.
            num_images: K, images of each.
            seed: of the order.

        Raises:
            ValueError: P or K below 1, or fewer than P identities.
        """
        if num_identities < 1 or num_images < 1:
            raise ValueError(f"P and K must be at least 1, got P={num_identities}, K={num_images}")
        groups: dict[int, list[int]] = defaultdict(list)
        for index, label in enumerate(labels):
            groups[label].append(index)
        if len(groups) < num_identities:
            raise ValueError(
                f"a batch needs P={num_identities} different identities and the training set has "
                f"{len(groups)}: lower SOLVER.IDENTITIES_PER_BATCH or add data"
            )
        self._groups = [np.array(groups[label]) for label in sorted(groups)]
        self._per_batch, self._num_images, self._seed = num_identities, num_images, seed
        self.num_identities = len(groups)
        self.num_short = sum(len(group) < num_images for group in self._groups)
        if self.num_short:
            logger.warning(
                "%d of %d identities have fewer than K=%d images: some of theirs are repeated in a batch",
                self.num_short,
                self.num_identities,
                num_images,
            )

    def epoch_batches(self, epoch: int) -> list[tuple[int, ...]]:
        """All batches of one epoch, as indices of images; a batch is sorted by nothing but chance."""
        rng = np.random.default_rng((self._seed, epoch))
        waiting = deque(self._rounds(rng))
        batches: list[tuple[int, ...]] = []
        seen: set[int] = set()
        while waiting:
            chosen = _take_different(waiting, self._per_batch)
            if len(chosen) < self._per_batch and len(seen) == self.num_identities:
                break  # what is left is too few identities for a batch, and each has been shown
            chosen += self._fill_up(chosen, rng)
            seen.update(identity for identity, _ in chosen)
            batches.append(tuple(index for _, group in chosen for index in group))
        return batches

    def _rounds(self, rng: np.random.Generator) -> Iterator[tuple[int, list[int]]]:
        """(identity, K images): first one group of every identity, then the second ones, and so on."""
        groups = [self._split(members, rng) for members in self._groups]
        for turn in range(max(len(group) for group in groups)):
            for identity in rng.permutation(len(groups)):
                if turn < len(groups[identity]):
                    yield int(identity), groups[identity][turn]

    def _split(self, members: np.ndarray, rng: np.random.Generator) -> list[list[int]]:
        k = self._num_images
        shuffled = rng.permutation(members)
        if len(shuffled) < k:
            repeats = rng.choice(members, size=k - len(members))
            return [np.concatenate([shuffled, repeats]).tolist()]
        whole = len(shuffled) // k * k
        return shuffled[:whole].reshape(-1, k).tolist()

    def _fill_up(
        self, chosen: list[tuple[int, list[int]]], rng: np.random.Generator
    ) -> list[tuple[int, list[int]]]:
        taken = {identity for identity, _ in chosen}
        free = [identity for identity in range(self.num_identities) if identity not in taken]
        extra = rng.choice(free, size=self._per_batch - len(chosen), replace=False)
        return [(int(identity), self._split(self._groups[identity], rng)[0]) for identity in extra]


class BalancedSampler(EpochSampler):
    """Batches in which every data set has its share of the P identities, however large it is.

    An epoch shows every image of the set that needs the most batches about once; those of the others come
    again until it ends, in another order each time.

    Attributes:
        num_identities: C, of all sets.
        num_short: identities with fewer than K images.
    """

    def __init__(
        self,
        labels: Sequence[int],
        sources: Sequence[int],
        *,
        num_identities: int,
        num_images: int,
        seed: int = 0,
    ) -> None:
        """Group the images.

        Args:
            labels: identity of every training image; no identity is in two sets.
            sources: data set of every training image.
            num_identities: P, identities in a batch; the first sets have one more where it does not divide.
            num_images: K, images of each.
            seed: of the order.

        Raises:
            ValueError: as PKSampler for any of the sets, or fewer identities in a batch than sets.
        """
        names = sorted(set(sources))
        if num_identities < len(names):
            raise ValueError(
                f"P={num_identities} identities cannot hold one of each of {len(names)} data sets: "
                "raise SOLVER.IDENTITIES_PER_BATCH"
            )
        self._rows = [np.flatnonzero(np.asarray(sources) == name) for name in names]
        self._parts = [
            PKSampler(
                [labels[row] for row in rows.tolist()],
                num_identities=num_identities // len(names) + (place < num_identities % len(names)),
                num_images=num_images,
                seed=len(names) * seed + place,
            )
            for place, rows in enumerate(self._rows)
        ]
        self.num_identities = sum(part.num_identities for part in self._parts)
        self.num_short = sum(part.num_short for part in self._parts)

    def epoch_batches(self, epoch: int) -> list[tuple[int, ...]]:
        """All batches of one epoch, as indices of images, those of the first set first."""
        turns = [part.epoch_batches(epoch * MAX_TURNS) for part in self._parts]
        count = max(len(batches) for batches in turns)
        for part, batches in zip(self._parts, turns, strict=True):
            turn = 0
            while len(batches) < count:
                turn += 1
                batches += part.epoch_batches(epoch * MAX_TURNS + turn)
        parts = [
            [tuple(rows[list(batch)].tolist()) for batch in batches[:count]]
            for rows, batches in zip(self._rows, turns, strict=True)
        ]
        return [sum(batch, ()) for batch in zip(*parts, strict=True)]


def _take_different(waiting: deque[tuple[int, list[int]]], count: int) -> list[tuple[int, list[int]]]:
    """Take the first groups of different identities; what was skipped keeps its place at the front."""
    chosen: list[tuple[int, list[int]]] = []
    skipped: list[tuple[int, list[int]]] = []
    taken: set[int] = set()
    while waiting and len(chosen) < count:
        identity, group = waiting.popleft()
        if identity in taken:
            skipped.append((identity, group))
        else:
            taken.add(identity)
            chosen.append((identity, group))
    waiting.extendleft(reversed(skipped))
    return chosen
