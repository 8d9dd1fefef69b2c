"""Header of a benchmark page, with command, commit and hardware; measurement of memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


def print_header(title: str) -> None:
    """Print title, command, commit, date and hardware as Markdown."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} cores, {cpu}"
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    print(f"# {title}\n")
    print(f"- command: `python {' '.join(sys.argv)}`")
    print(f"- commit: {commit}; date: {time.strftime('%Y-%m-%d')}")
    print(f"- hardware: {device}; {platform.platform()}; torch {torch.__version__}\n", flush=True)


def extra_megabytes(call: Callable[[], object]) -> float:
    """Return the peak memory of this process during a call, minus its memory before, in MiB; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status_megabytes("VmRSS")
    call()
    return _status_megabytes("VmHWM") - before


def _status_megabytes(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024
