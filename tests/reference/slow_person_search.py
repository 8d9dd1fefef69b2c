"""Person search as its description says: walk down one sorted list of boxes for each query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.reference.slow_ranking import slow_average_precision, slow_inverse_penalty

Box = tuple[int, int, int, int]


@dataclass
class SlowSearch:
    cmc: list[float]
    mean_ap: float
    mean_inp: float
    num_scored: int


def slow_overlap_enough(box: Box, true_box: Box) -> bool:
    """Count pixels: those in both boxes, and those in any of them."""
    pixels, true_pixels = (
        {(x, y) for x in range(max(x1, 0), x2) for y in range(max(y1, 0), y2)}
        for x1, y1, x2, y2 in (box, true_box)
    )
    width, height = (true_box[2 + axis] - max(true_box[axis], 0) for axis in (0, 1))
    needed = min(0.5, width * height / ((width + 10) * (height + 10)))
    return len(pixels & true_pixels) / len(pixels | true_pixels) >= needed


def slow_person_search(
    distances: Sequence[Sequence[float]],
    boxes: Sequence[tuple[int, Box]],
    searched: Sequence[set[int]],
    truth: Sequence[Mapping[int, Box]],
    *,
    max_rank: int,
) -> SlowSearch:
    """Score each query.

    Args:
        distances: to each box of the gallery, for each query.
        boxes: scene and box of each row of the gallery.
        searched: the scenes that each query searches.
        truth: the true box of each query's person, by scene.
        max_rank: length of the CMC curve.
    """
    firsts, precisions, penalties = [], [], []
    for row, scenes, own in zip(distances, searched, truth, strict=True):
        true_boxes = {scene: box for scene, box in own.items() if scene in scenes}
        if not true_boxes:
            continue
        matches = set()
        for scene, true_box in true_boxes.items():
            inside = [g for g, (place, _) in enumerate(boxes) if place == scene]
            fitting = [g for g in inside if slow_overlap_enough(boxes[g][1], true_box)]
            if fitting:
                matches.add(min(fitting, key=lambda g: row[g]))
        entries = sorted((row[g], g in matches) for g, (scene, _) in enumerate(boxes) if scene in scenes)
        hits = [is_match for _, is_match in entries]  # at equal distances, the wrong box first
        if not matches:
            firsts.append(float("inf"))
            precisions.append(0.0)
            penalties.append(0.0)
            continue
        recall = len(matches) / len(true_boxes)
        firsts.append(hits.index(True) + 1)
        precisions.append(slow_average_precision(hits) * recall)
        penalties.append(slow_inverse_penalty(hits) if recall == 1 else 0.0)
    count = len(firsts)
    return SlowSearch(
        cmc=[sum(first <= k for first in firsts) / count for k in range(1, max_rank + 1)],
        mean_ap=sum(precisions) / count,
        mean_inp=sum(penalties) / count,
        num_scored=count,
    )
