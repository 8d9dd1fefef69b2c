from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.inference.bulk import ray_engine
from reid_gl.inference.bulk.crop_lists import CropList, list_crops
from reid_gl.inference.bulk.parquet_parts import PLAN_FILE, Part, PartWriter
from reid_gl.inference.bulk.part_plans import part_ranges
from reid_gl.inference.bulk.ray_engine import (
    PartActor,
    check_address,
    import_ray,
    share_out,
    write_parts,
)
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.tracking.coloured_people import ColourRuntime

# Ray warns of its own future
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning:ray")


class _HangingRuntime(ColourRuntime):
    """The first of all processes that computes a batch leaves its number and goes no further."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, images: Image8) -> np.ndarray:
        with contextlib.suppress(FileExistsError), (self._folder / "hanging").open("x") as file:
            file.write(str(os.getpid()))
            file.flush()
            time.sleep(300)
        return super().__call__(images)


@dataclass(frozen=True)
class _MakeExtractor:
    """Leaves a file named after the process for each extractor that is made."""

    folder: Path
    hangs: bool = False

    def __call__(self) -> FeatureExtractor:
        (self.folder / str(os.getpid())).open("x").close()  # fails if a process makes two
        runtime = _HangingRuntime(self.folder) if self.hangs else ColourRuntime()
        return FeatureExtractor(runtime, batch_size=2)


@pytest.fixture
def people(tmp_path: Path, write_noise: WriteNoise) -> CropList:
    (tmp_path / "people").mkdir()
    for seed in range(24):
        write_noise(f"people/{seed:02d}.png", seed=seed)
    return list_crops(tmp_path / "people")


@pytest.fixture
def writer(tmp_path: Path) -> PartWriter:
    return _make_writer(tmp_path)


def _make_writer(tmp_path: Path, *, hangs: bool = False) -> PartWriter:
    for name in ("out", "processes"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / PLAN_FILE).write_text("{}")
    make = _MakeExtractor(tmp_path / "processes", hangs)
    return PartWriter(make, tmp_path / "out", batch_size=2, skip=False)


@pytest.fixture(scope="module")
def _ray() -> Iterator[Any]:
    """Two workers on this machine, whatever cluster the caller uses."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def _parts(crops: CropList, part_rows: int = 2) -> list[Part]:
    ranges = part_ranges(len(crops), part_rows)
    return [Part(start, crops.rows(rows.start, rows.stop)) for start, rows in ranges.items()]


@pytest.mark.slow
@pytest.mark.usefixtures("_ray")
def test_a_killed_worker_loses_nothing(people: CropList, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    writer, killed = _make_writer(tmp_path, hangs=True), []

    def kill_the_one_that_hangs() -> None:
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ValueError):
                killed.append(int((tmp_path / "processes" / "hanging").read_text()))
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.05)

    killer = threading.Thread(target=kill_the_one_that_hangs)
    killer.start()
    answers = list(write_parts(_parts(people), writer, device="cpu"))  # waits for ever if the part is lost
    killer.join()
    assert sorted(answers) == [(start, "") for start in range(0, 24, 2)]
    made = {path.name for path in (tmp_path / "processes").iterdir()} - {"hanging"}
    assert str(killed[0]) in made
    assert len(made) >= 2
    assert str(os.getpid()) not in made
    table = parquet.read_table(tmp_path / "out")
    assert table["path"].to_pylist() == list(people.paths)
    expected = FeatureExtractor(ColourRuntime())(list(people.paths))
    np.testing.assert_allclose(table["feature"].to_pylist(), expected, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("_ray")
def test_a_reason_comes_back_and_the_other_parts_are_written(
    people: CropList, writer: PartWriter, tmp_path: Path
) -> None:
    Path(people.paths[3]).unlink()
    answers = dict(write_parts(_parts(people.rows(0, 6)), writer, device="cpu"))
    assert sorted(answers) == [0, 2, 4]
    assert answers.pop(2).endswith("03.png does not exist")
    assert set(answers.values()) == {""}
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 2


def test_an_actor_answers_for_each_part(people: CropList, writer: PartWriter) -> None:
    pytest.importorskip("pyarrow")
    Path(people.paths[2]).unlink()
    answers = PartActor(writer)({"part": _parts(people.rows(0, 4))})
    assert answers["start"] == [0, 2]
    assert answers["error"][0] == ""
    assert answers["error"][1].endswith("02.png does not exist")


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(
        ImportError, match=r"--engine ray needs Ray Data .*pip install 'reid_gl\[ray\]', or use"
    ):
        import_ray()


@pytest.mark.parametrize(
    ("cluster", "device", "expected"),
    [
        ({"CPU": 2.0}, "auto", (2, {"num_cpus": 1})),
        ({"CPU": 16.0, "GPU": 4.0}, "auto", (4, {"num_gpus": 1})),
        ({"CPU": 16.0, "GPU": 4.0}, "cuda", (4, {"num_gpus": 1})),
        ({"CPU": 16.0, "GPU": 4.0}, "cpu", (16, {"num_cpus": 1})),
    ],
)
def test_workers_of_a_cluster(
    cluster: dict[str, float], device: str, expected: tuple[int, dict[str, float]]
) -> None:
    assert share_out(cluster, device) == expected


@pytest.mark.parametrize(
    ("cluster", "device", "message"),
    [
        ({"CPU": 2.0}, "cuda", "the Ray cluster has no GPU"),
        ({"GPU": 2.0}, "cuda:1", "Ray chooses the GPU of each worker"),
        ({"GPU": 2.0}, "cpu", "the Ray cluster has no CPU"),
    ],
)
def test_devices_that_a_cluster_does_not_have(cluster: dict[str, float], device: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        share_out(cluster, device)


def test_a_cluster_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_address(address)
        check_address(f"ray://{address}")
    for refused in (address, f"ray://{address}"):
        with pytest.raises(
            ConnectionError, match=f"cannot connect to the Ray cluster {refused} .*RAY_ADDRESS"
        ):
            check_address(refused)
    check_address("auto")
    check_address("local")


def test_ray_that_cannot_be_started_on_this_machine(
    people: CropList, writer: PartWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(address: str, **_: Any) -> None:
        raise Exception("The current node timed out during startup.")  # as Ray does on a busy machine

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    fake = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setattr(ray_engine, "import_ray", lambda: fake)
    with pytest.raises(
        ConnectionError, match=r"^cannot start Ray on this machine \(The current .* or use --engine local$"
    ):
        next(write_parts(_parts(people), writer, device="cpu"))
