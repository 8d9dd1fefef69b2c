from __future__ import annotations

import numpy as np

from reid_gl.data.checking.split_counts import SplitReport, Spread, describe_split
from reid_gl.records import Sample


def test_counts_by_hand() -> None:
    people = [(1, 0), (1, 1), (1, 1), (1, 4), (2, 0), (3, -1), (3, 0), (0, 0), (-1, 2)]
    samples = [Sample(f"{number}.jpg", pid, camid) for number, (pid, camid) in enumerate(people)]
    sizes = np.array([[64, 128]] * 6 + [[0, 0], [50, 200], [32, 32]])
    assert describe_split(samples, sizes) == SplitReport(
        images=9,
        identities=3,
        cameras=4,
        without_identity=2,
        without_camera=1,
        images_per_identity=Spread(1, 2, 4),
        histogram={"1": 1, "2-3": 1, "4-7": 1},
        single_image_identities=1,
        width=Spread(32, 64, 64),
        height=Spread(32, 128, 200),
        aspect=Spread(1, 2, 4),
    )


def test_ranges_between_are_shown_though_empty() -> None:
    samples = [Sample("a.jpg", 5)] * 16 + [Sample("b.jpg", 6)] * 3
    report = describe_split(samples, np.full((19, 2), 8))
    assert report.histogram == {"1": 0, "2-3": 1, "4-7": 0, "8-15": 0, "16-31": 1}


def test_nothing_at_all() -> None:
    report = describe_split([], np.zeros((0, 2), dtype=np.int64))
    assert (report.images, report.identities, report.histogram) == (0, 0, {})
    assert (report.images_per_identity, report.width, report.aspect) == (None, None, None)
