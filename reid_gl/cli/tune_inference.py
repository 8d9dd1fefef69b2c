"""`reid-gl tune-inference`: choose test-time settings on held-out training identities."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys

from reid_gl.cli.experiment import (
    add_config_arguments,
    log_little_of_scoring,
    prepare_torch,
    read_arguments,
)
from reid_gl.experiment.comparing.tune_inference import run_tuning
from reid_gl.report.scores import format_scores

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Tune; scores and the resulting test command go to stderr, the JSON object to stdout."""
    experiment = read_arguments(options)
    prepare_torch(experiment.seed)
    log_little_of_scoring()
    result = run_tuning(experiment)
    words = ["reid-gl", "test"]
    if options.config_file:
        words += ["--config-file", options.config_file]
    words += options.overrides
    for key, value in result["settings"].items():
        words += [key, str(value)]
    command = shlex.join(words)
    print(format_scores({name: result[name] for name in ("before", "after")}), file=sys.stderr)
    logger.info("scores on %d held-out identities; settings: %s", result["identities"], result["file"])
    logger.info("test with them: %s", command)
    print(json.dumps({**result, "command": command}))
    return 0
