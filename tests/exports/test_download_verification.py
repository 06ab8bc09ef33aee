"""Archives that are not what they should be never get their final name.

The kinds: damage, a wrong length, something that is not an archive, and an archive that arrived
whole but that ``zipfile`` cannot read. ``test_archive.py`` has all examples of the last kind.
"""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.downloads import SIZE, Body, answers, names, own_client

import aiodiscovery
from aiodiscovery._exports.part import Part
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
        with pytest.raises(aiodiscovery.DownloadError, match="bytes arrived instead of"):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert f"{export_id}.zip" not in names(tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (encrypted(), "'a.csv' in it is encrypted"),
        (compressed_by_something_else(), "method 97"),
    ],
)
@pytest.mark.parametrize("has_length", [True, False])
async def test_what_came_whole_and_cannot_be_read_is_kept_beside(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    body: bytes,
    message: str,
    has_length: bool,
) -> None:
    kept = tmp_path / f"{export_id}.zip.unverified"

    def answer(request: Any) -> Any:
        if has_length:
            return httpx2.Response(200, content=body)
        return httpx2.Response(200, stream=Body(body))

    async with own_client(answer) as http:
        for _ in range(2):  # the same bytes are kept once
            with pytest.raises(aiodiscovery.DownloadError, match=message) as caught:
                await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)
            assert str(kept) in str(caught.value)

    assert kept.read_bytes() == body
    assert names(tmp_path) == [kept.name]


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
async def test_what_has_that_name_already_stays(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path, kind: str
) -> None:
    there = tmp_path / f"{export_id}.zip.unverified"
    if kind == "file":
        there.write_bytes(b"other")
    elif kind == "directory":
        there.mkdir()
    else:
        there.symlink_to("nowhere")

    async with own_client(lambda request: httpx2.Response(200, content=encrypted())) as http:
        with pytest.raises(aiodiscovery.DownloadError, match="unverified-2"):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert (tmp_path / f"{there.name}-2").read_bytes() == encrypted()
    assert names(tmp_path) == [there.name, f"{there.name}-2"]


@pytest.mark.parametrize("calls", [1, 2, 1000])
async def test_verifying_may_be_cancelled(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: int,
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        for number in range(2000):
            writer.writestr(f"{number}", b"")
    left = calls
    check = Part._check_wanted
    token = anyio.lowlevel.current_token()

    def count(part: Part) -> None:
        nonlocal left
        left -= 1
        if not left:
            anyio.from_thread.run_sync(scope.cancel, token=token)
        check(part)

    monkeypatch.setattr(Part, "_check_wanted", count)
    answer = httpx2.Response(200, content=buffer.getvalue(), headers={"ETag": '"1"'})
    async with own_client(lambda request: answer) as http:
        with anyio.CancelScope() as scope:
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert scope.cancelled_caught
    # It was not requested again.
    assert left == 0
    assert names(tmp_path) == [f"{export_id}.zip.part", f"{export_id}.zip.part.json"]
