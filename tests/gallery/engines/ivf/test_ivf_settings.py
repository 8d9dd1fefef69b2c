from __future__ import annotations

import pytest

from reid_gl.gallery.engines.ivf.ivf_settings import IvfSettings


@pytest.mark.parametrize(
    ("num_rows", "lists"), [(1, 1), (256, 6), (10_000, 256), (10**5, 2564), (10**6, 16_384), (10**9, 65_536)]
)
def test_lists_grow_with_the_root_of_the_rows(num_rows: int, lists: int) -> None:
    assert IvfSettings().num_lists(num_rows) == lists


@pytest.mark.parametrize(("dimension", "size"), [(512, 64), (2048, 256), (20, 2), (13, 1), (7, 1)])
def test_a_code_has_an_eighth_of_the_numbers(dimension: int, size: int) -> None:
    assert IvfSettings().num_bytes(dimension) == size


def test_settings_that_do_not_fit() -> None:
    settings = IvfSettings(lists=300, code_bytes=24)
    assert (settings.num_lists(300), settings.num_bytes(48)) == (300, 24)
    with pytest.raises(ValueError, match="299 rows are too few for 300 lists: use fewer lists"):
        settings.num_lists(299)
    with pytest.raises(ValueError, match=r"features of 512 .* in 24 bytes: use a divisor of 512"):
        settings.num_bytes(512)
