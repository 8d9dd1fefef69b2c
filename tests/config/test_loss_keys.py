from __future__ import annotations

import inspect
from typing import Any

import pytest

from reid_gl.config import default_config
from reid_gl.config.loss_keys import FEATURE, LR_FACTOR
from reid_gl.losses import LOSSES


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
