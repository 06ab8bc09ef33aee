"""The note beside a part: what archive its bytes belong to, and the lock on the part.

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

#: How long a note is, in bytes. It is written in one piece of this length, so that a killed process
#: leaves either the old one or the new one.
_SIZE = 4096

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_PRIVATE = re.compile(r"\.[0-9a-f]{8}~")


def is_strong_etag(etag: Any) -> bool:
    """Say whether an ETag is strong, so that it tells if bytes are the same, and can be sent."""
    return isinstance(etag, str) and _STRONG_ETAG.fullmatch(etag) is not None


class Noted(NamedTuple):
    """What a note says. Empty if it is damaged or belongs to another export."""

    #: The strong ETag of the archive that the bytes belong to, and its length. None if unknown.
    etag: str | None = None
    total: int | None = None
    #: The file that holds other bytes of this download.
    private: Path | None = None


class Note:
    """A note, and the lock on it.

    :param path: the final path of the archive.
    :param export_id: the export that the archive belongs to.
    """

    def __init__(self, path: Path, export_id: str) -> None:
        self._archive = path
        self._path = path.with_name(f"{path.name}.part.json")
        self._export_id = export_id
        self._descriptor: int | None = None
        self._is_removed = False

    @property
    def is_open(self) -> bool:
        """Whether it is open and locked."""
        return self._descriptor is not None

    def try_open(self, *, leftovers_only: bool) -> bool:
        """Open it and lock it.

        :param leftovers_only: whether to open it only if it exists.
        :return: False if someone else has locked it, or if it does not exist.
        :raises OSError: if it cannot be created, is not a regular file, or cannot be locked.
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
            # The previous holder of the lock has removed the file between the two calls.
            os.close(descriptor)

    def _open(self, *, leftovers_only: bool) -> tuple[int, bool] | None:
        while True:
            descriptor = files.open_regular(self._path, os.O_RDWR)
            if descriptor is not None:
                if os.fstat(descriptor).st_nlink > 1:
                    os.close(descriptor)
                    raise FileExistsError(
                        f"{str(self._path)!r} has another name too, and is left as it is"
                    )
                return descriptor, False
            if leftovers_only:
                return None
            with contextlib.suppress(FileExistsError):
                return files.create(self._path, append=False), True

    def read(self) -> Noted:
        """Return what the note says."""
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
        """Replace what the note says."""
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

        This is done while it is locked. Afterwards the file may belong to another download.
        """
        assert self._descriptor is not None  # noqa: S101  # it is open
        self._is_removed = True
        if files.has_name(self._descriptor, self._path):
            files.remove(self._path)

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor is None:
            return
        files.unlock(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        if sys.platform == "win32" and self._is_removed:
            # Windows does not remove an open file, be it this one or one of another download.
            files.remove(self._path)
