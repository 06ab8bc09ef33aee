"""Files that are not ours: a download only replaces, and writes to, its own regular files.

The places where a download opens or creates a file: the archive's final name, ``.part``,
``.part.json``, a copy under a private name, ``.unverified``. The kinds: a FIFO, a socket, a device,
a directory, a symbolic link to a file or to nowhere, a hard link, another user's file; and errors
of a file system: full, over quota, no locks, no hard links.
"""

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.downloads import SIZE, answers, leave_a_part, names

import aiodiscovery
from aiodiscovery._exports import files
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

VICTIM = b"not to be lost"


def fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, victim: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(path.parent, os.O_RDONLY)
        try:
            # The path itself may be too long for a socket.
            listening.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def device(path: Path, victim: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError:
        pytest.skip("no right to make a device node")


def directory(path: Path, victim: Path) -> None:
    path.mkdir()


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def link_to_nowhere(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("nowhere"))


def link_to_a_device(path: Path, victim: Path) -> None:
    path.symlink_to("/dev/null")


def link_to_a_directory(path: Path, victim: Path) -> None:
    path.symlink_to(victim.parent)


def content(path: Path) -> bytes:
    return path.read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KINDS = [
    fifo,
    unix_socket,
    device,
    directory,
    link,
    link_to_nowhere,
    link_to_a_device,
    link_to_a_directory,
]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_bytes(VICTIM)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "downloads"
    path.mkdir()
    return path


@pytest.mark.parametrize("suffix", ["", ".part", ".part.json"])
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_regular_file_is_an_error_and_stays(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    folder: Path,
    victim: Path,
    kind: Callable[[Path, Path], None],
    suffix: str,
) -> None:
    path = folder / f"{export_id}.zip{suffix}"
    kind(path, victim)
    before = path.lstat()
    if not suffix and kind is link_to_a_directory:
        pytest.skip("that is a directory to download to")

    with pytest.raises(OSError, match=r"directory|left as it is"):
        await aiodiscovery.download_export(client, export_id, folder)

    after = path.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert content(victim) == VICTIM
    assert names(folder) == [path.name]
    assert names(folder.parent) == ["downloads", "victim"]
    assert emulator.downloads == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_destination_of_that_kind_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    folder: Path,
    victim: Path,
    kind: Callable[[Path, Path], None],
) -> None:
    if kind in (directory, link_to_a_directory):
        pytest.skip("that is a directory to download to")
    for name in ("archive.zip", "archive"):
        kind(folder / name, victim)

        with pytest.raises(OSError, match=r"left as it is|not a directory"):
            await aiodiscovery.download_export(client, "export-1", folder / name)

    assert emulator.requests == ()
    assert content(victim) == VICTIM


async def test_dev_null_is_no_destination(
    client: "ApplicationDiscoveryServiceClient", export_id: str
) -> None:
    with pytest.raises(NotADirectoryError):
        await aiodiscovery.download_export(client, export_id, os.devnull)


@pytest.mark.parametrize("note", ["empty", "of a part"])
async def test_a_hard_link_at_the_note_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    folder: Path,
    victim: Path,
    note: str,
) -> None:
    if note == "of a part":
        await leave_a_part(client, emulator, export_id, folder, 100_000)
        victim = folder.parent / "copy"
        os.link(folder / f"{export_id}.zip.part.json", victim)
    else:
        os.link(victim, folder / f"{export_id}.zip.part.json")
    before = content(victim)

    with pytest.raises(FileExistsError, match="another name too"):
        await aiodiscovery.download_export(client, export_id, folder)

    assert content(victim) == before


@pytest.mark.parametrize("left", [True, False])
async def test_a_hard_link_at_the_part_is_not_written_to(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    folder: Path,
    victim: Path,
    left: bool,
) -> None:
    part = folder / f"{export_id}.zip.part"
    if left:
        await leave_a_part(client, emulator, export_id, folder, 100_000)
        victim = folder.parent / "copy"
        os.link(part, victim)
    else:
        os.link(victim, part)
    before = content(victim)

    done = await aiodiscovery.download_export(client, export_id, folder)

    assert done.path.read_bytes() == archive
    assert content(victim) == before
    assert names(folder) == [done.path.name]


async def test_parents_may_be_links(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, folder: Path
) -> None:
    (folder.parent / "link").symlink_to(folder)

    done = await aiodiscovery.download_export(client, export_id, folder.parent / "link")

    assert (folder / done.path.name).read_bytes() == archive
    assert done.path.parent.name == "link"


NOTES: dict[str, Callable[[str, str], bytes]] = {
    "large": lambda note, etag: note.encode().rstrip() + b" " * 50_000_000,
    "nested": lambda note, etag: b"[" * 4000,
    "nested in it": lambda note, etag: b'{"exportId":' * 300,
    "a number": lambda note, etag: b"7" * 4000,
    "not UTF-8": lambda note, etag: b"\xff\xfe{}",
    "null": lambda note, etag: b"null",
    "a list": lambda note, etag: b"[1]",
    "a weak ETag": lambda note, etag: note.replace(etag, 'W/\\"1\\"').encode(),
    "another ETag": lambda note, etag: note.replace(etag, '\\"other\\"').encode(),
    "an ETag with a line end": lambda note, etag: note.replace(
        etag, '\\"1\\"\\r\\nX: \\"'
    ).encode(),
    "an ETag without quotes": lambda note, etag: note.replace(etag, "x").encode(),
    "an ETag of another kind": lambda note, etag: note.replace(f'"{etag}"', "1").encode(),
    "a size below 0": lambda note, etag: note.replace('"size": ', '"size": -').encode(),
    "a size of another kind": lambda note, etag: note.replace('"size": ', '"size": 0.').encode(),
    "a size too large": lambda note, etag: note.replace('"size": ', '"size": ' + "9" * 99).encode(),
    "true for a size": lambda note, etag: note.replace(str(SIZE), "true").encode(),
    "a path as a private name": lambda note, etag: note.replace(
        "{", '{"private": "/../../victim", ', 1
    ).encode(),
}


@pytest.mark.parametrize("kind", NOTES)
async def test_a_damaged_note_counts_as_none(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    folder: Path,
    victim: Path,
    kind: str,
) -> None:
    await leave_a_part(client, emulator, export_id, folder, 100_000)
    note = folder / f"{export_id}.zip.part.json"
    text = note.read_text()
    etag = text.partition('"etag": "')[2].partition('", ')[0]
    note.write_bytes(NOTES[kind](text, etag))

    done = await aiodiscovery.download_export(client, export_id, folder)

    assert done.path.read_bytes() == archive
    assert names(folder) == [done.path.name]
    assert content(victim) == VICTIM


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
async def test_what_has_come_stays_when_the_disk_is_full(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    part = folder / f"{export_id}.zip.part"
    write = os.write

    def limited(descriptor: int, data: Any) -> int:
        left = 150_000 - os.fstat(descriptor).st_size
        if left <= 0:
            raise OSError(code, os.strerror(code))
        return write(descriptor, data[:left])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(OSError, match=r"\.part'") as caught:
            await aiodiscovery.download_export(client, export_id, folder)
    assert caught.value.errno == code
    assert part.read_bytes() == archive[:150_000]

    done = await aiodiscovery.download_export(client, export_id, folder)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=150000-", 206)]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_what_has_come_stays_when_there_is_no_room_for_its_copy(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    await leave_a_part(client, emulator, export_id, folder, 200_000)
    write = os.write

    def limited(descriptor: int, data: Any) -> int:
        if len(data) > 100_000:
            raise OSError(code, os.strerror(code))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(OSError, match=r"~'"):
            await aiodiscovery.download_export(client, export_id, folder)
    assert names(folder) == [f"{export_id}.zip.part", f"{export_id}.zip.part.json"]

    done = await aiodiscovery.download_export(client, export_id, folder)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[-1] == ("bytes=200000-", 206)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
@pytest.mark.parametrize("left", [True, False])
async def test_a_file_system_without_locks_is_an_error_that_leaves_nothing_behind(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    left: bool,
) -> None:
    if left:
        await leave_a_part(client, emulator, export_id, folder, 100_000)
    before = contents(folder)

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "_lock", refuse)

    with pytest.raises(OSError, match="locks") as caught:
        await aiodiscovery.download_export(client, export_id, folder)

    assert caught.value.errno == code
    assert contents(folder) == before


def take_away(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    link_file = os.link

    def refuse(source: Any, name: Any, **options: Any) -> None:
        if what == "hard links" or (what == "/proc" and str(source).startswith("/proc")):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        link_file(source, name, **options)

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("missing", ["/proc", "hard links"])
async def test_it_does_without_what_a_system_lacks(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    take_away(monkeypatch, missing)

    done = await aiodiscovery.download_export(client, export_id, folder)

    assert done.path.read_bytes() == archive
    assert names(folder) == [done.path.name]
    # An existing file is not replaced in this way either.
    other_id = emulator.add_export(status="SUCCEEDED")
    with pytest.raises(FileExistsError):
        await aiodiscovery.download_export(client, other_id, done.path)
    # But our own damaged file is.
    damaged = bytearray(archive)
    damaged[1000] ^= 1
    done.path.write_bytes(damaged)
    await aiodiscovery.download_export(client, export_id, folder)
    assert done.path.read_bytes() == archive
    assert names(folder) == [done.path.name]


@pytest.mark.parametrize("missing", ["", "/proc", "hard links"])
async def test_what_appears_at_the_path_meanwhile_is_not_replaced(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    path = folder / f"{export_id}.zip"
    take_away(monkeypatch, missing)

    def appear(done: int, total: int | None) -> None:
        if done == total:
            path.write_bytes(VICTIM)

    with pytest.raises(FileExistsError):
        await aiodiscovery.download_export(client, export_id, folder, progress=appear)

    assert path.read_bytes() == VICTIM
