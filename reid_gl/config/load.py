"""Loads experiment files and overrides into one configuration; every error is one clear sentence."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from reid_gl.config.choices import check_choices
from reid_gl.config.defaults import default_config
from reid_gl.config.ranges import check_ranges
from reid_gl.config.values import MAX_BYTES, convert, parse_override, read_words, read_yaml
from reid_gl.untrusted.json_files import what_is_wrong
from reid_gl.untrusted.regular_file import read_regular_file, why_no_file

logger = logging.getLogger(__name__)

SUFFIXES = (".yml", ".yaml")
BASE_KEY = "_BASE_"
MAX_BASES = 20
"""Largest number of files that a configuration may inherit from."""


class ConfigError(ValueError):
    """The configuration is invalid; the message says why."""


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> CfgNode:
    """Apply the inherited files, the file itself and then the overrides to the defaults.

    Args:
        path: .yml or .yaml file. Its `_BASE_` names the file to inherit from, relative to itself. If the
            file does not exist, a config of the same name that comes with the package is used.
        overrides: alternating keys and values, for example ["SEED", "1", "INPUT.SIZE", "[128,64]"].

    Returns:
        A frozen configuration.

    Raises:
        ConfigError: unknown key (names the nearest valid one), wrong type, a number out of range, an odd
            number of overrides, a file that is not YAML, or circular inheritance.
        FileNotFoundError: no such file.
    """
    config = default_config()
    name = "custom"
    if path is not None:
        path = find_config(path)
        name = path.stem
        for values, source in _inherited(path, ()):
            for key, value in _leaves(values):
                _set(config, key, value, source)
    _override(config, overrides)
    if not config.OUTPUT_DIR:
        config.OUTPUT_DIR = f"runs/{name}"
    return _checked(config)


def load_run_config(path: Path, overrides: Sequence[str] = ()) -> CfgNode:
    """Read the configuration that a run folder keeps, possibly from another version, and apply overrides.

    Args:
        path: the file that a training run wrote.
        overrides: as load_config takes them.

    Returns:
        A frozen configuration; entries that this version does not know are left out, with a warning.

    Raises:
        ConfigError: the file is not such a configuration, or as load_config for the overrides.
        ValueError, OSError: as read_kept.
    """
    config, unknown = read_dump(read_kept(path), str(path))
    if unknown:
        logger.warning("%s has entries that this version does not know: %s", path, ", ".join(unknown))
    _override(config, overrides)
    return _checked(config)


def find_config(path: str | Path) -> Path:
    """Return the path itself if it exists, else the packaged config of the same name.

    Raises:
        ConfigError: the suffix is neither .yml nor .yaml.
        FileNotFoundError: no such file here or in the package, or a broken link here.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"config file {path}: only {' and '.join(SUFFIXES)} are read")
    if path.is_file():
        return path
    if path.exists():
        raise ConfigError(f"config file {path} is a folder, pipe or device: give a regular file")
    if path.is_symlink():
        raise FileNotFoundError(f"config file {path} is a link to nothing")
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if found := sorted(folder.rglob(path.name)):
            return found[0]
    raise FileNotFoundError(f"config file {path} does not exist, here or among the package's configs")


def dump_config(config: CfgNode) -> str:
    """Return the whole configuration as YAML."""
    return str(config.dump())


def read_kept(path: Path) -> str:
    """Return the text of a configuration that a run folder keeps, whatever it holds.

    Raises:
        ValueError: it is no regular file, or too large for a configuration.
        OSError: it cannot be read.
    """
    return read_regular_file(path, max_bytes=MAX_BYTES).decode("utf-8", errors="replace")


def read_dump(text: str, source: str = "a kept configuration") -> tuple[CfgNode, dict[str, Any]]:
    """Read the output of dump_config, possibly from another version; keys it lacks get their defaults.

    Args:
        text: the output.
        source: its name in messages.

    Returns:
        The configuration, and the entries that this version cannot use: unknown keys and values of a wrong
        type.

    Raises:
        ConfigError: the text is not YAML with keys and values.
    """
    try:
        values = read_words(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is no valid YAML: {_in_one_line(error)}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source} must hold keys and values, found {type(values).__name__}")
    config, unknown = default_config(), {}
    for key, words in _leaves(values):
        try:
            _set(config, key, words, source)
        except ConfigError:
            unknown[key] = words
    return config, unknown


def changed_keys(text: str) -> dict[str, Any]:
    """Return the keys of a dumped configuration (YAML) whose values are not the defaults, with these values.

    Raises:
        ConfigError: as read_dump.
    """
    defaults = dict(_leaves(default_config()))
    return {key: value for key, value in _leaves(read_dump(text)[0]) if value != defaults[key]}


def describe_changes(
    old: str, new: str, *, may_change: Sequence[str] = (), source: str = "a kept configuration"
) -> str:
    """Describe the first keys that differ between two configurations; "" if there are none.

    Args:
        old: YAML from dump_config, possibly of another version; keys that it lacks get their defaults.
        new: YAML from dump_config of this version.
        may_change: keys or sections to ignore.
        source: name of the old one in messages.

    Raises:
        ConfigError: as read_dump.
    """
    kept, unknown = read_dump(old, source)
    before, now = (dict(_leaves(one)) for one in (kept, read_dump(new)[0]))
    changed = {
        key: f"{key} was {before[key]!r}, is now {now[key]!r}" for key in now if before[key] != now[key]
    }
    changed |= {
        key: f"{key} was {words!r}, which this version does not know" for key, words in unknown.items()
    }
    counted = [sentence for key, sentence in changed.items() if not _is_in(key, may_change)]
    more = f"; {len(counted) - 3} more" if len(counted) > 3 else ""
    return "; ".join(counted[:3]) + more


def _is_in(key: str, places: Sequence[str]) -> bool:
    """Return whether a key equals one of the places or lies in a section among them."""
    return any(key == place or key.startswith(f"{place}.") for place in places)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return what_is_wrong(error)
    return " ".join(str(error).split())


def _inherited(path: Path, above: tuple[Path, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (values, file) of the inherited files, the most distant one first, then of the file itself."""
    if path.resolve() in above:
        raise ConfigError(f"config file {path} inherits from itself through {BASE_KEY}")
    if len(above) > MAX_BASES:
        raise ConfigError(f"config file {above[0]} inherits from more than {MAX_BASES} files ({BASE_KEY})")
    try:
        values = read_yaml(path) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path} is no valid YAML: {_in_one_line(error)}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"config file {path} must hold keys and values, found {type(values).__name__}")
    base = values.pop(BASE_KEY, None)
    if base is not None:
        parent = path.parent / str(base)
        if not parent.exists():
            raise FileNotFoundError(f"{path} inherits from {parent}, which {why_no_file(parent)}")
        yield from _inherited(find_config(parent), (*above, path.resolve()))
    yield values, str(path)


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _override(config: CfgNode, overrides: Sequence[str]) -> None:
    if len(overrides) % 2:
        raise ConfigError(
            f"overrides come in pairs KEY VALUE, got {len(overrides)} words: {' '.join(overrides)}"
        )
    defaults = dict(_leaves(default_config()))
    for key, text in zip(overrides[::2], overrides[1::2], strict=True):
        _set(config, key, parse_override(text, defaults.get(key)), "the command line")


def _checked(config: CfgNode) -> CfgNode:
    """Check the ranges and choices of all values and freeze the configuration."""
    try:
        values = dict(_leaves(config))
        check_ranges(values)
        check_choices(values)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    config.freeze()
    return config


def _set(config: CfgNode, key: str, words: object, source: str) -> None:
    """Convert a word, or a list of words, to the key's type and set the key."""
    known = dict(_leaves(default_config()))
    if key not in known:
        near = difflib.get_close_matches(key.upper(), known, n=1, cutoff=0.0)[0]
        raise ConfigError(f"unknown config key {key!r} in {source}; the nearest one is {near!r}")
    try:
        value = convert(key, words, known[key])
    except ValueError as error:
        raise ConfigError(f"config key {key} in {source} {error}") from None
    node = config
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
