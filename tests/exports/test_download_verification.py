"""Archives that are not what they should be never get their final name."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.downloads import SIZE, Body, answers, names, own_client

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


async def test_a_corrupt_archive_never_gets_its_name(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_corrupt_download()

    with pytest.raises(aiodiscovery.DownloadError, match=r"Bad CRC-32 for file 'Padding\.csv'"):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert names(tmp_path) == []
    done = await aiodiscovery.download_export(client, export_id, tmp_path)
    assert done.path.read_bytes() == archive


async def test_an_archive_of_pieces_that_is_corrupt_is_got_anew_once(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_corrupt_download()
    emulator.inject_broken_download(200_000)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200), ("bytes=200000-", 206), (None, 200)]


async def test_an_archive_that_stays_corrupt_is_not_got_for_ever(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_corrupt_download(calls=None)
    for _ in range(10):
        emulator.inject_broken_download(200_000)
        emulator.inject_broken_download(SIZE)

    with pytest.raises(aiodiscovery.DownloadError, match="not a whole zip archive"):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert names(tmp_path) == []


@pytest.mark.parametrize("difference", [-1, -1000, -10_000_000])
async def test_a_length_that_is_too_small_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    difference: int,
) -> None:
    emulator.inject_wrong_length(difference, calls=None)

    with pytest.raises(aiodiscovery.DownloadError, match="not a whole zip archive"):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert names(tmp_path) == []


async def test_a_length_that_is_too_large_is_an_error(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_wrong_length(+10, calls=None)

    with pytest.raises(aiodiscovery.DownloadError):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert f"{export_id}.zip" not in names(tmp_path)


@pytest.mark.parametrize("difference", [-1000, +10])
async def test_a_length_that_is_wrong_once_does_no_harm(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    difference: int,
) -> None:
    emulator.inject_wrong_length(difference)

    try:
        done = await aiodiscovery.download_export(client, export_id, tmp_path)
    except aiodiscovery.DownloadError:
        assert names(tmp_path) == []
        done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive


def encrypted() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr("a.csv", "rows")
    body = bytearray(buffer.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + offset] |= 1
    return bytes(body)


def compressed_by_something_else() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr("a.csv", "rows")
    body = bytearray(buffer.getvalue())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        body[body.index(signature) + offset] = 97
    return bytes(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a zip file"),
        (b"<html>Log in to the network</html>", "not a zip file"),
        (encrypted(), "'a.csv' in it is encrypted"),
        (compressed_by_something_else(), "compression"),
    ],
)
async def test_what_is_no_readable_zip_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    body: bytes,
    message: str,
) -> None:
    async with own_client(lambda request: httpx2.Response(200, content=body)) as http:
        with pytest.raises(aiodiscovery.DownloadError, match=message):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert names(tmp_path) == []


async def test_a_body_that_is_longer_than_announced_is_no_archive(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    def answer(request: Any) -> Any:
        headers = {"Content-Length": str(len(archive))}
        return httpx2.Response(200, headers=headers, stream=Body(archive + b"more"))

    async with own_client(answer) as http:
        with pytest.raises(aiodiscovery.DownloadError, match="bytes came instead of"):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert f"{export_id}.zip" not in names(tmp_path)
