"""Write TensorBoard's scalars to a file whose name does not contain the name of the machine."""

from __future__ import annotations

import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from reid_gl.files import make_folder


class EventFile:
    """A new event file in a folder, which is created.

    Args:
        folder: folder of the event files.
        purge_step: TensorBoard ignores earlier files from this step on; None to ignore nothing.
    """

    def __init__(self, folder: Path, *, purge_step: int | None = None) -> None:
        make_folder(folder)
        now = time.time_ns()  # TensorBoard reads the files in the order of their names
        name = f"events.out.tfevents.{now // 10**9:010d}.{now % 10**9:09d}"
        self._writer = RecordWriter((folder / name).open("xb"))
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Add one number."""
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self._write(Event(step=step, summary=summary))

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())
        self._writer.flush()
