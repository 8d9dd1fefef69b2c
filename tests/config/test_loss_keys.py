from __future__ import annotations

import inspect
from typing import Any

import pytest
from torch import nn

from reid_gl.config import default_config
from reid_gl.config.keys import Key
from reid_gl.config.loss_keys import FEATURE, LR_FACTOR, loss_keys
from reid_gl.losses.registry import LOSSES, SIZES, register_loss


def own_settings(name: str) -> dict[str, Any]:
    """Defaults of the class or function."""
    parameters = inspect.signature(LOSSES[name].make).parameters.values()
    return {p.name: p.default for p in parameters if p.kind == inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", LOSSES)
def test_a_section_holds_every_setting_of_its_loss_with_the_same_default(name: str) -> None:
    section = default_config().LOSS[name.upper()]
    settings = {key.lower(): value for key, value in section.items() if key not in (FEATURE, LR_FACTOR)}
    assert settings == {key: -1.0 if value is None else value for key, value in own_settings(name).items()}


def test_there_is_no_section_without_a_loss() -> None:
    assert {key.lower() for key in default_config().LOSS} - {"names", "weights"} == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_only_losses_that_learn_have_a_rate_factor(name: str) -> None:
    assert ("LR_FACTOR" in default_config().LOSS[name.upper()]) is LOSSES[name].learns


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
