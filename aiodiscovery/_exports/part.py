"""What is on disk of a download that is not complete.

The bytes are in ``<name>.part``. What they are the beginning of is said by the note beside it,
``<name>.part.json``; who holds the lock on that note has the part to itself. The operating system
lets go of the lock when a process ends, however it ends.
"""

import contextlib
import json
import lzma
import os
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from errno import EINVAL
from pathlib import Path
from typing import Any, BinaryIO

from anyio import ClosedResourceError, from_thread

__all__ = ["Part", "find_flaw"]

_CHUNK = 1024 * 1024


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        file.seek(0x7FFF_FFFE)  # what is locked cannot be read, so it is nothing of the note
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        """Do nothing: closing the file is enough."""
else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        # flock(), because a lock of lockf() holds for all of a process.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        # A process that was forked meanwhile has the file open too.
        fcntl.flock(file, fcntl.LOCK_UN)


class Part:
    """The part of an archive that is on disk.

    All methods block: they are for threads, except :meth:`close`.

    :param path: where the archive is to be in the end.
    :param export_id: the export that it is of.
    """

    def __init__(self, path: Path, export_id: str) -> None:
        self.path = path
        self._export_id = export_id
        self._data_path = path.with_name(f"{path.name}.part")
        self._note_path = path.with_name(f"{path.name}.part.json")
        # A task that asyncio cancels leaves a call behind that still runs in its thread.
        self._mutex = threading.Lock()
        self._closed = False
        self._is_done = False
        self._note: BinaryIO | None = None
        self._data: BinaryIO | None = None
        #: How many bytes there are, and how many there will be; None where that is not known.
        self.size = 0
        self.total: int | None = None
        #: The strong ETag of what the bytes are from; None where it has none.
        self.etag: str | None = None
        #: Whether all bytes are known to have come in one answer.
        self.in_one_piece = False

    @property
    def offset(self) -> int:
        """Where the download goes on; 0 where it has to start anew.

        What is whole lacks its last byte: with that comes whether it is still the same.
        """
        if self.etag is None or not self.size:
            return 0
        if self.total is not None and self.size > self.total:
            return 0
        return self.size - self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether it is as long as it has to be."""
        return self.size == self.total

    def try_open(self) -> bool:
        """Open it, with what an earlier download has left.

        :return: False where another download has it open.
        """
        with self._mutex:
            while not self._closed:
                self._note = open(self._note_path, "a+b", buffering=0)  # noqa: SIM115
                if not _try_lock(self._note):
                    self._note.close()
                    self._note = None
                    return False
                if _is_at(self._note, self._note_path):
                    self._data = open(self._data_path, "a+b", buffering=0)  # noqa: SIM115
                    self._load()
                    return True
                # Who had the lock has removed the file between the two calls.
                self._note.close()
        return False

    def _load(self) -> None:
        assert self._note is not None  # noqa: S101  # it is open
        assert self._data is not None  # noqa: S101
        self._note.seek(0)
        try:
            note: Any = json.loads(self._note.read())
            export_id, etag, total = note["exportId"], note["etag"], note["size"]
        except (ValueError, LookupError, TypeError):
            export_id = etag = total = None
        known = isinstance(etag, str) and (total is None or type(total) is int)
        if known and export_id == self._export_id:
            self.etag, self.total = etag, total
            self.size = os.fstat(self._data.fileno()).st_size
        else:
            self._restart(None, None)

    def begin(self, etag: str | None, total: int | None) -> None:
        """Start anew, with what has this ETag and this length."""
        with self._mutex:
            self._restart(etag, total)
            self.in_one_piece = True

    def go_on(self, total: int | None) -> None:
        """Note that what comes next is from another answer, which begins at the offset."""
        with self._mutex:
            assert self._data is not None  # noqa: S101  # it is open
            self.size = self.offset
            self._data.truncate(self.size)
            self.in_one_piece = False
            self.total = total if self.total is None else self.total

    def clear(self) -> None:
        """Forget all of it."""
        with self._mutex:
            self._restart(None, None)

    def _restart(self, etag: str | None, total: int | None) -> None:
        assert self._note is not None  # noqa: S101  # it is open
        assert self._data is not None  # noqa: S101
        # In this order, a process that is killed in between leaves nothing that is wrong.
        self._data.truncate(0)
        self._note.truncate(0)
        self.size, self.total, self.etag, self.in_one_piece = 0, total, etag, False
        note = {"exportId": self._export_id, "etag": etag, "size": total}
        _write(self._note, json.dumps(note).encode("ascii"))

    def append(self, chunk: bytes) -> None:
        """Write what follows."""
        with self._mutex:
            assert self._data is not None  # noqa: S101  # it is open
            _write(self._data, chunk)
            self.size += len(chunk)

    def find_flaw(self) -> str | None:
        """Say what is wrong with the archive that this is; None: nothing."""
        return find_flaw(self._data_path, self._check_wanted)

    def published_size(self) -> int | None:
        """Return the size of a whole archive that has the final name already; None: none has."""
        if not self.path.is_file() or find_flaw(self.path, self._check_wanted) is not None:
            return None
        return self.path.stat().st_size

    def _check_wanted(self) -> None:
        from_thread.check_cancelled()
        if self._closed:
            # By a task that asyncio cancelled, of which anyio does not know.
            raise ClosedResourceError

    def publish(self) -> None:
        """Give it its final name, in place of what has that now."""
        with self._mutex:
            assert self._data is not None  # noqa: S101  # it is open
            os.fsync(self._data.fileno())
            self._data.close()
            os.replace(self._data_path, self.path)
            self._is_done = True
            self._remove_note()

    def close(self) -> None:
        """Let go of it, and leave what is worth keeping.

        Takes no time, unless a call of a cancelled task still runs in its thread.
        """
        with self._mutex:
            self._closed = True
            if self._data is not None and not self._data.closed:
                self._data.close()
                if not self.size:
                    self._is_done = True
                    with contextlib.suppress(OSError):
                        self._data_path.unlink()
                    self._remove_note()
            if self._note is not None and not self._note.closed:
                _unlock(self._note)
                self._note.close()
                if sys.platform == "win32" and self._is_done:
                    # Which removes no file that is open, this one before or another one's now.
                    self._remove_note()

    def _remove_note(self) -> None:
        # While it is locked: afterwards it may be another one's.
        with contextlib.suppress(OSError):
            self._note_path.unlink()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _write(file: BinaryIO, data: bytes) -> None:
    # A file without a buffer may take less than it is given.
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def find_flaw(
    path: Path, check_wanted: Callable[[], object] = from_thread.check_cancelled
) -> str | None:
    """Read a zip archive to its end, with the CRC of every file in it. For a thread of anyio's.

    :param check_wanted: called again and again; what it raises ends the reading.
    :return: what is wrong with it; None: nothing.
    :raises OSError: where it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.flag_bits & 0x1:
                    return f"{member.filename!r} in it is encrypted"
                with archive.open(member) as file:
                    while file.read(_CHUNK):
                        check_wanted()
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error) as error:
        return str(error) or type(error).__name__
    except (NotImplementedError, OverflowError, ValueError) as error:
        return str(error)
    except OSError as error:
        # What bz2 says of bad data, and what seeking to a negative position says.
        if error.errno not in (None, EINVAL):
            raise
        return str(error)
    return None
