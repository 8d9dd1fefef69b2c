from __future__ import annotations

import cv2
import numpy as np

from reid_gl.report.annotated_frame import identity_color
from reid_gl.report.identity_sheet import encode_crop, format_identity_sheet, rows_to_show


def test_rows_are_spread_from_first_to_last() -> None:
    identities = np.array([1] * 25 + [0, 2, 2])
    shown = rows_to_show(identities)
    assert shown[1][0] == 0
    assert shown[1][-1] == 24
    assert len(shown[1]) == 12
    assert shown[2] == [26, 27]
    assert rows_to_show(np.zeros(0, np.int64)) == {}


def test_a_crop_has_a_border_in_the_colour_of_its_identity() -> None:
    data = encode_crop(np.zeros((60, 30, 3), np.uint8), 4)
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert image.shape == (68, 38, 3)
    assert np.abs(image[30, 1].astype(int) - identity_color(4)).max() < 60
    assert image[30, 19].max() < 30


def test_the_page_says_what_is_known_of_each_identity() -> None:
    page = format_identity_sheet(
        "<MOT-01>",
        ["identities 2"],
        frames=np.array([1, 2, 4, 5]),
        identities=np.array([1, 2, 1, 0]),
        tracklets=np.array([0, 1, 2, 3]),
        similarities=np.array([0.5, 1.0, 0.75, 0.0]),
        thumbnails={0: b"first", 1: b"second"},
    )
    assert "People in &lt;MOT-01&gt;" in page
    assert "<pre>identities 2</pre>" in page
    assert "frames 1 to 4, 2 boxes in 2 tracklets, similarity 0.62 on average, 0.50 at least" in page
    assert "frames 2 to 2, 1 box in 1 tracklet," in page
    assert page.count("<img") == 2
    assert page.count('class="missing"') == 1
    assert "frame 4, 0.75" in page
    assert "frame 5" not in page
