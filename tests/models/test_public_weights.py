from __future__ import annotations

import re

import pytest

from reid_gl.data.loading.transforms import ANTIALIASED, Preprocessing
from reid_gl.models.public_weights import BOT_SORT, PUBLIC_WEIGHTS, PublicWeights
from reid_gl.records import TEST_FEATURES


@pytest.mark.parametrize("known", PUBLIC_WEIGHTS, ids=lambda known: known.architecture)
def test_every_entry_can_be_used(known: PublicWeights) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", known.architecture)
    assert known.kernel in ANTIALIASED
    assert known.feature in TEST_FEATURES
    if known.height:
        mean, std = known.colors
        assert Preprocessing(known.height, known.width, known.kernel, mean, std).height == known.height


def test_bot_sort_names_a_listed_network() -> None:
    assert BOT_SORT[0] in {known.architecture for known in PUBLIC_WEIGHTS}
