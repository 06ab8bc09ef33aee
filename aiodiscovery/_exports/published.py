"""The file that already has the final name of an archive."""

import os
import threading
from pathlib import Path

from anyio import ClosedResourceError, from_thread

from . import files
from .archive import Flaw, find_flaw

__all__ = ["Published"]


class Published:
    """A regular file that exists, open for reading. It is never written to.

    All methods block and are meant for threads, except :meth:`close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # When asyncio cancels a task, its call may still run in a thread.
        self._mutex = threading.Lock()
        self._closed = False
        self._descriptor: int | None = None

    def open(self) -> os.stat_result | None:
        """Open it and return its status; None if there is no such file.

        :raises IsADirectoryError, FileExistsError: if it is not a regular file.
        """
        with self._mutex:
            if self._closed:
                raise ClosedResourceError
            self._descriptor = files.open_regular(self._path)
            return None if self._descriptor is None else os.fstat(self._descriptor)

    def has_at(self, position: int, chunk: bytes) -> bool:
        """Say whether it has these bytes at a position."""
        with self._mutex:
            if self._descriptor is None:
                raise ClosedResourceError
            return files.read_at(self._descriptor, len(chunk), position) == chunk

    def find_flaw(self) -> Flaw | None:
        """Say what is wrong with the archive; None if nothing is."""
        with self._mutex:
            if self._descriptor is None:
                raise ClosedResourceError
            descriptor = os.dup(self._descriptor)
        try:
            return find_flaw(descriptor, self._check_wanted)
        finally:
            os.close(descriptor)

    def _check_wanted(self) -> None:
        from_thread.check_cancelled()
        if self._closed:
            # Cancelled by asyncio itself, which anyio does not know of.
            raise ClosedResourceError

    def close(self) -> None:
        """Close it. Returns at once."""
        self._closed = True
        with self._mutex:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
