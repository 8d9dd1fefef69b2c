"""Experiment configuration: all keys, their defaults, and the only code that reads them."""

from reid_gl.config.build import Config, load_experiment, read_experiment, read_holdout
from reid_gl.config.defaults import default_config
from reid_gl.config.experiment import Experiment
from reid_gl.config.inference_keys import inference_overrides
from reid_gl.config.load import (
    ConfigError,
    changed_keys,
    describe_changes,
    dump_config,
    load_config,
    load_run_config,
    read_kept,
)

__all__ = [
    "Config",
    "ConfigError",
    "Experiment",
    "changed_keys",
    "default_config",
    "describe_changes",
    "dump_config",
    "inference_overrides",
    "load_config",
    "load_experiment",
    "load_run_config",
    "read_experiment",
    "read_holdout",
    "read_kept",
]
