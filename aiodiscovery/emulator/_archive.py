"""The archive behind a download URL: a zip of CSV files. Equal contents give equal bytes.

An archive may be larger than the memory, and its length and tag are needed before its first byte.
So it is written once, file by file and row by row, into a temporary file, which is deleted with it.
"""

import hashlib
import tempfile
import threading
import weakref
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from ._contents import Contents, ContentsMaker
from ._data import generator
from ._tables import csv_chunks

__all__ = ["Archive", "ArchiveAbandoned", "Archives"]

_IN_MEMORY = 1024 * 1024
_CHUNK = 256 * 1024
_KEPT = 16


class ArchiveAbandoned(Exception):  # noqa: N818 - nothing is wrong
    """The archive was not finished, because the server is stopping."""


class _Spool:
    """A temporary file that may have several readers at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()
        # Closing it removes it, once no archive uses it any more.
        weakref.finalize(self, file.close)

    def read(self, position: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(position)
            return self._file.read(size)


class Archive:
    """An archive, and the tag that identifies this exact version of it.

    :param size: its size in bytes
    :param etag: its tag
    """

    def __init__(self, spool: _Spool, size: int, etag: str, wrong: int | None = None) -> None:
        self._spool = spool
        self._wrong = wrong
        self.size = size
        self.etag = etag

    def corrupted(self) -> "Archive":
        """Return a copy with a wrong byte in the middle, and the same tag."""
        return Archive(self._spool, self.size, self.etag, self.size // 2)

    def chunks(self, part: range) -> Iterator[bytes]:
        """Return some of its bytes, in pieces."""
        for position in range(part.start, part.stop, _CHUNK):
            chunk = self._spool.read(position, min(_CHUNK, part.stop - position))
            if self._wrong is not None and 0 <= self._wrong - position < len(chunk):
                at = self._wrong - position
                chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
            yield chunk

    def read(self) -> bytes:
        """Return all its bytes."""
        return b"".join(self.chunks(range(self.size)))


class Archives:
    """Makes archives and keeps the last ones.

    :param size: the least size of an archive in bytes
    """

    def __init__(self, maker: ContentsMaker, size: int) -> None:
        self._maker = maker
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Contents, Archive] = OrderedDict()
        self._locks: weakref.WeakValueDictionary[Contents, Any] = weakref.WeakValueDictionary()

    def get(self, contents: Contents, is_abandoned: Callable[[], bool] = lambda: False) -> Archive:
        """Return the archive with some contents. A large one takes a while.

        :param is_abandoned: called now and then; returns whether to stop, because the server is
            stopping
        :raises ArchiveAbandoned: if so
        """
        with self._lock:
            making = self._locks.setdefault(contents, _Making())
        # A second request for the same archive waits here, and then finds it.
        with making.lock:
            with self._lock:
                archive = self._kept.get(contents)
            if archive is None:
                archive = self._make(contents, is_abandoned)
            with self._lock:
                self._kept[contents] = archive
                self._kept.move_to_end(contents)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return archive

    def _make(self, contents: Contents, is_abandoned: Callable[[], bool]) -> Archive:
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - kept open
        spool = _Spool(file)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            folder = f"{contents.quirks.folder.rstrip('/')}/" if contents.quirks.folder else ""
            sizes: list[int] = []
            for name, table in self._maker.files(contents):
                size = _write(
                    archive, f"{folder}{name}", csv_chunks(table, contents.quirks), is_abandoned
                )
                if size:
                    sizes.append(size)
            if contents.kind == "agent":
                results = self._maker.results(contents, sizes)
                name = f"{folder}{self._maker.account}_results.json"
                archive.writestr(_member(name), results, zipfile.ZIP_DEFLATED)
            if self._size:
                padding = _padding(contents, self._size)
                _write(archive, "Padding.csv", padding, is_abandoned, zipfile.ZIP_STORED)
        digest = hashlib.md5(usedforsecurity=False)
        size = file.seek(0, 2)
        for chunk in Archive(spool, size, "").chunks(range(size)):
            digest.update(chunk)
        return Archive(spool, size, f'"{digest.hexdigest()}"')


class _Making:
    """The lock of an archive that is being made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _write(
    archive: zipfile.ZipFile,
    name: str,
    chunks: Iterable[bytes],
    is_abandoned: Callable[[], bool],
    compression: int = zipfile.ZIP_DEFLATED,
) -> int:
    """Write a file, unless there is nothing to write.

    :return: its size in bytes
    """
    size = 0
    iterator = iter(chunks)
    first = next(iterator, None)
    if first is None:
        return 0
    info = _member(name)
    info.compress_type = compression
    # Its size is not known yet.
    with archive.open(info, "w", force_zip64=True) as file:
        chunk: bytes | None = first
        while chunk is not None:
            if is_abandoned():
                raise ArchiveAbandoned
            size += file.write(chunk)
            chunk = next(iterator, None)
    return size


def _member(name: str) -> zipfile.ZipInfo:
    # A fixed time and system, or the bytes would differ from call to call.
    info = zipfile.ZipInfo(name, date_time=(2025, 6, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _padding(contents: Contents, size: int) -> Iterator[bytes]:
    """Make a table of at least this size in bytes."""
    rng = generator(f"{contents.edition}/{contents.version}", "padding")
    yield b"Digest\r\n"
    left = size // 64 + 1
    while left:
        count = min(left, 1000)
        yield "".join(f"{rng.randbytes(32).hex()}\r\n" for _ in range(count)).encode("ascii")
        left -= count
