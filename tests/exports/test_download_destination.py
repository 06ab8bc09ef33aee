"""Where an archive goes, and what already exists there.

The places where a destination is given: ``download_export``, ``download --to`` and ``start
--download`` of the command, the tasks of Airflow, ``examples/download.py``. The places where
something may be in the way: the destination itself, its parent, the archive's final name.
"""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.downloads import SIZE, answers, names, own_client

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


async def test_an_archive_that_is_there_is_kept(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    before = first.path.stat()

    second = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert second == first
    after = second.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    # Only its end was requested.
    assert answers(emulator)[1:] == [(f"bytes={len(archive) - 64 * 1024}-", 206)]
    assert names(tmp_path) == [f"{export_id}.zip"]


@pytest.mark.parametrize("fault", ["inject_no_ranges", "inject_expired_url"])
async def test_an_archive_that_is_there_is_kept_whatever_the_server_can_do(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    fault: str,
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    before = first.path.stat()
    getattr(emulator, fault)()
    emulator.inject_broken_download(100_000)

    second = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert second.path.stat().st_ino == before.st_ino


async def test_an_empty_file_is_replaced(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    path = tmp_path / f"{export_id}.zip"
    path.touch()

    await aiodiscovery.download_export(client, export_id, tmp_path)

    assert path.read_bytes() == archive
    assert names(tmp_path) == [path.name]


async def test_the_same_archive_with_damage_is_replaced(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / f"{export_id}.zip"
    damaged = bytearray(archive)
    damaged[len(archive) // 2] ^= 1
    path.write_bytes(damaged)

    await aiodiscovery.download_export(client, export_id, tmp_path)

    assert path.read_bytes() == archive
    assert names(tmp_path) == [path.name]
    assert any("is damaged: Bad CRC-32" in message for message in caplog.messages)


@pytest.mark.parametrize("content", [b"notes", bytes(SIZE), b"PK\3\4", "archive+1", "archive-1"])
async def test_what_is_not_the_archive_is_never_replaced(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    content: bytes | str,
) -> None:
    path = tmp_path / f"{export_id}.zip"
    if isinstance(content, str):
        kept = {"archive+1": archive + b"x", "archive-1": archive[:-1]}[content]
    else:
        kept = content
    path.write_bytes(kept)

    with pytest.raises(FileExistsError, match="is not the archive of export"):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert path.read_bytes() == kept
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("ranges", [True, False])
async def test_the_archive_of_another_export_is_never_replaced(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    ranges: bool,
) -> None:
    path = tmp_path / "latest.zip"
    other_id = emulator.add_export(status="SUCCEEDED")
    await aiodiscovery.download_export(client, other_id, path)
    if not ranges:
        emulator.inject_no_ranges(calls=None)

    with pytest.raises(FileExistsError, match="move it away"):
        await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == emulator.archive(other_id)
    assert names(tmp_path) == ["latest.zip"]


async def test_two_exports_at_once_to_the_same_path_end_with_one_and_an_error(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "latest.zip"
    ids = [emulator.add_export(status="SUCCEEDED") for _ in range(2)]
    errors: dict[str, OSError] = {}

    async def download(export_id: str) -> None:
        try:
            await aiodiscovery.download_export(client, export_id, path)
        except FileExistsError as error:
            errors[export_id] = error

    async with anyio.create_task_group() as tasks:
        for export_id in ids:
            tasks.start_soon(download, export_id)

    (lost,) = errors
    (won,) = set(ids) - {lost}
    assert path.read_bytes() == emulator.archive(won)
    assert names(tmp_path) == ["latest.zip"]


async def test_several_exports_go_into_a_directory_that_is_not_there_yet(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [emulator.add_export(status="SUCCEEDED") for _ in range(3)]

    for export_id in ids:
        done = await aiodiscovery.download_export(client, export_id, "exports")
        assert done.path == Path("exports", f"{export_id}.zip")

    assert names(tmp_path / "exports") == sorted(f"{export_id}.zip" for export_id in ids)


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("new", "new/ID.zip"),
        ("new/", "new/ID.zip"),
        ("new.zip/", "new.zip/ID.zip"),
        ("one/two/three", "one/two/three/ID.zip"),
        ("new.ZIP", "new.ZIP"),
        ("new.Zip", "new.Zip"),
        ("new.zip", "new.zip"),
        ("new.zip.d", "new.zip.d/ID.zip"),
        ("newzip", "newzip/ID.zip"),
        ("über äß 東京", "über äß 東京/ID.zip"),
        ("there", "there/ID.zip"),
        ("there.zip", "there.zip/ID.zip"),
        ("link", "link/ID.zip"),
        ("link/file.zip", "link/file.zip"),
        ("there/../there", "there/../there/ID.zip"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
async def test_a_destination_is_a_directory_unless_it_ends_in_zip(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    destination: str,
    expected: str,
    kind: Callable[[str], Any],
) -> None:
    if kind is Path and destination == "new.zip/":
        pytest.skip("a Path has no slash at its end")
    (tmp_path / "there").mkdir()
    (tmp_path / "there.zip").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")

    done = await aiodiscovery.download_export(client, export_id, kind(f"{tmp_path}/{destination}"))

    assert done.path == tmp_path / expected.replace("ID", export_id)
    assert done.path.read_bytes() == archive


async def test_no_directory_is_made_for_an_export_without_an_archive(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path
) -> None:
    export_id = emulator.add_export(status="FAILED")

    with pytest.raises(aiodiscovery.ExportNotSucceededError):
        await aiodiscovery.download_export(client, export_id, tmp_path / "new")

    assert names(tmp_path) == []


@pytest.mark.parametrize("destination", ["", b"exports", "a\0b", "a\0b.zip"])
async def test_what_is_no_path_is_refused_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, destination: Any
) -> None:
    with pytest.raises(ValueError, match="destination must be"):
        await aiodiscovery.download_export(client, "export-1", destination)

    assert emulator.requests == ()


@pytest.mark.parametrize("destination", ["file", "file/", "file/below", "dangling", "file/x.zip"])
async def test_what_is_no_directory_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    destination: str,
) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    with pytest.raises(OSError, match="directory"):
        await aiodiscovery.download_export(client, "export-1", f"{tmp_path}/{destination}")

    assert emulator.requests == ()
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert names(tmp_path) == ["dangling", "file"]


@pytest.mark.parametrize("length", [254, 249, 242])
async def test_a_name_that_is_too_long_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path, length: int
) -> None:
    # The second name would fit, but not that of its note. Of the third, only the name for an
    # archive that cannot be read would not.
    name = "n" * (length - 4) + ".zip"

    with pytest.raises(OSError, match="too long"):
        await aiodiscovery.download_export(client, "export-1", tmp_path / name)

    assert emulator.requests == ()


def archive_of(rows: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr(zipfile.ZipInfo("a.csv"), rows)
    return buffer.getvalue()


async def test_retries_of_looking_at_what_is_there_do_not_count_for_the_download(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    path = tmp_path / "latest.zip"
    damaged = bytearray(archive)
    damaged[len(archive) // 2] ^= 1
    path.write_bytes(damaged)
    emulator.inject_download_error("SlowDown", "Please.", status=503, calls=5)
    emulator.inject_broken_download(SIZE)
    emulator.inject_download_error("SlowDown", "Please.", status=503, calls=5)

    await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == archive


async def test_another_archive_of_the_same_length_is_not_replaced(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "latest.zip"
    path.write_bytes(archive_of("monday"))
    new = archive_of("friday")
    assert len(new) == path.stat().st_size

    async with own_client(lambda request: httpx2.Response(200, content=new)) as http:
        with pytest.raises(FileExistsError):
            await aiodiscovery.download_export(client, export_id, path, http_client=http)

    assert path.read_bytes() == archive_of("monday")


async def test_less_of_the_end_than_was_asked_for_does_not_tell_archives_apart(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "latest.zip"
    path.write_bytes(archive_of("monday"))
    new = archive_of("friday")
    size = len(new)

    def answer(request: Any) -> Any:
        if "Range" not in request.headers:
            return httpx2.Response(200, content=new)
        headers = {"Content-Range": f"bytes {size - 1}-{size - 1}/{size}"}
        return httpx2.Response(206, headers=headers, content=new[-1:])

    async with own_client(answer) as http:
        with pytest.raises(FileExistsError):
            await aiodiscovery.download_export(client, export_id, path, http_client=http)

    assert path.read_bytes() == archive_of("monday")


async def test_what_is_at_the_path_stays_until_the_archive_is_verified(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    path = tmp_path / "latest.zip"
    damaged = bytearray(archive)
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    # Its end is requested first, which is not damaged. Then the whole arrives damaged.
    emulator.inject_broken_download(0, calls=None)

    with pytest.raises(aiodiscovery.DownloadError):
        await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == damaged
    assert names(tmp_path) == ["latest.zip"]


async def test_a_whole_archive_in_a_directory_that_cannot_be_written_is_kept(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    refuse_writing(monkeypatch, tmp_path)

    assert await aiodiscovery.download_export(client, export_id, tmp_path) == first


async def test_leftovers_beside_a_whole_archive_that_cannot_be_removed_do_no_harm(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    for suffix in ("part", "part.json"):
        first.path.with_name(f"{first.path.name}.{suffix}").write_text("{}")
    refuse_writing(monkeypatch, tmp_path)

    assert await aiodiscovery.download_export(client, export_id, tmp_path) == first


async def test_leftovers_beside_a_whole_archive_are_removed(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    # As a process leaves it if it is killed just after publishing.
    os.link(first.path, f"{first.path}.part")
    (tmp_path / f"{first.path.name}.part.json").touch()

    assert await aiodiscovery.download_export(client, export_id, tmp_path) == first

    assert names(tmp_path) == [first.path.name]


async def test_a_directory_that_cannot_be_written_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_writing(monkeypatch, tmp_path)

    with pytest.raises(PermissionError, match="ermission"):
        await aiodiscovery.download_export(client, export_id, tmp_path)


def refuse_writing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder read-only. Modes would not do: root may write anywhere."""
    real_open, real_unlink = os.open, os.unlink

    def refusing_open(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and Path(path).parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, flags, *rest, **options)

    def refusing_unlink(path: Any, *rest: Any, **options: Any) -> None:
        if Path(path).parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        real_unlink(path, *rest, **options)

    monkeypatch.setattr(os, "open", refusing_open)
    monkeypatch.setattr(os, "unlink", refusing_unlink)
