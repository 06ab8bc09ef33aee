"""What is at the path of an archive already."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    # Only its end was looked at.
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


@pytest.mark.parametrize("content", [b"", b"notes", bytes(SIZE)])
async def test_what_is_no_archive_is_replaced(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    content: bytes,
) -> None:
    path = tmp_path / f"{export_id}.zip"
    path.write_bytes(content)

    await aiodiscovery.download_export(client, export_id, tmp_path)

    assert path.read_bytes() == archive


@pytest.mark.parametrize("ranges", [True, False])
async def test_the_archive_of_another_export_is_replaced(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    ranges: bool,
) -> None:
    path = tmp_path / "latest.zip"
    other_id = emulator.add_export(status="SUCCEEDED")
    await aiodiscovery.download_export(client, other_id, path)
    if not ranges:
        emulator.inject_no_ranges()

    await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == archive


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
    other_id = emulator.add_export(status="SUCCEEDED")
    await aiodiscovery.download_export(client, other_id, path)
    emulator.inject_download_error("SlowDown", "Please.", status=503, calls=5)
    emulator.inject_broken_download(SIZE)
    emulator.inject_download_error("SlowDown", "Please.", status=503, calls=5)

    await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == archive


async def test_another_archive_of_the_same_length_is_replaced(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "latest.zip"
    path.write_bytes(archive_of("monday"))
    new = archive_of("friday")
    assert len(new) == path.stat().st_size

    async with own_client(lambda request: httpx2.Response(200, content=new)) as http:
        await aiodiscovery.download_export(client, export_id, path, http_client=http)

    assert path.read_bytes() == new


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
        await aiodiscovery.download_export(client, export_id, path, http_client=http)

    assert path.read_bytes() == new


async def test_what_is_at_the_path_stays_until_the_archive_is_verified(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "latest.zip"
    path.write_bytes(b"as it was")
    emulator.inject_corrupt_download()

    with pytest.raises(aiodiscovery.DownloadError):
        await aiodiscovery.download_export(client, export_id, path)

    assert path.read_bytes() == b"as it was"
    assert names(tmp_path) == ["latest.zip"]
