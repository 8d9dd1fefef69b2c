from __future__ import annotations

import argparse
import importlib
import logging
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from reid_gl.cli.main import COMMANDS, RENAMED, main


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """`reid-gl demo` raises outcome.error, or returns the number of its words."""
    planned = SimpleNamespace(error=None)

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("words", nargs="*")

    def run(options: argparse.Namespace) -> int:
        logging.getLogger("reid_gl.demo").info("seed %d", options.seed)
        if planned.error is not None:
            raise planned.error
        return len(options.words)

    module = SimpleNamespace(add_arguments=add_arguments, run=run)
    monkeypatch.setattr(importlib, "import_module", {"reid_gl.cli.demo": module}.__getitem__)
    return planned


def test_help_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    answer = capsys.readouterr()
    assert answer.err == ""
    assert all(f"  {name} " in answer.out and meaning in answer.out for name, meaning in COMMANDS.items())
    assert main(["fly"]) == 2
    assert "unknown command 'fly'" in capsys.readouterr().err
    assert main([]) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    assert answer.err.startswith("usage: reid-gl <command>")


def test_every_command_has_its_module_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for name, meaning in COMMANDS.items():
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        words = " ".join(capsys.readouterr().out.split())
        assert words.startswith(f"usage: reid-gl {name} ")
        assert meaning in words
    assert set(RENAMED) <= set(COMMANDS)


@pytest.mark.usefixtures("outcome")
def test_the_answer_of_the_command_is_the_exit_code_and_options_may_stand_between_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "a", "--seed", "3", "b"]) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    assert answer.err == "I seed 3\n"


@pytest.mark.parametrize(
    "error", [ValueError("no"), FileNotFoundError("no"), ImportError("no"), TypeError("no")]
)
def test_a_mistake_is_one_line_unless_more_is_asked_for(
    error: Exception, outcome: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome.error = error
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.splitlines()[1:] == [f"E {type(error).__name__}: no"]
    with pytest.raises(type(error), match="no"):
        main(["demo", "--traceback"])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "MemoryError"),
        (MemoryError("Unable to allocate 8.00 TiB for an array"), "Unable to allocate 8.00 TiB for an array"),
        (RuntimeError("[enforce fail]\nDefaultCPUAllocator: can't allocate memory: 99"), "99"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "CUDA out of memory. Tried"),
    ],
)
def test_a_lack_of_memory_is_one_line(
    error: Exception, reason: str, outcome: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome.error = error
    assert main(["demo"]) == 1
    (line,) = capsys.readouterr().err.splitlines()[1:]
    assert line.startswith("E not enough memory (")
    assert line.endswith(f"{reason}): use smaller batches or images, or fewer of them at once")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
        BrokenProcessPool("A process in the process pool was terminated abruptly while"),
    ],
)
def test_a_killed_worker_is_one_line(
    error: Exception, outcome: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome.error = error
    assert main(["demo"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("E a worker process was killed, as systems do when memory runs out (")
    assert line.endswith("): use fewer workers")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device"), "OSError: No space left on device"),
        (
            PermissionError(13, "Permission denied", "run/.lock"),
            "PermissionError: run/.lock: Permission denied",
        ),
        (OSError(18, "Invalid link", "a", None, "b"), "OSError: a: b: Invalid link"),
        (FileNotFoundError("a.csv does not exist"), "FileNotFoundError: a.csv does not exist"),
    ],
)
def test_an_error_of_the_system_is_shown_without_its_number(
    error: Exception, line: str, outcome: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome.error = error
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"E {line}"


def test_a_current_folder_that_was_deleted(
    outcome: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("a").absolute()
    outcome.error = caught.value
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.endswith("the current folder was deleted: change to another one\n")


def test_an_error_of_the_program_itself_keeps_its_traceback(outcome: SimpleNamespace) -> None:
    outcome.error = RuntimeError("a mistake in the code")
    with pytest.raises(RuntimeError, match="a mistake"):
        main(["demo"])


def test_a_message_that_quotes_a_whole_file_is_shortened(
    outcome: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome.error = ValueError(f"table.csv holds {'[' * 10**6}: add commas")
    assert main(["demo"]) == 1
    answer = capsys.readouterr().err
    assert "E ValueError: table.csv holds [[" in answer
    assert "[[ [...] [[" in answer
    assert answer.endswith("[[: add commas\n")
    assert len(answer) < 2_100


def test_other_errors_are_ours_and_are_shown_whole(outcome: SimpleNamespace) -> None:
    outcome.error = KeyError("left over")
    with pytest.raises(KeyError, match="left over"):
        main(["demo"])


def test_interrupted_by_the_keyboard(outcome: SimpleNamespace) -> None:
    outcome.error = KeyboardInterrupt()
    assert main(["demo"]) == 130
