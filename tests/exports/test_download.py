"""Downloads: a verified archive under its final name, or a clear error and no such file."""

import asyncio
import io
import logging
import os
import pickle
import ssl
import sys
import traceback
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

import aiodiscovery
from aiodiscovery._client.backoff import Schedule
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = pytest.mark.anyio

SIZE = 300_000


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiodiscovery._exports.transfer._SCHEDULE", Schedule(0.001, 0.001))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(archive_size=SIZE) as running:
        yield running


@pytest.fixture
def export_id(emulator: Emulator) -> str:
    return emulator.add_export(status="SUCCEEDED")


@pytest.fixture
def archive(emulator: Emulator, export_id: str) -> bytes:
    return emulator.archive(export_id)


async def describe(client: "ApplicationDiscoveryServiceClient", export_id: str) -> Any:
    (info,) = (await client.describe_export_tasks(exportIds=[export_id]))["exportsInfo"]
    return info


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def answers(emulator: Emulator) -> list[tuple[str | None, int | None]]:
    """Return the ranges that were asked for and the statuses that were answered."""
    return [(each.range, each.status) for each in emulator.downloads]


async def leave_a_part(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    destination: Path,
    size: int,
) -> None:
    """Cancel a download once so many bytes are on disk."""
    emulator.inject_stalled_download(size)

    def cancel(done: int, total: int | None) -> None:
        if done >= size:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await aiodiscovery.download_export(client, export_id, destination, progress=cancel)
    assert scope.cancelled_caught


# What comes out


async def test_an_archive_is_saved_under_the_id_of_its_export(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path == tmp_path / f"{export_id}.zip"
    assert done.path.read_bytes() == archive
    assert (done.size, done.truncated) == (len(archive), False)
    assert names(tmp_path) == [f"{export_id}.zip"]


@pytest.mark.parametrize("kind", [str, Path, anyio.Path])
async def test_an_archive_is_saved_to_the_path_of_a_file(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: Callable[[Path], Any],
) -> None:
    done = await aiodiscovery.download_export(client, export_id, kind(tmp_path / "servers"))

    assert done.path == tmp_path / "servers"
    assert done.path.read_bytes() == archive
    assert names(tmp_path) == ["servers"]


async def test_the_file_has_the_permissions_of_any_new_file(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.stat().st_mode == ordinary.stat().st_mode


async def test_the_url_of_an_export_info_is_used_without_another_call(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    info = await describe(client, export_id)
    emulator.clear_requests()

    done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive
    assert emulator.requests == ()


@pytest.mark.parametrize("url", [None, b"https://x/y?Signature=secret"])
async def test_an_export_info_without_a_url_that_can_be_used_is_described_again(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    url: object,
) -> None:
    info = await describe(client, export_id)
    del info["configurationsDownloadUrl"]
    if url is not None:
        info["configurationsDownloadUrl"] = url

    done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive


@pytest.mark.parametrize("as_info", [False, True])
async def test_an_export_that_is_truncated_is_said_to_be(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    as_info: bool,
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED", truncated=True)
    export = await describe(client, export_id) if as_info else export_id

    for _ in range(2):  # when it is there already too
        caplog.clear()
        done = await aiodiscovery.download_export(client, export, tmp_path)

        assert done.truncated
        (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert record.name == "aiodiscovery"
        assert record.getMessage().startswith(f"export {export_id} is truncated")


async def test_progress_goes_from_nothing_to_everything(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    calls: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        calls.append((done, total))

    await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)
    first = calls.copy()
    await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)

    total = len(archive)
    assert first[0] == (0, total)
    assert first[-1] == (total, total)
    assert first == sorted(first)
    assert len(first) > 2
    assert calls[len(first) :] == [(total, total)]


async def test_progress_without_a_length_has_no_total(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    totals: set[int | None] = set()
    async with own_client(lambda request: httpx2.Response(200, stream=Body(archive))) as http:
        done = await aiodiscovery.download_export(
            client,
            export_id,
            tmp_path,
            http_client=http,
            progress=lambda done, total: totals.add(total),
        )

    assert totals == {None}
    assert done.path.read_bytes() == archive


async def test_an_error_of_progress_ends_the_download_and_leaves_the_part(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    def fail(done: int, total: int | None) -> None:
        if done > 100_000:
            raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=fail)
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert emulator.downloads[-1].status == 206


async def test_a_large_archive_is_never_in_memory(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w") as writer, writer.open("zeros.csv", "w") as member:
        for _ in range(64):
            member.write(bytes(1024 * 1024))

    def answer(request: Any) -> Any:
        return httpx2.Response(200, stream=Body.of_file(source))

    async with own_client(answer) as http:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            done = await aiodiscovery.download_export(
                client, export_id, tmp_path / "copy.zip", http_client=http
            )
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    assert done.size == source.stat().st_size > 64 * 1024 * 1024
    assert peak < 8 * 1024 * 1024


# Connections that break


async def test_it_goes_on_where_the_connection_broke(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_broken_download(100_000)
    emulator.inject_broken_download(0)
    emulator.inject_broken_download(7)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [
        (None, 200),
        ("bytes=100000-", 206),
        ("bytes=100000-", 206),
        ("bytes=100007-", 206),
    ]


async def test_a_connection_may_break_any_number_of_times_while_there_is_progress(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_broken_download(10_000, calls=25)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert len(emulator.downloads) == 26


async def test_bytes_of_a_changed_archive_are_progress_however_large_the_part_was(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 200_000)
    emulator.replace_archive(export_id)
    emulator.inject_broken_download(10_000, calls=15)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id)


async def test_a_tls_connection_that_breaks_is_like_any_other(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    def answer(request: Any) -> Any:
        if "Range" not in request.headers:
            headers = {"ETag": '"1"', "Content-Length": str(len(archive))}
            body = Body(archive[:100_000], ssl.SSLError(1, "[SSL] bad record mac"))
            return httpx2.Response(200, headers=headers, stream=body)
        assert request.headers["Range"] == "bytes=100000-"
        content_range = f"bytes 100000-{len(archive) - 1}/{len(archive)}"
        headers = {"ETag": '"1"', "Content-Range": content_range}
        return httpx2.Response(206, headers=headers, stream=Body(archive[100_000:]))

    async with own_client(answer) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive


async def test_without_progress_it_gives_up(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_broken_download(100_000)
    emulator.inject_broken_download(0, calls=None)

    with pytest.raises(aiodiscovery.DownloadError, match="RemoteProtocolError") as caught:
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert caught.value.export_id == export_id
    assert caught.value.status_code is None
    assert len(emulator.downloads) == 1 + 7
    # The next one goes on.
    assert names(tmp_path) == [f"{export_id}.zip.part", f"{export_id}.zip.part.json"]


async def test_a_server_without_ranges_is_asked_for_all_of_it(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_no_ranges()
    emulator.inject_broken_download(200_000)
    emulator.inject_broken_download(100_000)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert [status for _, status in answers(emulator)] == [200, 200, 200]


async def test_what_comes_again_is_no_progress(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_no_ranges()
    emulator.inject_broken_download(200_000, calls=None)

    with pytest.raises(aiodiscovery.DownloadError):
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert len(emulator.downloads) == 8


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_a_server_says_for_a_while_is_waited_out(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    emulator.inject_download_error("SlowDown", "Please.", status=status, calls=7)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert len([each for each in caplog.messages if f"answered {status} " in each]) == 7


async def test_a_server_that_is_down_ends_it(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_download_error("InternalError", "Sorry.", status=500, calls=None)

    with pytest.raises(aiodiscovery.DownloadError, match="500 Internal Server Error") as caught:
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert caught.value.status_code == 500
    assert len(emulator.downloads) == 8
    assert names(tmp_path) == []


async def test_a_server_that_cannot_be_reached_ends_it(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    with Emulator() as stopped:
        url = f"{stopped.endpoint_url}/archives/{export_id}.zip?X-Amz-Signature=1"
    info: Any = {
        "exportId": export_id,
        "exportStatus": "SUCCEEDED",
        "configurationsDownloadUrl": url,
    }

    with pytest.raises(aiodiscovery.DownloadError, match="ConnectError"):
        await aiodiscovery.download_export(client, info, tmp_path)


# URLs that expire


@pytest.mark.parametrize("as_info", [False, True])
async def test_a_url_that_has_expired_is_replaced(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    as_info: bool,
) -> None:
    export = await describe(client, export_id) if as_info else export_id
    emulator.clear_requests()
    emulator.inject_expired_url()

    done = await aiodiscovery.download_export(client, export, tmp_path)

    assert done.path.read_bytes() == archive
    assert len(emulator.requests) == (1 if as_info else 2)
    assert [each.status for each in emulator.downloads] == [403, 200]


async def test_urls_may_expire_again_and_again_on_the_way(
    session: AioSession, tmp_path: Path
) -> None:
    now = [1_800_000_000.0]
    with Emulator(archive_size=SIZE, url_lifetime=60, clock=lambda: now[0]) as emulator:
        export_id = emulator.add_export(status="SUCCEEDED")
        emulator.inject_broken_download(50_000, calls=4)

        def pass_time(done: int, total: int | None) -> None:
            now[0] += 60

        async with aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client:
            done = await aiodiscovery.download_export(
                client, export_id, tmp_path, progress=pass_time
            )

        assert done.path.read_bytes() == emulator.archive(export_id)
        assert [each.status for each in emulator.downloads] == [200, *[403, 206] * 4]


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (404, "NoSuchKey"), (307, "TemporaryRedirect")]
)
async def test_a_fresh_url_that_is_refused_too_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    status: int,
    code: str,
) -> None:
    emulator.inject_download_error(code, "No.", status=status, calls=None)

    with pytest.raises(aiodiscovery.DownloadError, match=f"answered {status} ") as caught:
        await aiodiscovery.download_export(client, export_id, tmp_path)

    assert caught.value.status_code == status
    assert len(emulator.downloads) == 2
    assert len(emulator.requests) == 2
    assert names(tmp_path) == []


async def test_an_export_that_cannot_be_described_again_is_an_error_of_botocore(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    info = await describe(client, export_id)
    emulator.inject_expired_url()
    emulator.inject_error("AuthorizationErrorException", "No.")

    with pytest.raises(ClientError, match="AuthorizationErrorException"):
        await aiodiscovery.download_export(client, info, tmp_path)


@pytest.mark.parametrize("url", ["ftp://x/y?Signature=secret", "http://[/?Signature=secret", "x"])
async def test_a_url_that_leads_nowhere_is_an_error_at_once(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path, url: str
) -> None:
    info: Any = {
        "exportId": "export-1",
        "exportStatus": "SUCCEEDED",
        "configurationsDownloadUrl": url,
    }

    with pytest.raises(aiodiscovery.DownloadError) as caught:
        await aiodiscovery.download_export(client, info, tmp_path)

    assert "secret" not in "".join(traceback.format_exception(caught.value))


# Archives that are not what they should be


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


# Going on with what an earlier download left


async def test_a_cancelled_download_goes_on_the_next_time(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    assert names(tmp_path) == [f"{export_id}.zip.part", f"{export_id}.zip.part.json"]
    assert "X-Amz" not in (tmp_path / f"{export_id}.zip.part.json").read_text()

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]
    assert answers(emulator) == [(None, 200), ("bytes=100000-", 206)]
    assert emulator.downloads[-1].if_range is not None


async def test_a_part_that_is_complete_needs_a_byte_to_be_known_as_still_the_same(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, len(archive))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [(f"bytes={len(archive) - 1}-", 206)]


async def test_a_part_that_is_complete_is_not_used_when_the_archive_has_changed(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, len(archive))
    emulator.replace_archive(export_id)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id) != archive


async def test_an_archive_that_has_changed_meanwhile_is_got_anew(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    emulator.replace_archive(export_id)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert answers(emulator)[1:] == [("bytes=100000-", 200)]


async def test_a_changed_archive_is_noticed_where_the_server_does_not_mind_if_range(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    emulator.replace_archive(export_id)

    def forget(request: Any) -> None:
        request.headers.pop("If-Range", None)

    async with changed_client(on_request=forget) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]


async def test_a_part_that_is_longer_than_the_archive_now_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    part = tmp_path / f"{export_id}.zip.part"
    part.write_bytes(bytes(len(archive) + 5))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive


async def test_a_range_that_is_not_there_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_wrong_length(+10)  # so more is asked for than there is

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200), (f"bytes={len(archive)}-", 416), (None, 200)]


@pytest.mark.parametrize("etag", ['W/"weak"', '"\N{LATIN SMALL LETTER E WITH ACUTE}"', None])
async def test_without_a_strong_etag_it_starts_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    etag: str | None,
) -> None:
    def weaken(response: Any) -> None:
        del response.headers["ETag"]
        if etag is not None:
            # A header may hold bytes that are no ASCII, but a request is not sent with them.
            response.headers.encoding = "latin-1"
            response.headers["ETag"] = etag

    emulator.inject_broken_download(200_000)
    async with changed_client(on_response=weaken) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200), (None, 200)]


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-9/*",
        "bytes 100001-9/*",
        "lines 1-2/3",
        None,
        "bytes 100000-100009/7",
        f"bytes 100000-100009/{'9' * 5000}",
    ],
)
async def test_an_answer_that_does_not_go_on_where_the_part_ends_is_not_used(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    content_range: str | None,
) -> None:
    def spoil(response: Any) -> None:
        if response.status_code == 206:
            del response.headers["Content-Range"]
            if content_range is not None:
                response.headers["Content-Range"] = content_range

    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    async with changed_client(on_response=spoil) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]


@pytest.mark.parametrize(
    "note", ["", "no JSON", "[]", '{"exportId": "other", "etag": "\\"1\\"", "size": 9}', "{}"]
)
async def test_a_part_of_nobody_knows_what_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    note: str,
) -> None:
    (tmp_path / f"{export_id}.zip.part").write_bytes(archive[:1000])
    (tmp_path / f"{export_id}.zip.part.json").write_text(note)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200)]


async def test_a_part_of_another_export_is_not_used(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    other_id = emulator.add_export(status="SUCCEEDED")
    path = tmp_path / "latest.zip"
    await leave_a_part(client, emulator, other_id, path, 100_000)

    done = await aiodiscovery.download_export(client, export_id, path)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert names(tmp_path) == ["latest.zip"]


async def test_a_part_that_was_damaged_on_disk_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    # As after a power failure.
    (tmp_path / f"{export_id}.zip.part").write_bytes(bytes(100_000))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]


# What is at the path already


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


# Several at once


async def test_downloads_of_the_same_export_at_once_make_one(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    results: list[aiodiscovery.DownloadedExport] = []

    async def download() -> None:
        results.append(await aiodiscovery.download_export(client, export_id, tmp_path))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(download)

    assert set(results) == {results[0]}
    assert results[0].path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]
    assert answers(emulator).count((None, 200)) == 1


async def test_a_download_that_waits_takes_over_where_the_other_one_stopped(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aiodiscovery")
    emulator.inject_stalled_download(100_000)
    stalled = anyio.Event()

    def note(done: int, total: int | None) -> None:
        if done >= 100_000:
            stalled.set()

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def first() -> None:
            with scope:
                await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)

        async def second() -> None:
            await aiodiscovery.download_export(client, export_id, tmp_path)

        tasks.start_soon(first)
        await stalled.wait()
        tasks.start_soon(second)
        while not any("already" in message for message in caplog.messages):
            await anyio.sleep(0.001)
        assert len(emulator.downloads) == 1
        scope.cancel()

    assert (tmp_path / f"{export_id}.zip").read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206)]


async def test_different_exports_do_not_wait_for_each_other(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    other_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_stalled_download(100_000)
    stalled = anyio.Event()

    async def first() -> None:
        await aiodiscovery.download_export(
            client,
            export_id,
            tmp_path,
            progress=lambda done, total: stalled.set() if done >= 100_000 else None,
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await stalled.wait()
        await aiodiscovery.download_export(client, other_id, tmp_path)
        tasks.cancel_scope.cancel()

    assert (tmp_path / f"{other_id}.zip").read_bytes() == emulator.archive(other_id)


# Cancellation


@pytest.mark.parametrize("calls", range(1, 12, 2))
async def test_a_download_may_be_cancelled_at_any_time(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    calls: int,
) -> None:
    left = [calls]

    def cancel(done: int, total: int | None) -> None:
        left[0] -= 1
        if not left[0]:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=cancel)

    assert left[0] > 0 or f"{export_id}.zip" not in names(tmp_path)
    done = await aiodiscovery.download_export(client, export_id, tmp_path)
    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]


async def test_a_wait_for_another_download_may_be_cancelled(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_stalled_download(100_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(aiodiscovery.download_export, client, export_id, tmp_path)
        while not emulator.downloads:
            await anyio.sleep(0.001)
        with anyio.move_on_after(0.05) as scope:
            await aiodiscovery.download_export(client, export_id, tmp_path)
        assert scope.cancelled_caught
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("rounds", [1, 3, 10, 30, 60, 100, 150])
async def test_a_task_may_be_cancelled_as_asyncio_does_it(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    rounds: int,
) -> None:
    task = asyncio.create_task(aiodiscovery.download_export(client, export_id, tmp_path))
    for _ in range(rounds):
        await asyncio.sleep(0)
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]


# Exports without an archive


@pytest.mark.parametrize("status", ["IN_PROGRESS", "FAILED", "NEW_STATUS"])
@pytest.mark.parametrize("as_info", [False, True])
async def test_an_export_that_has_not_succeeded_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    status: str,
    as_info: bool,
) -> None:
    export_id = emulator.add_export(status=status, duration=None, message="Because.")
    export = await describe(client, export_id) if as_info else export_id

    with pytest.raises(aiodiscovery.ExportNotSucceededError, match=f"it is {status}") as caught:
        await aiodiscovery.download_export(client, export, tmp_path)

    assert isinstance(caught.value, aiodiscovery.DownloadError)
    assert (caught.value.export_id, caught.value.export_status) == (export_id, status)
    assert emulator.downloads == ()
    assert names(tmp_path) == []


async def test_an_export_that_the_service_does_not_know_is_an_error(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path
) -> None:
    with pytest.raises(aiodiscovery.DownloadError, match="does not know export export-none"):
        await aiodiscovery.download_export(client, "export-none", tmp_path)


async def test_a_download_error_can_be_pickled() -> None:
    error = aiodiscovery.DownloadError("no", "export-1", 403)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.export_id, copy.status_code) == ("no", "export-1", 403)
    other = aiodiscovery.ExportNotSucceededError("no", "export-1", "FAILED")
    copy = pickle.loads(pickle.dumps(other))
    assert (str(copy), copy.export_id, copy.export_status) == ("no", "export-1", "FAILED")


# An HTTP client of the user's own


class Body(httpx2.AsyncByteStream):  # type: ignore[misc, name-defined]
    """A body that comes in chunks, without a length."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self._file: Any = io.BytesIO(content)
        self._error = error

    @classmethod
    def of_file(cls, path: Path) -> "Body":
        body = cls(b"")
        body._file = path.open("rb")
        return body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self._file.read(65536):
            yield chunk
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        self._file.close()


def own_client(answer: Callable[[Any], Any]) -> Any:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


def changed_client(
    on_request: Callable[[Any], None] = lambda request: None,
    on_response: Callable[[Any], None] = lambda response: None,
) -> Any:
    """Make a client for what the network may do to requests and answers."""

    class Transport(httpx2.AsyncHTTPTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            on_request(request)
            response = await super().handle_async_request(request)
            on_response(response)
            return response

    return httpx2.AsyncClient(transport=Transport())


async def test_a_client_of_one_s_own_is_used_and_stays_open(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    requests: list[Any] = []
    async with changed_client(on_request=requests.append) as http:
        await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)
        assert not http.is_closed

    (request,) = requests
    assert request.headers["Accept-Encoding"] == "identity"


async def test_a_presigned_url_is_sent_nothing_that_is_the_client_s(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        if len(requests) == 1:
            return httpx2.Response(302, headers={"Location": "http://elsewhere.invalid/"})
        return httpx2.Response(200, content=archive)

    async with httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer),
        auth=("user", "password"),
        headers={"X-Secret": "1"},
        cookies={"session": "1"},
        params={"more": "1"},
        follow_redirects=True,
    ) as http:
        await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert len(requests) == 2
    for request in requests:
        assert request.url.host == "127.0.0.1"
        assert not {"authorization", "x-secret", "cookie"} & set(request.headers)
        assert "more" not in request.url.params


async def test_a_client_whose_hook_raises_for_errors_works_too(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    async def hook(response: Any) -> None:
        response.raise_for_status()

    emulator.inject_download_error("SlowDown", "Please.")
    emulator.inject_expired_url()
    async with httpx2.AsyncClient(event_hooks={"response": [hook]}) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive


async def test_a_download_with_a_transport_of_one_s_own_may_be_cancelled_midway(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    def cancel(done: int, total: int | None) -> None:
        if done:
            scope.cancel()

    # Reading from its body once that is closed is a ValueError.
    async with own_client(lambda request: httpx2.Response(200, stream=Body(archive))) as http:
        with anyio.CancelScope() as scope:
            await aiodiscovery.download_export(
                client, export_id, tmp_path, http_client=http, progress=cancel
            )

    assert scope.cancelled_caught


async def test_a_certificate_that_is_not_trusted_is_an_error_at_once(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        raise httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")

    async with own_client(answer) as http:
        with pytest.raises(aiodiscovery.DownloadError, match="self-signed"):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert len(requests) == 1


# The URL is a credential


FAILURES: dict[str, Callable[[Emulator], object]] = {
    "none": lambda emulator: None,
    "broken": lambda emulator: emulator.inject_broken_download(0, calls=None),
    "down": lambda emulator: emulator.inject_download_error("InternalError", "Sorry.", calls=None),
    "refused": lambda emulator: emulator.inject_expired_url(calls=None),
    "corrupt": lambda emulator: emulator.inject_corrupt_download(calls=None),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("own", [False, True])
async def test_no_log_and_no_error_holds_the_url(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    failure: str,
    own: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    FAILURES[failure](emulator)

    error: BaseException | None = None
    async with httpx2.AsyncClient() as http:
        try:
            await aiodiscovery.download_export(
                client, export_id, tmp_path, http_client=http if own else None
            )
        except aiodiscovery.DownloadError as caught:
            error = caught

    assert (error is None) == (failure == "none")
    # Both are logged, without what makes them a credential.
    assert any("configurationsDownloadUrl" in message for message in caplog.messages)
    assert any(f"/archives/{export_id}.zip?..." in message for message in caplog.messages)
    for message in caplog.messages:
        assert "X-Amz-Signature" not in message
    if error is not None:
        assert "X-Amz-Signature" not in "".join(traceback.format_exception(error))
        assert "X-Amz-Signature" not in repr(error)
        # What is not shown is not there either.
        assert error.__cause__ is None
        assert error.__context__ is None


async def test_no_traceback_that_shows_variables_holds_the_url(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    def fail(done: int, total: int | None) -> None:
        raise LookupError("no more")

    with pytest.raises(LookupError) as caught:
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=fail)

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "X-Amz-Signature" not in "".join(shown.format())


def test_what_other_libraries_log_of_presigned_urls_has_no_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "https://bucket.s3.us-west-2.amazonaws.com/a.zip?X-Amz-Signature=1&X-Amz-Security-Token=2"

    logging.getLogger("httpcore2.http11").debug("headers=%r", [(b"Location", url.encode())])
    logging.getLogger("botocore.parsers").debug("Body:\n%s", b'{"Url": "%s"}' % url.encode())
    logging.getLogger("httpx2").info("GET %s", "https://a.example/?page=2")

    # What is escaped is not hidden by it: as JSON may have it, and as a query has another URL.
    logging.getLogger("botocore.parsers").debug(
        r'"https:\/\/b\/a?Date\u003d1\u0026Signature\u003d2"'
    )
    logging.getLogger("httpcore2.http11").debug("https://b/?to=https%3A%2F%2Fb%3FSignature%3D2")
    logging.getLogger("httpcore2.http11").debug("https://b/https%3A%2F%2Fb%2Fa%3FSignature%3D2")
    # Compressed headers among them.
    logging.getLogger("hpack.hpack").debug("Encoded header block to %r", b"D\x9c")
    logging.getLogger("hpack.table").debug("Evicting %s: %s", b":path", b"/a?Signature=2")

    first, second, third, *escaped = caplog.messages
    assert (
        first == "headers=[(b'Location', b'https://bucket.s3.us-west-2.amazonaws.com/a.zip?...')]"
    )
    assert second.endswith('"https://bucket.s3.us-west-2.amazonaws.com/a.zip?..."}\'')
    assert third == "GET https://a.example/?page=2"
    assert escaped == [
        r'"https:\/\/b\/a?..."',
        "https://b/?...",
        "https://b/https%3A%2F%2Fb%2Fa%3F...",
    ]


async def test_no_repr_holds_the_url(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert repr(done) == f"DownloadedExport(path={done.path!r}, size={done.size}, truncated=False)"


# Bad input


@pytest.mark.parametrize(
    "export",
    ["", "../../etc/passwd", "a/b", "..", ".hidden", "a\\b", "x" * 201, "with space", None, 1, {}],
)
async def test_what_is_no_export_is_refused(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path, export: Any
) -> None:
    exports = [export, {"exportId": export, "exportStatus": "SUCCEEDED"}]

    for each in exports:
        with pytest.raises(ValueError, match="export must be an ExportInfo or an export id"):
            await aiodiscovery.download_export(client, each, tmp_path)

    assert emulator.requests == ()
    assert names(tmp_path) == []


async def test_a_url_that_is_given_as_an_export_is_not_shown(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        await aiodiscovery.download_export(client, "https://x/y?Signature=secret", tmp_path)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("destination", ["none/file.zip", f"none{os.sep}"])
async def test_a_directory_that_is_not_there_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    destination: str,
) -> None:
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        await aiodiscovery.download_export(client, export_id, f"{tmp_path}{os.sep}{destination}")

    assert emulator.requests == ()


async def test_a_directory_that_has_the_name_of_the_file_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "export-1.zip").mkdir()

    with pytest.raises(IsADirectoryError, match=r"export-1\.zip' is a directory"):
        await aiodiscovery.download_export(client, "export-1", tmp_path)

    assert emulator.requests == ()


async def test_a_file_that_cannot_be_written_is_an_error(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    (tmp_path / f"{export_id}.zip.part").mkdir()

    with pytest.raises(OSError, match="part"):
        await aiodiscovery.download_export(client, export_id, tmp_path)


async def test_an_http_client_of_another_kind_is_refused(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    # As alike as that of httpx.
    http: Any = type("AsyncClient", (), {"__module__": "httpx"})()

    with pytest.raises(ValueError, match=r"must be an httpx2\.AsyncClient, not httpx\.AsyncClient"):
        await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)


async def test_a_blocking_client_is_refused(anyio_backend: str, tmp_path: Path) -> None:
    blocking: Any = boto3.client(
        "discovery", "us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
    )

    with pytest.raises(ValueError, match="blocking"):
        await aiodiscovery.download_export(blocking, "export-1", tmp_path)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_without_the_extra_it_says_what_to_install(
    client: "ApplicationDiscoveryServiceClient",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(ImportError, match=r'pip install "aiodiscovery\[download\]"'):
        await aiodiscovery.download_export(client, "export-1", tmp_path)
