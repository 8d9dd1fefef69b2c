"""Hostile files and words given to the commands, each trial in a process with limits; counts the answers.

    PYTHONPATH=. python benchmarks/hostile_commands.py --out trials.jsonl [--only TEXT] [--sample N]

Good files are made first: people, tables, features, a checkpoint and exports of it, runs and a report on one,
a sequence, a video, a gallery. For each place where a command takes a file, hostile ones take the good one's
place, and others the place of what it writes; options and keys get odd words. Each trial is a new process,
forked from one that has imported the package and computed nothing, so a crash, a hang or a lack of memory
ends that trial alone.

A trial is clear if the command succeeds or ends in an error that names the file or the word, in words of
this package; unclear with a traceback or a library's own words; else a crash, out of memory or out of time.
Appends one JSON line per trial and skips those that the file has. A sample takes the same share of each kind
of input. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import pkgutil
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hostile_good_files import make_good_files
from hostile_json import JSON_SORTS, is_json
from hostile_places import OUTPUT_SORTS, OUTPUTS, PLACES
from hostile_words import odd_words

import reid_gl
from reid_gl.cli.main import main as run_command

SECONDS, MORE_GB = 90.0, 3.0
OPTIONAL = ("h5py", "onnx", "onnxruntime", "pyarrow.parquet", "safetensors.torch", "scipy.io", "timm")
"""Modules that the package imports only when they are needed; none of them starts threads."""
MOST_LETTERS = 2_200
"""Of a message."""
FOREIGN_WORDS = re.compile(
    r"\[Errno|codec can't|torch\.|size mismatch|[Uu]npickl|invalid load key|Expecting value|cannot reshape|"
    r"index out of range|NoneType|unexpected keyword|not subscriptable|has no attribute|PytorchStream|"
    r"Error\(s\) in loading|No columns to parse|invalid literal|could not convert|argument must be|"
    r"takes \d+ positional|KeyError|IndexError|AttributeError|AssertionError|not iterable|ambiguous"
)
"""Words of Python, NumPy and torch that help nobody."""
HOSTILE: dict[str, Callable[[Path, bytes], object]] = {
    "missing": lambda path, good: None,
    "empty": lambda path, good: path.write_bytes(b""),
    "half": lambda path, good: path.write_bytes(good[: len(good) // 2]),
    "noise": lambda path, good: path.write_bytes(random.Random(0).randbytes(3000)),
    "bits flipped": lambda path, good: path.write_bytes(flipped(good, 0)),
    "other bits flipped": lambda path, good: path.write_bytes(flipped(good, 1)),
    "zeros inside": lambda path, good: path.write_bytes(good[:40] + bytes(64) + good[104:]),
    "NULs": lambda path, good: path.write_bytes(bytes(500)),
    "UTF-16": lambda path, good: path.write_bytes(good.decode("latin-1").encode("utf-16")),
    "other text": lambda path, good: path.write_bytes(b"Dear all,\n\nplease find enclosed [the {list.\n"),
    "deep brackets": lambda path, good: path.write_bytes(b"[" * 5000 + b"]" * 5000),
    "list": lambda path, good: path.write_bytes(b"[1, 2, 3]\n"),
    "web page": lambda path, good: path.write_bytes(b"<!DOCTYPE html>\n<html><body>404</body></html>\n"),
    "LFS pointer": lambda path, good: path.write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    ),
    "folder": lambda path, good: path.mkdir(),
    "pipe": lambda path, good: os.mkfifo(path),
    "device": lambda path, good: path.symlink_to("/dev/zero"),
    "link to itself": lambda path, good: path.symlink_to(path),
    "dangling link": lambda path, good: path.symlink_to(path.with_name("nowhere")),
    "20 GB of nothing": lambda path, good: (path.touch(), os.truncate(path, 20 * 2**30)),
    "20 GB after a good beginning": lambda path, good: (
        path.write_bytes(good),
        os.truncate(path, 20 * 2**30),
    ),
}


@dataclass(frozen=True)
class Trial:
    """One command with one hostile file, or one odd word.

    Attributes:
        kind: what kind of input is hostile, for the table.
        name: identifies the trial.
        words: the command's words, relative to the folder of good files.
        file: the file that is replaced, or "".
        sort: how, a name of HOSTILE, or "".
        named: what a message must contain one of.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    file: str
    sort: str
    named: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="trials whose name contains this")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many trials; default: all")
    parser.add_argument("--seed", type=int, default=7, help="of the order and of the sample")
    options = parser.parse_args()
    done = {json.loads(line)["name"] for line in options.out.open()} if options.out.exists() else set()
    with tempfile.TemporaryDirectory(prefix="hostile") as name, options.out.open("a") as out:
        good, work = Path(name, "good"), Path(name, "work")
        work.mkdir()
        process = os.fork()  # evaluation cannot run in children of a process that evaluated
        if process == 0:
            make_good_files(work)
            os._exit(0)
        if os.waitpid(process, 0)[1]:
            raise RuntimeError("the good files could not be made")
        work.rename(good)  # trials work in copies at the place where the files were made
        import_everything()
        trials = draw([one for one in all_trials() if options.only in one.name], options.sample, options.seed)
        trials = [one for one in trials if one.name not in done]
        sys.stderr.write(f"{len(trials)} trials\n")
        for trial in trials:
            answer, detail, seconds = attempt(trial, good, work)
            line = {"name": trial.name, "kind": trial.kind, "answer": answer, "seconds": round(seconds, 1)}
            out.write(json.dumps({**line, "detail": detail[-600:]}) + "\n")
            out.flush()
    count(options.out)


def import_everything() -> None:
    """Import what the commands import, so that a forked process starts at once."""
    for name in (*OPTIONAL, *(module.name for module in pkgutil.walk_packages(reid_gl.__path__, "reid_gl."))):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def shown(value: str) -> tuple[str, ...]:
    """Forms in which a message may show a value."""
    with contextlib.suppress(ValueError):
        return value, str(float(value))
    return (value or "''",)


def draw(trials: Sequence[Trial], count: int | None, seed: int) -> list[Trial]:
    """Shuffle the trials, so that a run that is stopped is a sample; take an equal share of each kind."""
    rng = random.Random(seed)
    shuffled = rng.sample(trials, len(trials))
    if count is None:
        return shuffled
    kinds: dict[str, list[Trial]] = defaultdict(list)
    for trial in shuffled:
        kinds[trial.kind].append(trial)
    taken = {one.name for own in kinds.values() for one in own[: -(-count * len(own) // len(trials))]}
    return [one for one in shuffled if one.name in taken]


def all_trials() -> Iterator[Trial]:
    for place in PLACES:
        words = (*place.words,)
        yield Trial(place.kind, f"{place.name}: good", words, "", "", ())
        for sort in (*HOSTILE, *(JSON_SORTS if is_json(place.file) else ())):
            named = (Path(place.file).name, Path(place.file).stem, Path(place.file).parent.name or "-")
            yield Trial(place.kind, f"{place.name}: {sort}", words, place.file, sort, named)
    for place in OUTPUTS:
        for sort in OUTPUT_SORTS:
            named = (Path(place.file).name,)
            yield Trial(place.kind, f"{place.name}, new: {sort}", place.words, place.file, sort, named)
    for option, words, value in odd_words():
        name = option.lstrip("-")
        named = (option, name, name.replace("-", "_"), *shown(value))
        yield Trial(
            "words", f"{' '.join(words[:3])} {option} {value!r:.40}", (*words, option, value), "", "", named
        )


def attempt(trial: Trial, good: Path, work: Path) -> tuple[str, str, float]:
    """Run a trial in a copy of the good files; return the answer's class, its text and the time."""
    shutil.copytree(good, work, symlinks=True)
    start = time.monotonic()
    process = os.fork()
    if process == 0:
        be_trial(trial, work)
    status = 0
    while time.monotonic() - start < SECONDS:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        status = -1
    seconds = time.monotonic() - start
    text, answer = (
        path.read_text(errors="replace") if path.exists() else ""
        for path in (work / ".stderr", work / ".stdout")
    )  # `gallery verify` says on stdout what is broken, and ends in 1
    shutil.rmtree(work, ignore_errors=True)
    if status == -1:
        return "time", text[-300:], seconds
    if os.WIFSIGNALED(status):
        return "crash", f"signal {os.WTERMSIG(status)}: {text[-300:]}", seconds
    return *judge(trial, os.WEXITSTATUS(status), text or answer), seconds


def be_trial(trial: Trial, work: Path) -> None:
    """Be the process of a trial."""
    code = 99
    try:
        os.chdir(work)
        if trial.file:
            path = next(Path().glob(trial.file), Path(trial.file))
            content = path.read_bytes() if path.exists() else b""
            path.unlink(missing_ok=True)
            if trial.sort in JSON_SORTS:
                path.write_text(JSON_SORTS[trial.sort](content.decode()))
            else:
                HOSTILE[trial.sort](path.absolute(), content)
        for number, file in ((1, ".stdout"), (2, ".stderr")):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * 4096 + int(MORE_GB * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = run_command(list(trial.words))
    except SystemExit as stop:  # of argparse
        code = int(stop.code or 0)
    except BaseException:  # what a user would see as a traceback
        os.write(2, traceback.format_exc().encode())
        code = 98
    finally:
        sys.stderr.flush()
        os._exit(code)


def flipped(good: bytes, seed: int) -> bytes:
    """Flip some bits, most of them near the beginning."""
    rng, content = random.Random(seed), bytearray(good)
    for most in (400, 400, len(good)):
        content[rng.randrange(min(most, len(good)))] ^= 1 << rng.randrange(8)
    return bytes(content)


def judge(trial: Trial, code: int, text: str) -> tuple[str, str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if code == 0 or "nowhere.ckpt" in text:  # the word was accepted: the command came to its weights
        return "accepted", ""
    errors = [line for line in lines if line.startswith("E ")] or lines[-1:]
    message = " ".join(errors)
    if "MemoryError" in text or "not enough memory" in text or "can't allocate" in text:
        return "memory", message
    if "Traceback" in text:
        return "unclear", " ".join(lines[-3:])
    if (
        len(message) > MOST_LETTERS
        or FOREIGN_WORDS.search(message)
        or not any(word in text for word in trial.named or ("",))
    ):
        return "unclear", message
    return "clear", message


def count(path: Path) -> None:
    """Print the table of answers by kind of input."""
    lines = [json.loads(line) for line in path.open()]
    answers = ("accepted", "clear", "unclear", "memory", "time", "crash")
    sys.stdout.write(f"| input | trials | {' | '.join(answers)} |\n|---|{'---|' * (len(answers) + 1)}\n")
    for kind in [*dict.fromkeys(line["kind"] for line in lines), ""]:
        found = Counter(line["answer"] for line in lines if kind in ("", line["kind"]))
        cells = " | ".join(str(found[answer]) for answer in answers)
        sys.stdout.write(f"| {kind or 'all'} | {found.total()} | {cells} |\n")


if __name__ == "__main__":
    main()
