from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from reid_gl.config import load_config
from reid_gl.experiment.comparing import series
from reid_gl.experiment.comparing.jobs import Job
from reid_gl.experiment.comparing.series import (
    OWN_FILES,
    is_share,
    open_series,
    read_result,
    run_unfinished,
    train_or_resume,
)
from reid_gl.training.run_folder import CONFIG_FILE, TRAINING_FILE

WORDS = ["DATA.ROOT", "here"]


@pytest.fixture(autouse=True)
def _known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "describe_environment", lambda: {"torch": "2"})


def test_a_new_folder_says_what_its_runs_have_in_common(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "series"
    open_series(folder, load_config(None, WORDS), kind="comparison")
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG_FILE, "environment.json"]
    assert json.loads((folder / "environment.json").read_text()) == {"torch": "2"}
    before = (folder / CONFIG_FILE).read_text()
    may_change = ["DATA.NUM_WORKERS", "7", "MODEL.DEVICE", "cuda", "OUTPUT_DIR", "elsewhere"]
    open_series(folder, load_config(None, [*WORDS, *may_change]), kind="comparison")
    assert (folder / CONFIG_FILE).read_text() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ["SOLVER.BASE_LR", "0.1"],
            r"holds a matrix of another configuration \(SOLVER.BASE_LR was .*, is now 0.1",
        ),
        (["DATA.ROOT", "elsewhere"], r"DATA.ROOT was 'here', is now 'elsewhere'.*--output"),
    ],
)
def test_a_folder_of_another_configuration_is_refused(
    change: list[str], message: str, tmp_path: Path
) -> None:
    open_series(tmp_path, load_config(None, WORDS), kind="matrix")
    with pytest.raises(ValueError, match=message):
        open_series(tmp_path, load_config(None, [*WORDS, *change]), kind="matrix")


def test_a_folder_with_other_files_is_refused_but_not_one_that_was_stopped_at_once(tmp_path: Path) -> None:
    for name in OWN_FILES:
        (tmp_path / name).touch()
    open_series(tmp_path, load_config(None, WORDS), kind="matrix")
    (tmp_path / CONFIG_FILE).unlink()
    for name in "dcba":
        (tmp_path / name).touch()
    with pytest.raises(
        FileExistsError, match=r"holds a, b, c, and no matrix: choose another folder with --output"
    ):
        open_series(tmp_path, load_config(None, WORDS), kind="matrix")
    assert not (tmp_path / CONFIG_FILE).exists()


@pytest.mark.parametrize("was_begun", [False, True])
def test_a_training_goes_on_where_there_is_a_state(
    was_begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(config: Any, *, resume: bool, stop_signal: Any) -> tuple[Any, ...]:
        return config, resume, stop_signal()

    monkeypatch.setattr(series, "run_training", run)
    if was_begun:
        (tmp_path / TRAINING_FILE).touch()
    config = load_config(None, WORDS)
    assert train_or_resume(config, tmp_path, lambda: 15) == (config, was_begun, 15)


@pytest.mark.parametrize(("is_stopped", "num_looks"), [(False, 4), (True, 2)])
def test_a_run_that_is_still_being_saved_is_waited_for(
    is_stopped: bool,
    num_looks: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="reid_gl")
    looks: list[Path] = []

    def is_in_use(folder: Path) -> bool:
        looks.append(folder)
        (tmp_path / TRAINING_FILE).touch()  # the other process saves
        return len(looks) < 4

    monkeypatch.setattr(series, "is_in_use", is_in_use)
    monkeypatch.setattr(series, "POLL_SECONDS", 0)
    monkeypatch.setattr(series, "run_training", lambda *_, resume, **__: resume)
    assert train_or_resume(load_config(None, WORDS), tmp_path, lambda: 15 * is_stopped)
    assert looks == [tmp_path] * num_looks
    assert caplog.messages == [f"another process still trains in {tmp_path}: waiting for it"]


def test_a_result_that_a_crash_has_damaged(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"mAP": ')
    with pytest.raises(ValueError, match=r"result.json is not JSON .*: delete it to test and train this run"):
        read_result(tmp_path, lambda result: "")
    (tmp_path / "result.json").write_text('{"mAP": 7}')
    assert read_result(tmp_path, lambda result: "") == {"mAP": 7}
    with pytest.raises(ValueError, match=r"result.json has 1 part: delete it to test and train this run"):
        read_result(tmp_path, lambda result: f"has {len(result)} part")


@pytest.mark.parametrize("value", [1.5, -0.1, "0.5", None, True, [0.5], float("nan"), float("inf"), 10**30])
def test_what_is_no_share(value: object) -> None:
    assert not is_share(value)
    assert is_share(0)
    assert is_share(0.25)


def test_a_result_that_is_no_file_is_refused_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    job = Job("one", lambda *_: pytest.fail("trained for nothing"), ())
    with pytest.raises(ValueError, match=r"result.json is not a file but a folder: remove it"):
        run_unfinished({tmp_path: job}, num_jobs=1, device="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff: [", r"config\.yml is no valid YAML"),
        (b"[1]", r"config\.yml must hold keys and values, found list"),
        (b"#" * 1_000_001, r"config\.yml has 1,000,001 bytes, more than the limit"),
    ],
)
def test_a_damaged_configuration_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_series(tmp_path, load_config(None, WORDS), kind="matrix")
