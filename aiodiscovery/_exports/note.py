"""The note beside a part: what its bytes are the beginning of, and the lock on the part.

All methods block.
"""

import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from . import files

__all__ = ["Note", "Noted", "is_strong_etag"]

#: How long a note is, in bytes. It is written in one piece of this length, so that a process that
#: is killed leaves the old one or the new one.
_SIZE = 4096

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_PRIVATE = re.compile(r"\.[0-9a-f]{8}~")


def is_strong_etag(etag: Any) -> bool:
    """Say whether this is an ETag that tells whether bytes are still the same, and can be sent."""
    return isinstance(etag, str) and _STRONG_ETAG.fullmatch(etag) is not None


class Noted(NamedTuple):
    """What a note says; nothing where it is damaged, or is another export's."""

    #: The strong ETag of what the bytes are from, and how many there will be, None where that is
    #: not known.
    etag: str | None = None
    total: int | None = None
    #: The file in which other bytes of this download are.
    private: Path | None = None


class Note:
    """A note, and the lock on it.

    :param path: where the archive is to be in the end.
    :param export_id: the export that it is of.
    """

    def __init__(self, path: Path, export_id: str) -> None:
        self._archive = path
        self._path = path.with_name(f"{path.name}.part.json")
        self._export_id = export_id
        self._descriptor: int | None = None
        self._is_removed = False

    @property
    def is_open(self) -> bool:
        """Whether it is open, and locked."""
        return self._descriptor is not None

    def try_open(self, *, leftovers_only: bool) -> bool:
        """Open it, and lock it.

        :param leftovers_only: whether to open it only if it is there.
        :return: False where another one has it locked, or where it is not there.
        :raises OSError: where it cannot be made, is not a regular file, or cannot be locked.
        """
        while True:
            opened = self._open(leftovers_only=leftovers_only)
            if opened is None:
                return False
            descriptor, is_new = opened
            try:
                if not files.try_lock(descriptor, self._path):
                    os.close(descriptor)
                    return False
                if files.has_name(descriptor, self._path):
                    self._descriptor = descriptor
                    return True
            except BaseException:
                if is_new:
                    files.remove(self._path)
                os.close(descriptor)
                raise
            # Who had the lock has removed the file between the two calls.
            os.close(descriptor)

    def _open(self, *, leftovers_only: bool) -> tuple[int, bool] | None:
        while True:
            descriptor = files.open_regular(self._path, os.O_RDWR)
            if descriptor is not None:
                if os.fstat(descriptor).st_nlink > 1:
                    os.close(descriptor)
                    raise FileExistsError(
                        f"{str(self._path)!r} is the file of another name too, and is left as it is"
                    )
                return descriptor, False
            if leftovers_only:
                return None
            with contextlib.suppress(FileExistsError):
                return files.create(self._path, append=False), True

    def read(self) -> Noted:
        """Return what it says."""
        assert self._descriptor is not None  # noqa: S101  # it is open
        try:
            text = files.read_at(self._descriptor, _SIZE + 1, 0)
            note: Any = json.loads(text) if len(text) <= _SIZE else None
        except (ValueError, RecursionError):
            note = None
        if not isinstance(note, dict):
            return Noted()
        name = note.get("private")
        private = None
        if isinstance(name, str) and _PRIVATE.fullmatch(name):
            private = self._archive.with_name(f"{self._archive.name}{name}")
        etag, total = note.get("etag"), note.get("size")
        is_known = is_strong_etag(etag) and (
            total is None or (type(total) is int and 0 <= total < 1 << 62)
        )
        if not is_known or note.get("exportId") != self._export_id:
            return Noted(private=private)
        return Noted(etag, total, private)

    def write(self, noted: Noted) -> None:
        """Have it say something else."""
        assert self._descriptor is not None  # noqa: S101  # it is open
        note: dict[str, Any] = {}
        if noted.etag is not None:
            note = {"exportId": self._export_id, "etag": noted.etag, "size": noted.total}
        if noted.private is not None:
            note["private"] = noted.private.name.removeprefix(self._archive.name)
        text = json.dumps(note).encode("ascii").ljust(_SIZE)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        files.write(self._descriptor, text, self._path)
        if os.fstat(self._descriptor).st_size > _SIZE:
            os.ftruncate(self._descriptor, _SIZE)

    def remove(self) -> None:
        """Remove it.

        While it is locked: afterwards it may be another one's.
        """
        assert self._descriptor is not None  # noqa: S101  # it is open
        self._is_removed = True
        if files.has_name(self._descriptor, self._path):
            files.remove(self._path)

    def close(self) -> None:
        """Let go of the lock."""
        if self._descriptor is None:
            return
        files.unlock(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        if sys.platform == "win32" and self._is_removed:
            # Which removes no file that is open, this one before or another one's now.
            files.remove(self._path)
