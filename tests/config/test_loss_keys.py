from __future__ import annotations

import pytest
from torch import nn

from reid_gl.config.keys import Key
from reid_gl.config.loss_keys import FEATURE, LR_FACTOR, loss_keys
from reid_gl.losses.registry import LOSSES, SIZES, register_loss


class Compact(nn.Module):
    """How far images of one identity lie apart.

    Args:
        scale: of the whole loss.
    """

    def __init__(self, scale: float = 1.5) -> None:
        super().__init__()
        self.scale = scale


def test_every_loss_has_a_section_with_its_arguments() -> None:
    sections = loss_keys()
    assert list(sections) == ["LOSS", *(f"LOSS.{name.upper()}" for name in LOSSES)]
    for name, recipe in LOSSES.items():
        keys = sections[f"LOSS.{name.upper()}"]
        assert not {size.upper() for size in SIZES} & set(keys)
        assert (FEATURE in keys) is bool(recipe.feature)
        assert (LR_FACTOR in keys) is recipe.learns
        if recipe.feature:
            assert keys[FEATURE].default == recipe.feature


def test_a_loss_from_outside_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_gl.losses.registry.LOSSES", losses := dict(LOSSES))
    monkeypatch.setattr("reid_gl.config.loss_keys.LOSSES", losses)
    register_loss("compact", Compact, feature="after_neck")
    keys = loss_keys()["LOSS.COMPACT"]
    assert keys["SCALE"] == Key(1.5, "of the whole loss", Compact, "scale")
    assert keys[FEATURE].default == "after_neck"
    assert list(keys) == ["SCALE", FEATURE]
    assert "compact" not in LOSSES
