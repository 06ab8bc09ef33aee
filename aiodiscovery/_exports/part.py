"""The files on disk of a download that is not complete.

The bytes are in ``<name>.part``. The note beside it, ``<name>.part.json``, says which archive they
belong to. The holder of the lock on that note has the part to itself. The operating system releases
the lock when a process ends, however it ends.

The locks of some file systems do not work. So what must never happen does not depend on them: a
file is written only by the ``Part`` that created it, and only such a file is published. The bytes
of an earlier download are copied into a new file before anything is appended.

A download that starts over keeps the old bytes until the new ones have proved themselves. The new
ones are in a file with a private name, which is in the note.
"""

import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from anyio import ClosedResourceError, from_thread

from . import files
from .archive import Flaw, find_flaw
from .note import Note, Noted

__all__ = ["Part"]

#: The most unreadable archives that may be kept beside each other.
_MOST_UNVERIFIED = 99


@dataclass
class _Bytes:
    """The bytes of an archive on disk, from the first one on."""

    path: Path
    descriptor: int
    #: Whether this Part created the file, so that no other one writes to it.
    is_own: bool
    size: int
    #: The length of the archive in bytes; None if unknown.
    total: int | None
    #: The strong ETag of the archive; None if it has none.
    etag: str | None
    #: Whether all of them are known to come from one answer.
    in_one_piece: bool = False

    @property
    def offset(self) -> int:
        if self.etag is None or not self.size:
            return 0
        if self.total is not None and self.size > self.total:
            return 0
        return self.size - (self.size == self.total)


class Part:
    """The part of an archive that is on disk.

    All methods block and are meant for threads, except :meth:`close`.

    :param path: the final path of the archive.
    :param export_id: the export that the archive belongs to.
    """

    def __init__(self, path: Path, export_id: str) -> None:
        self.path = path
        self.export_id = export_id
        self._data_path = path.with_name(f"{path.name}.part")
        self._note = Note(path, export_id)
        # When asyncio cancels a task, its call may still run in a thread.
        self._mutex = threading.Lock()
        self._closed = False
        #: The bytes in the part file, and those that are to replace them once proved.
        self._main: _Bytes | None = None
        self._new: _Bytes | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._note.is_open

    @property
    def size(self) -> int:
        """The number of bytes that have arrived."""
        return 0 if self._bytes is None else self._bytes.size

    @property
    def total(self) -> int | None:
        """The length of the archive in bytes; None if unknown."""
        return None if self._bytes is None else self._bytes.total

    @property
    def etag(self) -> str | None:
        """The strong ETag of the archive that the bytes belong to; None if it has none."""
        return None if self._bytes is None else self._bytes.etag

    @property
    def in_one_piece(self) -> bool:
        """Whether all bytes are known to come from one answer."""
        return self._bytes is not None and self._bytes.in_one_piece

    @property
    def offset(self) -> int:
        """Where the download continues; 0 if it has to start over.

        For a whole archive this is its last byte. The answer for it shows if it is still the same.
        """
        return 0 if self._bytes is None else self._bytes.offset

    @property
    def is_whole(self) -> bool:
        """Whether it is as long as it has to be."""
        return self._bytes is not None and self._bytes.size == self._bytes.total

    @property
    def _bytes(self) -> _Bytes | None:
        return self._new or self._main

    def try_open(self, *, leftovers_only: bool = False) -> bool:
        """Open it, with what an earlier download has left.

        :param leftovers_only: whether to open it only if there is something to open.
        :return: False if another download has it open.
        :raises OSError: if it cannot be created, is not a regular file, or cannot be locked.
        """
        with self._mutex:
            if self._closed or not self._note.try_open(leftovers_only=leftovers_only):
                return False
            self._load()
            return True

    def _load(self) -> None:
        noted = self._note.read()
        if noted.private is not None:
            # The private file of a download that was killed while it started over.
            files.remove(noted.private)
        if files.stat_regular(self._data_path) is None or noted.etag is None:
            return
        descriptor = files.open_regular(self._data_path)
        if descriptor is not None:
            size = os.fstat(descriptor).st_size
            self._main = _Bytes(
                self._data_path,
                descriptor,
                is_own=False,
                size=size,
                total=noted.total,
                etag=noted.etag,
            )

    def begin(self, etag: str | None, total: int | None) -> None:
        """Start over, with an archive that has this ETag and this length.

        Bytes from which a download could continue are kept until the new ones have proved
        themselves.
        """
        with self._mutex:
            self._check_open()
            self._discard_new()
            if self._main is not None and self._main.offset:
                private = files.private_name(self.path)
                self._write_note(self._main, private)
                self._new = _Bytes(
                    private, files.create(private), is_own=True, size=0, total=total, etag=etag
                )
                self._new.in_one_piece = True
                return
            self._start(etag, total)

    def _start(self, etag: str | None, total: int | None) -> None:
        """Create the part file, empty."""
        self._write_note()
        self._discard_main()
        # In this order, a process that is killed in between leaves nothing that is wrong.
        descriptor = self._create_part()
        self._main = _Bytes(
            self._data_path, descriptor, is_own=True, size=0, total=total, etag=etag
        )
        self._main.in_one_piece = True
        self._write_note(self._main)

    def _create_part(self) -> int:
        try:
            return files.create(self._data_path)
        except FileExistsError:
            # A file that its note does not mention, or that belongs to another download by now.
            files.stat_regular(self._data_path)
            self._data_path.unlink(missing_ok=True)
            return files.create(self._data_path)

    def go_on(self, total: int | None) -> None:
        """Note that the next bytes come from another answer, which begins at the offset."""
        with self._mutex:
            self._check_open()
            offset = self.offset
            if self._new is not None:
                # Two answers have now been of the same archive.
                self._promote()
            assert self._main is not None  # noqa: S101  # otherwise there is no offset
            if not self._main.is_own:
                self._adopt(offset)
            elif self._main.size > offset:
                os.ftruncate(self._main.descriptor, offset)
            self._main.size = offset
            self._main.in_one_piece = False
            if self._main.total is None and total is not None:
                self._main.total = total
                self._write_note(self._main)

    def _adopt(self, length: int) -> None:
        """Copy the bytes that an earlier download left into a file created here."""
        left = self._main
        assert left is not None  # noqa: S101  # there is something to adopt
        if sys.platform == "win32":
            # Locks work on Windows, and an open file is never replaced there.
            os.close(left.descriptor)
            left.descriptor = os.open(left.path, os.O_RDWR | os.O_APPEND | os.O_BINARY)
            os.ftruncate(left.descriptor, length)
            left.is_own = True
            return
        private = files.private_name(self.path)
        self._write_note(left, private)
        descriptor = files.copy(left.descriptor, private, length, self._check_wanted)
        try:
            os.replace(private, self._data_path)
        except BaseException:
            os.close(descriptor)
            files.remove(private)
            raise
        os.close(left.descriptor)
        left.descriptor, left.is_own = descriptor, True
        self._write_note(left)

    def _promote(self) -> None:
        """Replace the old bytes with the new ones."""
        new = self._new
        assert new is not None  # noqa: S101  # there is something to promote
        # Between the two steps neither note would be right.
        self._write_note(private=new.path)
        self._discard_main()
        if sys.platform == "win32":
            os.close(new.descriptor)  # Windows cannot rename an open file
            os.replace(new.path, self._data_path)
            new.descriptor = os.open(self._data_path, os.O_RDWR | os.O_APPEND | os.O_BINARY)
        else:
            os.replace(new.path, self._data_path)
        new.path = self._data_path
        self._main, self._new = new, None
        self._write_note(new)

    def settle(self) -> None:
        """Decide which bytes to continue with after an answer broke off: the old or the new ones.

        New ones from which a download cannot continue are worth nothing. If both belong to the same
        archive, the longer ones win.
        """
        with self._mutex:
            if self._closed or self._new is None:
                return
            assert self._main is not None  # noqa: S101  # that is why there are new ones
            if not self._new.offset:
                self._discard_new()
            elif self._new.etag == self._main.etag:
                if self._new.size > self._main.size:
                    self._promote()
                else:
                    self._discard_new()

    def drop_new(self) -> None:
        """Drop the bytes that came last, and go back to older ones, if there are any."""
        with self._mutex:
            self._check_open()
            if self._new is not None:
                self._discard_new()
                self._write_note(self._main)
            else:
                self._discard_main()
                self._write_note()

    def clear(self) -> None:
        """Drop everything."""
        with self._mutex:
            self._check_open()
            self._discard_new()
            self._discard_main()
            if files.stat_regular(self._data_path) is not None:
                files.remove(self._data_path)  # a file that its note does not mention
            self._write_note()

    def append(self, chunk: bytes) -> None:
        """Write the next bytes."""
        with self._mutex:
            self._check_open()
            target = self._bytes
            assert target is not None  # noqa: S101  # begin() or go_on() came before
            assert target.is_own  # noqa: S101
            files.write(target.descriptor, chunk, target.path)
            target.size += len(chunk)

    def find_flaw(self) -> Flaw | None:
        """Say what is wrong with the archive; None if nothing is."""
        with self._mutex:
            self._check_open()
            assert self._bytes is not None  # noqa: S101  # begin() or go_on() came before
            descriptor = os.dup(self._bytes.descriptor)
        try:
            return find_flaw(descriptor, self._check_wanted)
        finally:
            os.close(descriptor)

    def _check_wanted(self) -> None:
        from_thread.check_cancelled()
        if self._closed:
            # Cancelled by asyncio itself, which anyio does not know of.
            raise ClosedResourceError

    def _check_open(self) -> None:
        if self._closed or not self._note.is_open:
            raise ClosedResourceError

    def publish(self, replaced: os.stat_result | None = None) -> None:
        """Give it its final name.

        :param replaced: the one file that may have that name already.
        :raises FileExistsError: if something else has it.
        """
        with self._mutex:
            self._check_open()
            self._publish_as(self.path, replaced)

    def keep_unverified(self) -> Path:
        """Keep it beside its final name, under a name that says that it could not be verified.

        :return: that name. If a file with the same bytes exists, its name is returned.
        """
        with self._mutex:
            self._check_open()
            assert self._bytes is not None  # noqa: S101  # it is complete
            for number in range(1, _MOST_UNVERIFIED + 1):
                suffix = "unverified" if number == 1 else f"unverified-{number}"
                path = self.path.with_name(f"{self.path.name}.{suffix}")
                with contextlib.suppress(FileExistsError, IsADirectoryError):
                    other = files.open_regular(path)
                    if other is None:
                        self._publish_as(path, None)
                        return path
                    try:
                        if files.same_content(other, self._bytes.descriptor, self._check_wanted):
                            self._discard_new()
                            self._discard_main()
                            self._write_note()
                            return path
                    finally:
                        os.close(other)
            raise FileExistsError(
                f"there are {_MOST_UNVERIFIED} archives beside {str(self.path)!r}"
            )

    def _publish_as(self, name: Path, replaced: os.stat_result | None) -> None:
        done = self._bytes
        assert done is not None  # noqa: S101  # it is complete
        assert done.is_own  # noqa: S101  # its last byte came in this download
        os.fsync(done.descriptor)
        files.give_name(done.descriptor, done.path, name, self._check_wanted, replaced)
        if sys.platform != "win32":  # Windows required closing it before
            os.close(done.descriptor)
        if done is self._main:
            self._main = None
        self._new = None
        self._discard_main()
        self._write_note()
        self._note.remove()

    def close(self) -> None:
        """Close it, and leave what is worth keeping.

        Returns at once, unless a call of a cancelled task still runs in its thread.
        """
        # Before the mutex is taken, so that a long call ends early.
        self._closed = True
        with self._mutex:
            if not self._note.is_open:
                return
            with contextlib.suppress(OSError):
                self._leave()
            self._discard_new()
            if self._main is not None:
                os.close(self._main.descriptor)
                self._main = None
            self._note.close()

    def _leave(self) -> None:
        if self._new is not None:
            if self._main is None or self._new.offset >= self._main.offset:
                self._promote()
            else:
                self._discard_new()
                self._write_note(self._main)
        if self._main is not None and not self._main.offset:
            self._discard_main()
        if self._main is None:
            self._note.remove()

    def _discard_new(self) -> None:
        if self._new is not None:
            files.remove(self._new.path)
            os.close(self._new.descriptor)
            self._new = None

    def _discard_main(self) -> None:
        if self._main is not None:
            if files.has_name(self._main.descriptor, self._main.path):
                files.remove(self._main.path)
            os.close(self._main.descriptor)
            self._main = None

    def _write_note(self, about: _Bytes | None = None, private: Path | None = None) -> None:
        etag, total = (None, None) if about is None else (about.etag, about.total)
        self._note.write(Noted(etag, total, private))
