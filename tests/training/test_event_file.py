from __future__ import annotations

import re
import socket
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from reid_gl.training.event_file import EventFile


def test_tensorboard_reads_it_and_does_not_learn_whose_machine_it_was(tmp_path: Path) -> None:
    for values, first in (([1.0, 2.0, 3.0], None), ([20.0, 30.0], 1)):
        file = EventFile(tmp_path / "events", purge_step=first)
        for step, value in enumerate(values, start=first or 0):
            file.add_scalar("training/total", value, step)
        file.close()
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [(one.step, one.value) for one in events.Scalars("training/total")] == [(0, 1), (1, 20), (2, 30)]
    for path in (tmp_path / "events").iterdir():
        assert re.fullmatch(r"events\.out\.tfevents\.\d{10}\.\d{9}", path.name)
        assert socket.gethostname().encode() not in path.read_bytes()
