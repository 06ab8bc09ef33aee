"""Connections that break and URLs that expire: a download continues, or says why it cannot."""

import ssl
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError
from support.downloads import SIZE, Body, answers, describe, leave_a_part, names, own_client

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


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
    assert len([message for message in caplog.messages if f"answered {status} " in message]) == 7


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
    assert [download.status for download in emulator.downloads] == [403, 200]


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
        assert [download.status for download in emulator.downloads] == [200, *[403, 206] * 4]


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
