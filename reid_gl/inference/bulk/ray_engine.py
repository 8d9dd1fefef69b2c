"""Compute parts with Ray Data, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from reid_gl.inference.bulk.parquet_parts import Part, PartWriter

ADDRESS_VARIABLE = "RAY_ADDRESS"
HERE = "local"
"""Ray's address for a cluster of its own on this machine."""
SECONDS_TO_CONNECT = 10.0


class PartActor:
    """What Ray Data keeps in each worker process."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer

    def __call__(self, batch: Mapping[str, Sequence[Part]]) -> dict[str, list[Any]]:
        """Write the parts of a batch; return their first rows and the reasons of those that failed."""
        parts = batch["part"]
        return {
            "start": [part.start for part in parts],
            "error": [self._writer.write(part) for part in parts],
        }


def import_ray() -> Any:  # noqa: ANN401 - it is optional
    """Import the module ray, with ray.data.

    Raises:
        ImportError: ray or what ray.data needs is not installed.
    """
    try:
        importlib.import_module("ray.data")
    except ImportError as error:
        raise ImportError(
            f"--engine ray needs Ray Data ({error}): pip install 'reid_gl[ray]', or use --engine local"
        ) from None
    return importlib.import_module("ray")


def write_parts(
    parts: Sequence[Part], writer: PartWriter, *, device: str
) -> Generator[tuple[int, str], None, None]:
    """Write parts with workers of Ray; a part whose worker is killed is given to another worker.

    Ray is started on this machine, or connected to the cluster that RAY_ADDRESS names. If the caller is
    already connected, that connection is used and kept.

    Args:
        parts: the parts to write, at least one.
        writer: copied into each worker.
        device: device of the extractors. With "auto", workers have a GPU each if the cluster has any.

    Yields:
        First row of each part that was attempted, in any order, and "" or the reason why it failed.

    Raises:
        ConnectionError: the cluster cannot be reached, or none can be started.
        ValueError: the cluster does not have the device.
    """
    ray = import_ray()
    with _connected(ray):
        num_workers, resources = share_out(ray.cluster_resources(), device)
        num_workers = min(num_workers, len(parts))
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=num_workers, initial_size=num_workers)
        rows = [{"part": part} for part in parts]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            PartActor, batch_size=1, fn_constructor_args=(writer,), compute=pool, **resources
        )
        for row in dataset.iter_rows():
            yield int(row["start"]), str(row["error"])


def share_out(cluster: Mapping[str, float], device: str) -> tuple[int, dict[str, float]]:
    """Choose how many workers there are and what each of them reserves.

    Args:
        cluster: how much the cluster has of "CPU" and "GPU".
        device: device of the extractors.

    Returns:
        Number of workers, and what each reserves as arguments of map_batches.

    Raises:
        ValueError: the cluster does not have the device, or a GPU was chosen by its number.
    """
    num_gpus, num_cpus = int(cluster.get("GPU", 0)), int(cluster.get("CPU", 0))
    if device.startswith("cuda:"):
        raise ValueError(f"Ray chooses the GPU of each worker: use device cuda, not {device}")
    if device == "cuda" and not num_gpus:
        raise ValueError("device cuda: the Ray cluster has no GPU, use auto or cpu")
    if device in ("auto", "cuda") and num_gpus:
        return num_gpus, {"num_gpus": 1}
    if not num_cpus:
        raise ValueError("the Ray cluster has no CPU for workers: start it with CPUs, or use device auto")
    return num_cpus, {"num_cpus": 1}


@contextlib.contextmanager
def _connected(ray: Any) -> Iterator[None]:  # noqa: ANN401
    if ray.is_initialized():
        _silence(ray)
        yield
        return
    address = os.environ.get(ADDRESS_VARIABLE) or HERE
    check_address(address)
    os.environ.setdefault(
        "RAY_USAGE_STATS_ENABLED", "0"
    )  # Ray reports usage to its makers unless told not to
    local = {"include_dashboard": False} if address == HERE else {}
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **local)
    except (Exception, SystemExit) as error:  # Ray raises plain Exception, and exits if it waited in vain
        raise _unreachable(address, error) from None
    try:
        _silence(ray)
        yield
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Check that something answers at host:port, because Ray itself waits for minutes.

    Args:
        address: "local", "auto", host:port or ray://host:port.

    Raises:
        ConnectionError: nothing answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str, error: BaseException) -> ConnectionError:
    reason = " ".join(str(error).split())[:200]
    if address == HERE:
        return ConnectionError(
            f"cannot start Ray on this machine ({reason}): try again when the machine is less busy, or use "
            "--engine local"
        )
    return ConnectionError(
        f"cannot connect to the Ray cluster {address} ({reason}): check {ADDRESS_VARIABLE}, that the "
        "cluster runs, and its token (RAY_AUTH_TOKEN) if it asks for one; or unset it to use this machine"
    )


def _silence(ray: Any) -> None:  # noqa: ANN401
    """Show neither the progress bars nor the reports of Ray Data beside ours."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
