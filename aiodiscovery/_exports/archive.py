"""Whether a zip archive is whole: every byte of every file in it is read and its CRC is checked.

``zipfile`` lets an archive decide how much memory it takes: everything that a chunk of a bz2 or
LZMA member inflates to, and an object for every member before anything can be cancelled. How it
treats overlapping members depends on its version. So the structure is read here in bounded memory,
as described in https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. Only an archive that
``zipfile`` can read passes.
"""

import bz2
import io
import lzma
import os
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .._client import printable

__all__ = ["Flaw", "find_flaw"]

#: How much is read at once, and how much of it is inflated at once, in bytes.
_CHUNK_IN = 64 * 1024
_CHUNK_OUT = 1024 * 1024
#: The most memory that an LZMA member may ask for, in bytes: more than ``xz -9`` uses.
_LZMA_MEMORY = 128 * 1024 * 1024
#: The most files that an archive may have. 16 bytes are kept for each.
_MOST_MEMBERS = 4_000_000

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_MOST_COMMENT = 0xFFFF
_UNKNOWN32 = 0xFFFF_FFFF
#: Kinds of extra fields.
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075

_IS_ENCRYPTED, _IS_PATCH, _IS_STRONGLY_ENCRYPTED, _IS_UTF8 = 0x1, 0x20, 0x40, 0x800
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
#: The newest version of the format that ``zipfile`` reads, 6.3.
_NEWEST = 63


class Flaw(NamedTuple):
    """What is wrong with an archive."""

    text: str
    #: Whether the archive may be whole all the same, because it uses a feature of the format that
    #: cannot be read here.
    may_be_whole: bool = False

    def __str__(self) -> str:
        return self.text


class _BadArchiveError(Exception):
    def __init__(self, text: str, *, may_be_whole: bool = False) -> None:
        super().__init__(text)
        self.flaw = Flaw(text, may_be_whole)


class _Member(NamedTuple):
    """An entry of the central directory."""

    name: bytes
    needs: int
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    #: The offset of its local header in the file.
    start: int

    def __str__(self) -> str:
        return repr(printable(self.name.decode("utf-8", "replace"), 200))


class _File(io.RawIOBase):
    """A file for reading with its own position, whatever else reads from the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self.size = os.fstat(descriptor).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        assert whence == os.SEEK_SET  # noqa: S101  # no other is used here
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = read_at(self._descriptor, len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Read from an offset of a file, without moving its position if the system can do that."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def find_flaw(descriptor: int, check_wanted: Callable[[], object]) -> Flaw | None:
    """Read a zip archive to its end, checking the CRC of every file in it.

    :param descriptor: the file, open for reading.
    :param check_wanted: called for each member and each chunk of one. An exception that it raises
        ends the reading.
    :return: what is wrong with the archive; None if nothing is.
    :raises OSError: if it cannot be read.
    """
    # Two views, because reads of the central directory and of the members alternate.
    archive = _Archive(_File(descriptor), _File(descriptor), check_wanted)
    try:
        archive.verify()
    except _BadArchiveError as error:
        return error.flaw
    return None


class _Archive:
    def __init__(
        self, directory: _File, members: _File, check_wanted: Callable[[], object]
    ) -> None:
        self._size = directory.size
        self._directory = io.BufferedReader(directory, _CHUNK_IN)
        self._members = io.BufferedReader(members, _CHUNK_IN)
        self._check_wanted = check_wanted
        #: Where the central directory begins and ends, and how many bytes of the file come before
        #: the archive.
        self._first = self._last = self._before = 0

    def verify(self) -> None:
        """Read the whole archive.

        :raises _BadArchiveError: if something is wrong.
        """
        self._find_directory()
        # Before anything is inflated, because overlapping members may inflate to petabytes.
        ends = self._check_structure()
        for member, end in zip(self._entries(), ends, strict=True):
            self._read(member, end - member.compressed)

    def _find_directory(self) -> None:
        place = max(0, self._size - _MOST_COMMENT - _END.size)
        tail = self._read_directory(place, self._size - place)
        found = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
        if self._size < _END.size or found < 0:
            raise _BadArchiveError("it is not a zip file")
        end = _END.unpack_from(tail, found)
        _, disk, first_disk, _, _, size, offset, _ = end
        self._last = place + found
        has_end64, size, offset = self._read_end64(size, offset)
        if not has_end64 and (disk or first_disk):
            raise _BadArchiveError("it is one of several disks", may_be_whole=True)
        self._first = self._last - size
        self._before = self._first - offset
        if self._first < 0 or self._before < 0:
            raise _BadArchiveError("its central directory is not where it should be")

    def _read_end64(self, size: int, offset: int) -> tuple[bool, int, int]:
        place = self._last - _END64_LOCATOR.size
        if place < 0:
            return False, size, offset
        signature, disk, _, disks = _END64_LOCATOR.unpack(
            self._read_directory(place, _END64_LOCATOR.size)
        )
        if signature != b"PK\6\7":
            return False, size, offset
        if disk or disks > 1:
            raise _BadArchiveError("it is one of several disks", may_be_whole=True)
        place -= _END64.size
        record = self._read_directory(place, _END64.size) if place >= 0 else b""
        if record[:4] != b"PK\6\6":
            raise _BadArchiveError("its zip64 end of central directory is not where it should be")
        self._last = place
        *_, size, offset = _END64.unpack(record)
        return True, size, offset

    def _read_directory(self, place: int, length: int) -> bytes:
        self._directory.seek(place)
        data = self._directory.read(length)
        if len(data) < length:
            raise _BadArchiveError("it ends too early")
        return data

    def _entries(self) -> Iterator[_Member]:
        """Read the central directory, an entry at a time."""
        place = self._first
        while place < self._last:
            self._check_wanted()
            fields = _ENTRY.unpack(self._read_directory(place, _ENTRY.size))
            signature, _, _, needs, _, flags, method, _, _, crc = fields[:10]
            compressed, size, name_length, extra_length, comment_length = fields[10:15]
            start = fields[-1]
            if signature != b"PK\1\2":
                raise _BadArchiveError("its central directory is damaged")
            place += _ENTRY.size
            length = name_length + extra_length + comment_length
            if place + length > self._last:
                raise _BadArchiveError("its central directory is damaged")
            rest = self._directory.read(length)
            place += length
            name = rest[:name_length]
            extra = dict[int, bytes]()
            for kind, value in _fields_of(rest[name_length : name_length + extra_length]):
                if kind == _UNICODE_NAME:
                    _check_unicode_name(name, value)
                extra.setdefault(kind, value)
            size, compressed, start = _with_zip64(extra.get(_ZIP64), size, compressed, start)
            yield _Member(
                name,
                needs,
                flags,
                method,
                crc,
                compressed,
                size,
                self._before + start,
            )

    def _check_structure(self) -> "array[int]":
        """Check all members except for their bytes, and return where each of them ends."""
        starts, ends = array("Q"), array("Q")
        in_order = True
        for member in self._entries():
            if len(ends) == _MOST_MEMBERS:
                raise _BadArchiveError("it has too many files", may_be_whole=True)
            _check_readable(member)
            end = self._find_bytes(member) + member.compressed
            if end > self._first:
                raise _BadArchiveError(f"{member} in it reaches into the central directory")
            in_order = in_order and (not ends or member.start >= ends[-1])
            starts.append(member.start)
            ends.append(end)
        if not in_order:
            last = 0
            for number in sorted(range(len(starts)), key=starts.__getitem__):
                if starts[number] < last:
                    raise _BadArchiveError("files in it overlap", may_be_whole=True)
                last = ends[number]
        return ends

    def _find_bytes(self, member: _Member) -> int:
        """Check the local header of a member, and return where its bytes begin."""
        self._members.seek(member.start)
        header = self._members.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            raise _BadArchiveError(f"{member} in it does not begin where it should")
        fields: tuple[int, ...] = _LOCAL.unpack(header)[1:]
        flags, name_length, extra_length = fields[2], fields[-2], fields[-1]
        name = self._members.read(name_length)
        if (name, flags & _IS_UTF8) != (member.name, member.flags & _IS_UTF8):
            raise _BadArchiveError(f"{member} in it has two names", may_be_whole=True)
        return member.start + _LOCAL.size + name_length + extra_length

    def _read(self, member: _Member, place: int) -> None:
        """Read a member to its end."""
        size = crc = 0
        try:
            for chunk in self._inflate(member, place):
                self._check_wanted()
                size += len(chunk)
                if size > member.size:
                    raise _BadArchiveError(f"{member} in it is longer than it should be")
                crc = zlib.crc32(chunk, crc)
        except MemoryError:
            raise _BadArchiveError(
                f"{member} in it takes too much memory", may_be_whole=True
            ) from None
        except lzma.LZMAError as error:
            # This is how liblzma reports that a limit was exceeded.
            may_be_whole = "limit" in str(error)
            raise _BadArchiveError(f"{member} in it: {error}", may_be_whole=may_be_whole) from None
        except (zlib.error, EOFError, ValueError) as error:
            raise _BadArchiveError(f"{member} in it: {error}") from None
        except OSError as error:
            if error.errno is not None:
                raise
            # bz2 raises this for bad data.
            raise _BadArchiveError(f"{member} in it: {error}") from None
        if size < member.size:
            raise _BadArchiveError(f"{member} in it is shorter than it should be")
        if crc != member.crc:
            name = member.name.decode("utf-8", "replace")
            raise _BadArchiveError(f"Bad CRC-32 for file {printable(name, 200)!r}")

    def _inflate(self, member: _Member, place: int) -> Iterator[bytes]:
        self._members.seek(place)
        left = member.compressed

        def read(length: int = _CHUNK_IN) -> bytes:
            nonlocal left
            data = self._members.read(min(length, left))
            left -= len(data)
            return data

        if member.method == _STORED:
            while chunk := read():
                yield chunk
        elif member.method == _DEFLATED:
            yield from _inflate_deflated(read)
        elif member.method == _BZIP2:
            yield from _inflate_with(bz2.BZ2Decompressor(), read)
        else:
            yield from _inflate_lzma(read)


def _fields_of(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Iterate over the kinds and the values of an extra field."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        place += 4
        if place + length > len(extra):
            raise _BadArchiveError("its central directory is damaged")
        yield kind, extra[place : place + length]
        place += length


def _with_zip64(
    field: bytes | None, size: int, compressed: int, start: int
) -> tuple[int, int, int]:
    """Take values that do not fit into 32 bits from the extra field."""
    if field is None:
        return size, compressed, start
    numbers = iter(struct.unpack_from(f"<{min(len(field), 24) // 8}Q", field))
    try:
        size = next(numbers) if size == _UNKNOWN32 else size
        compressed = next(numbers) if compressed == _UNKNOWN32 else compressed
        start = next(numbers) if start == _UNKNOWN32 else start
    except StopIteration:
        raise _BadArchiveError("its central directory is damaged") from None
    return size, compressed, start


def _check_unicode_name(name: bytes, field: bytes) -> None:
    """Check the extra field with the name in UTF-8, as ``zipfile`` does since Python 3.12."""
    is_good = len(field) >= 5
    if is_good and struct.unpack_from("<BL", field) == (1, zlib.crc32(name)):
        try:
            field[5:].decode("utf-8")
        except UnicodeDecodeError:
            is_good = False
    if not is_good:
        shown = printable(name.decode("utf-8", "replace"), 200)
        raise _BadArchiveError(f"{shown!r} in it has a bad name in UTF-8", may_be_whole=True)


def _check_readable(member: _Member) -> None:
    """Check that a member does not use a feature of the format that ``zipfile`` cannot read."""
    problem = None
    if member.flags & (_IS_ENCRYPTED | _IS_STRONGLY_ENCRYPTED):
        problem = "is encrypted"
    elif member.flags & _IS_PATCH:
        problem = "is a patch"
    elif member.needs > _NEWEST:
        problem = f"needs version {member.needs / 10} of the format"
    elif member.method not in (_STORED, _DEFLATED, _BZIP2, _LZMA):
        problem = f"is compressed with method {member.method}, which is not supported"
    elif member.flags & _IS_UTF8:
        try:
            member.name.decode("utf-8")
        except UnicodeDecodeError:
            problem = "has a name that is not in UTF-8, although it says so"
    if problem is None and member.method == _STORED and member.compressed != member.size:
        raise _BadArchiveError(f"{member} in it has two lengths")
    if problem is not None:
        raise _BadArchiveError(f"{member} in it {problem}", may_be_whole=True)


def _inflate_deflated(read: Callable[[], bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof:
        data = inflater.unconsumed_tail or read()
        if not data:
            if chunk := inflater.flush():
                yield chunk
            return
        yield inflater.decompress(data, _CHUNK_OUT)


def _inflate_with(inflater: Any, read: Callable[[], bytes]) -> Iterator[bytes]:
    """Inflate with an object that has the methods of a ``BZ2Decompressor``."""
    while not inflater.eof:
        data = b""
        if inflater.needs_input:
            data = read()
            if not data:
                return
        yield inflater.decompress(data, _CHUNK_OUT)


def _inflate_lzma(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Inflate data with the header of zip's LZMA members.

    The header is rewritten as that of an ``.lzma`` file, for which the memory can be limited.
    """
    header = read(4)
    length = int.from_bytes(header[2:4], "little")
    properties = read(length) if len(header) == 4 else b""
    if length != 5 or len(properties) < length:
        raise ValueError("bad LZMA properties")
    inflater = lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY)
    yield inflater.decompress(properties + b"\xff" * 8, _CHUNK_OUT)
    yield from _inflate_with(inflater, lambda: read(_CHUNK_IN))
