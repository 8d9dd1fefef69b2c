"""Experiment configuration: all keys, their defaults, and the only code that reads them."""

from reid_gl.config.defaults import default_config
from reid_gl.config.load import ConfigError, dump_config, load_config

__all__ = ["ConfigError", "default_config", "dump_config", "load_config"]
