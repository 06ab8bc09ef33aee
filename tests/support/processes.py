"""Waiting for what other processes do."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["has_size", "wait_until"]


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
    """Wait for something that a process does. If the process ends before, that is an error."""
    while not condition():
        assert process.poll() is None or condition()
        time.sleep(0.002)


def has_size(path: Path, size: int) -> bool:
    """Say whether there is a file of at least this many bytes."""
    return path.exists() and path.stat().st_size >= size
