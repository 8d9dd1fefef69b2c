from __future__ import annotations

from reid_gl.config.defaults import all_keys, default_config
from reid_gl.config.loss_keys import loss_keys


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{section}.{name}"
        for section, keys in all_keys().items()
        for name, key in keys.items()
        if not key.meaning
    ]
    assert not silent


def test_defaults_are_fresh_and_those_of_the_keys() -> None:
    config = default_config()
    config.SEED, config.INPUT.SIZE[0] = 7, 1
    again = default_config()
    for section, keys in all_keys().items():
        node = again
        for part in section.split(".") if section else ():
            node = node[part]
        for name, key in keys.items():
            assert node[name] == key.default, f"{section}.{name}"
    assert again.SEED != 7
    assert again.INPUT.SIZE[0] != 1


def test_the_sections_of_the_losses_are_among_them() -> None:
    assert set(loss_keys()) <= set(all_keys())
