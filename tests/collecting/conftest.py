"""Shared by the tests of collections: a directory on a fast disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

#: A file system in memory, if there is one. The ledger waits for the disk at each step.
IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    if not IN_MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        yield Path(directory)
