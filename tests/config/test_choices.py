from __future__ import annotations

from typing import Any

import pytest

from reid_gl.config import load_config
from reid_gl.config.choices import CHOICES

LOSSES = ("LOSS.GROUP.FEATURE", "LOSS.PROXY_ANCHOR.FEATURE", "LOSS.BINOMIAL_DEVIANCE.FEATURE")


@pytest.mark.parametrize("key", [*CHOICES, *LOSSES])
@pytest.mark.parametrize("word", ["Adam ", "[1, 2]", "off"])
def test_other_words_are_refused_at_once_also_of_losses_that_are_not_used(key: str, word: str) -> None:
    with pytest.raises(ValueError, match=rf"{key} must be one of \w+, .*, got "):
        load_config(None, [key, word])


@pytest.mark.parametrize("key", CHOICES)
def test_every_word_of_a_key_is_accepted(key: str) -> None:
    for word in CHOICES[key]:
        value: Any = load_config(None, [key, word])
        for name in key.split("."):
            value = value[name]
        assert value == word
