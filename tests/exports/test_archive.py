"""Whether an archive is whole: in bounded memory, and the same on every Python.

The places that are read: the end of the central directory (with zip64 and without), its entries,
the local headers, the bytes of each member. The kinds of flaws: damage, features that ``zipfile``
cannot read, members that overlap, members that inflate to more than they declare.
"""

import io
import os
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from aiodiscovery._exports.archive import Flaw, find_flaw

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


class UnwantedError(Exception):
    pass


def flaw_of(content: bytes, check_wanted: Callable[[], object] = lambda: None) -> Flaw | None:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return find_flaw(file.fileno(), check_wanted)


def archive_of(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def patched(content: bytearray, local: int | None, central: int, value: bytes) -> bytes:
    """Change a field of the first member, in its local header and in the central directory."""
    if local is not None:
        content[local : local + len(value)] = value
    place = content.index(b"PK\1\2") + central
    content[place : place + len(value)] = value
    return bytes(content)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"empty": b""},
        {"folder/": b"", "folder/a.csv": b"rows\n" * 999},
        {"größe.csv": os.urandom(200_000), "zeros": bytes(3_000_000)},
        {"back\\slash.csv": b"rows"},
    ],
)
def test_what_zipfile_writes_is_whole(members: dict[str, bytes], method: int) -> None:
    assert flaw_of(bytes(archive_of(members, method, b"a comment PK\5\6"))) is None


def test_what_was_written_as_a_stream_is_whole() -> None:
    class Stream(io.RawIOBase):  # which has no position
        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.content += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "ab":
            with archive.open(name, "w", force_zip64=name == "b") as member:
                member.write(b"rows" * 99)
    assert flaw_of(stream.content) is None


def test_zip64_is_whole() -> None:
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, zipfile.ZipFile(buffer, "w") as archive:
        patch.setattr(zipfile, "ZIP64_LIMIT", 10)
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
        for name in "abc":
            archive.writestr(name, b"rows" * 99)
        archive.close()
    content = buffer.getvalue()

    assert b"PK\6\6" in content
    assert flaw_of(content) is None
    for length in range(0, len(content), 7):
        assert flaw_of(content[:length]) is not None


def test_what_stands_before_an_archive_does_not_matter() -> None:
    assert flaw_of(b"#!/bin/sh\n" + bytes(archive_of({"a": b"rows"}))) is None


UNREADABLE: dict[str, bytes] = {
    "method": patched(archive_of({"a.csv": b"rows"}), 8, 10, struct.pack("<H", 97)),
    "Zstandard": patched(archive_of({"a.csv": b"rows"}), 8, 10, struct.pack("<H", 93)),
    "Deflate64": patched(archive_of({"a.csv": b"rows"}), 8, 10, struct.pack("<H", 9)),
    "encrypted": patched(archive_of({"a.csv": b"rows"}), 6, 8, struct.pack("<H", 1)),
    "strongly encrypted": patched(archive_of({"a.csv": b"rows"}), 6, 8, struct.pack("<H", 0x40)),
    "patch": patched(archive_of({"a.csv": b"rows"}), 6, 8, struct.pack("<H", 0x20)),
    "version": patched(archive_of({"a.csv": b"rows"}), 4, 6, b"\x50"),
    "UTF-8 flag": patched(
        bytearray(patched(archive_of({"a.csv": b"rows"}), 6, 8, struct.pack("<H", 0x800))),
        30,
        46,
        b"\xff",
    ),
    "UTF-8 flag in the local header only": patched(
        archive_of({"\u00e9.csv": b"rows"}), None, 8, struct.pack("<H", 0)
    ),
    "backslash in one of two names": patched(archive_of({"a/b.csv": b"rows"}), None, 47, b"\\"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_zipfile_cannot_read_may_be_whole(kind: str) -> None:
    content = UNREADABLE[kind]
    with (
        pytest.raises(Exception),  # noqa: B017, PT011  # of many kinds
        zipfile.ZipFile(io.BytesIO(content)) as archive,
    ):
        archive.read(archive.infolist()[0])

    flaw = flaw_of(content)

    assert flaw is not None
    assert flaw.may_be_whole


def overlapping(same: bool) -> bytes:
    """Make an archive with two members that share their bytes."""
    content = archive_of({"a": b"x" * 100, "b": b"x" * 100})
    first = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", first + 4)
    if same:
        # Both are the first one, except for their place in the directory.
        content[second : second + 47] = content[first : first + 47]
    else:
        # The second one begins within the bytes of the first one.
        inner = archive_of({"b": b"y" * 50})
        body = bytes(inner[: inner.index(b"PK\1\2")])
        content = archive_of({"a": body, "b": b"y" * 50})
        second = content.rindex(b"PK\1\2")
        content[second + 42 : second + 46] = struct.pack("<L", 31)
    return bytes(content)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.filterwarnings("error")
def test_members_that_overlap_are_a_flaw(same: bool) -> None:
    flaw = flaw_of(overlapping(same))

    assert flaw is not None
    assert "overlap" in flaw.text


@pytest.mark.parametrize("method", METHODS[1:])
def test_memory_is_bounded_however_much_a_member_inflates_to(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, archive.open("zeros", "w") as member:
        for _ in range(70):
            member.write(bytes(1024 * 1024))
    content = buffer.getvalue()
    tracemalloc.start()
    try:
        assert flaw_of(content) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 30 * 1024 * 1024


@pytest.mark.parametrize(
    ("field", "is_good"),
    [
        (b"", False),
        (b"\1\0", False),
        (struct.pack("<BL", 1, zlib.crc32(b"a.csv")) + b"\xff", False),
        (struct.pack("<BL", 1, zlib.crc32(b"a.csv")) + "ä.csv".encode(), True),
        (struct.pack("<BL", 1, 0) + b"\xff", True),  # of another name
    ],
)
def test_a_name_in_utf_8_that_zipfile_cannot_read_may_be_whole(field: bytes, is_good: bool) -> None:
    buffer = io.BytesIO()
    member = zipfile.ZipInfo("a.csv")
    member.extra = struct.pack("<HH", 0x7075, len(field)) + field
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, b"content")

    flaw = flaw_of(buffer.getvalue())

    assert (flaw is None) is is_good
    assert flaw is None or flaw.may_be_whole


def test_a_member_that_asks_for_too_much_memory_may_be_whole() -> None:
    content = archive_of({"a": b"rows" * 99}, zipfile.ZIP_LZMA)
    # The size of its dictionary comes after the header of 31 bytes and 5 more.
    content[36:40] = struct.pack("<L", 0xFFFF_FFFF)

    flaw = flaw_of(bytes(content))

    assert flaw is not None
    assert flaw.may_be_whole


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("difference", [-1, 1, 1 << 20])
def test_members_have_the_length_that_they_say(method: int, difference: int) -> None:
    content = archive_of({"a": b"rows" * 99}, method)
    size = struct.pack("<L", 4 * 99 + difference)

    assert flaw_of(patched(content, 22, 24, size)) is not None


@pytest.mark.parametrize("method", METHODS)
def test_it_is_looked_at_for_each_chunk_whether_it_is_still_wanted(method: int) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1

    flaw_of(bytes(archive_of({"zeros": bytes(50 << 20)}, method)), check)

    assert calls >= 50


def test_it_is_looked_at_for_each_member_whether_it_is_still_wanted() -> None:
    content = bytes(archive_of({f"{number}": b"" for number in range(100)}))
    for stop_at in (1, 50, 101, 150, 199):
        calls = 0

        def check() -> None:
            nonlocal calls
            calls += 1
            if calls == stop_at:  # noqa: B023
                raise UnwantedError

        with pytest.raises(UnwantedError):
            flaw_of(content, check)


@pytest.mark.long
def test_many_members_take_little_memory() -> None:
    content = bytes(archive_of({f"{number}": b"" for number in range(20_000)}))
    tracemalloc.start()
    try:
        assert flaw_of(content) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2 * 1024 * 1024


def test_a_name_is_shown_escaped_and_bounded() -> None:
    content = archive_of({"\x1b[2J\u202e\n" + "x" * 60_000: b"rows"})
    content[content.index(b"rows")] ^= 1

    flaw = flaw_of(bytes(content))

    assert flaw is not None
    assert flaw.text.isprintable()
    assert len(flaw.text) < 400
