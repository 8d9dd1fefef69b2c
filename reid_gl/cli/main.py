"""The `reid-gl` command: sub-commands, logging, exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import re
import sys
from collections.abc import Sequence

from reid_gl.distributed.place import Ranks, StoppedTogetherError, launched_ranks

COMMANDS = {
    "train": "train a network and test it",
    "test": "score a checkpoint",
    "report": "show one or several runs on one HTML page: scores, curves, rank lists",
    "plot": "write the figures of a report as SVG, PNG or PDF",
    "tune-inference": "choose re-ranking, pooling and other test-time settings on held-out identities",
    "calibrate": "measure and store a network's thresholds, on labelled images or features",
    "evaluate-features": "score and re-rank features from any program",
    "compare-losses": "train losses with the same budget over several seeds",
    "cross-domain": "train on each of several data sets and test on all of them",
    "make-synthetic": "render the synthetic pedestrians",
    "export": "write a checkpoint as ONNX, OpenVINO or TorchScript",
    "weights": "publish, fetch and verify weights; list the public ones that are recognised",
    "extract": "extract features of a folder, a CSV file of crops, a video or a sequence",
    "watch": "draw the identity of every box into a video, with a contact sheet",
    "gallery": "keep features in a gallery, search it, check it, delete from it",
    "serve": "features, searches and additions to a gallery over HTTP",
    "browse": "look at a gallery in a browser: search by a click, label pairs",
    "check-dataset": "count and show what a data set contains, and find its errors",
    "make-split": "divide a labelled folder or table into train, query and gallery",
    "convert-dataset": "write any data set as a table or in the layout of Market-1501",
    "mot-to-reid": "crop people from MOT Challenge sequences",
    "color-histogram": "score colour histograms, the baseline to beat",
    "extract-cuhk03": "write the images of CUHK03's .mat file",
    "pair-weights": "draw how losses weight the pairs of a batch",
    "demo": "render, train, test and compare, from start to end",
}
RENAMED = {"test": "score"}  # command to module, if pytest would collect a module of the command's name
MOST_LETTERS = 2_000
"""Maximum length of an error message; a longer one quotes a file or lists thousands of things."""
USER_ERRORS = (ValueError, TypeError, OSError, ImportError, ArithmeticError)
OUT_OF_MEMORY = re.compile(r"can't allocate memory|out of memory|Insufficient memory|bad_alloc")
KILLED_WORKER = re.compile(r"worker .*(is killed by signal|exited unexpectedly)|terminated abruptly")
"""Words of torch and of Python's process pools."""

NO_SUCH_FILE = str(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
"""What Python says if the current folder was deleted; with another path missing, it names the path."""
CURRENT_FOLDER_GONE = "the current folder was deleted: change to another one"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: words after the program's name; None takes them from sys.argv.

    Returns:
        Exit code: 0, 1 for a user's mistake, 128 + n after signal n.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in COMMANDS:
        return _print_usage(words)
    place = launched_ranks() or Ranks()
    if place.world_size > 1 and words[0] != "train":
        print(f"torchrun can start train only; {words[0]} is one process: start it without", file=sys.stderr)
        return 2
    # each command imports only what it needs, so that `reid-gl --help` does not wait for torch
    command = importlib.import_module(f"reid_gl.cli.{RENAMED.get(words[0], words[0].replace('-', '_'))}")
    parser = argparse.ArgumentParser(prog=f"reid-gl {words[0]}", description=COMMANDS[words[0]])
    parser.add_argument("--traceback", action="store_true", help="show where an error was raised")
    command.add_arguments(parser)
    options = parser.parse_intermixed_args(words[1:])
    _set_up_logging(place)
    try:
        return int(command.run(options))
    except KeyboardInterrupt:
        return 130
    except StoppedTogetherError:
        return 1
    except USER_ERRORS as error:
        if options.traceback:
            raise
        logging.getLogger("reid_gl").error("%s: %s", type(error).__name__, _shortened(_sentence(error)))
        return 1
    except Exception as error:
        advice = _advice(error)
        if options.traceback or not advice:
            raise
        reason = _shortened(" ".join(str(error).split())) or type(error).__name__
        logging.getLogger("reid_gl").error(advice, reason)
        return 1


def _sentence(error: Exception) -> str:
    """Return an error's message; that of the system begins with the files, and is without its number."""
    if str(error) == NO_SUCH_FILE:
        return CURRENT_FOLDER_GONE
    if isinstance(error, OSError) and error.strerror and str(error).startswith("[Errno"):
        files = [str(file) for file in (error.filename, error.filename2) if file is not None]
        return ": ".join((*files, error.strerror))
    return str(error)


def _advice(error: Exception) -> str:
    """Return a sentence, with a place for the reason, if memory ran out, here or in a worker process."""
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
        return "not enough memory (%s): use smaller batches or images, or fewer of them at once"
    if KILLED_WORKER.search(str(error)):
        return "a worker process was killed, as systems do when memory runs out (%s): use fewer workers"
    return ""


def _shortened(message: str) -> str:
    """Keep both ends of a message that is too long: the first names the file, the last what to do."""
    if len(message) <= MOST_LETTERS:
        return message
    half = MOST_LETTERS // 2
    return f"{message[:half]} [...] {message[-half:]}"


def _print_usage(words: list[str]) -> int:
    wants_help = words[:1] in (["-h"], ["--help"])
    stream = sys.stdout if wants_help else sys.stderr
    if words and not wants_help:
        print(f"unknown command {words[0]!r}", file=stream)
    print("usage: reid-gl <command> [options]; reid-gl <command> --help for its options\n", file=stream)
    for name, meaning in COMMANDS.items():
        print(f"  {name:<16} {meaning}", file=stream)
    return 0 if wants_help else 2


def _set_up_logging(place: Ranks) -> None:
    """Log to stderr without breaking a progress bar; ranks other than the first log errors only."""
    from reid_gl.cli.progress import BarFriendlyHandler

    handler = BarFriendlyHandler()
    name = f"[rank {place.rank}] " if place.rank else ""
    handler.setFormatter(logging.Formatter(f"%(levelname).1s {name}%(message)s"))
    logger = logging.getLogger("reid_gl")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.ERROR if place.rank else logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
