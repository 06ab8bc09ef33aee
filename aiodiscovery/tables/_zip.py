"""The zip archive: opened with care, because it may come from anywhere, and never unpacked."""

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from ._flaws import Flaw

__all__ = ["ZipArchive", "saying_what_is_wrong"]

#: The most files that an archive may have. Archives of exports have up to ten.
_MOST_MEMBERS = 1_000
#: zipfile reads the directory of an archive in one piece.
_LONGEST_DIRECTORY = 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@contextmanager
def saying_what_is_wrong(member: str | None = None) -> Iterator[None]:
    """Turn errors of zipfile and zlib into a flaw.

    :raises Flaw: if the fault is in the archive, and not on the disk.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        if "CRC" in str(error):
            raise Flaw("it is damaged: its CRC is wrong", member) from error
        raise Flaw("it is damaged or incomplete", member) from error
    except (NotImplementedError, RuntimeError, ValueError, OverflowError) as error:
        raise Flaw("it is in a form that cannot be read", member) from error


def _open_file(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file. Opening a FIFO would wait for somebody to write to it."""
    flags = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Flaw("it is not a regular file")
    return file


class ZipArchive:
    """A zip archive that is open for reading.

    :raises Flaw: if it is not a zip archive, or not one that an export can have.
    :raises OSError: if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.closed = False
        self._file = _open_file(path)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            guarded = _Guarded(self._file)
            with saying_what_is_wrong():
                self._zip = self._open(guarded)
            guarded.limit = None
            infos = self._files()
            #: The names of the files in it, with repetitions.
            self.names = [info.filename for info in infos]
            self._infos = {info.filename: info for info in infos}
        except BaseException:
            self._file.close()
            raise

    def _open(self, file: "_Guarded") -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise Flaw("it is not a whole zip archive") from error

    def _files(self) -> list[zipfile.ZipInfo]:
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(infos) > _MOST_MEMBERS:
            raise Flaw(f"it has {len(infos):,} files: more than {_MOST_MEMBERS:,} are too many")
        return infos

    def close(self) -> None:
        """Close it. Files that were opened in it cannot be read any more."""
        self.closed = True
        self._zip.close()
        self._file.close()

    def open(self, member: str) -> IO[bytes]:
        """Open a file in it.

        :raises Flaw: if it is encrypted, or compressed in a way that exports are not.
        """
        info = self._infos[member]
        if info.flag_bits & _ENCRYPTED:
            raise Flaw("it is encrypted", member)
        if info.compress_type not in _METHODS:
            # Other methods may need gigabytes of memory.
            raise Flaw("it is compressed in a way that exports are not", member)
        with saying_what_is_wrong(member):
            return self._zip.open(info)

    def sizes(self, member: str) -> tuple[int, int]:
        """Return the declared size of a file, and how much of the archive it takes, in bytes."""
        info = self._infos[member]
        return info.file_size, info.compress_size

    def sha256(self) -> str:
        """Return the hash of the whole archive."""
        # With its own position, because tables may be read meanwhile.
        with _open_file(self._file.name) as file:
            if not os.path.samestat(os.fstat(file.fileno()), os.fstat(self._file.fileno())):
                raise Flaw("another file has taken its place")
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Guarded:
    """A file for zipfile, which believes what an archive says about itself."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        #: How much may be read at once.
        self.limit: int | None = _LONGEST_DIRECTORY
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and offset < 0:
            raise EOFError("a read before the beginning of the file")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if self.limit is None:
            return self._file.read(size)
        data = self._file.read(size if 0 <= size <= self.limit else self.limit + 1)
        if len(data) > self.limit:
            raise Flaw("it lists too many files for an export")
        return data
