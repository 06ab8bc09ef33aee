"""Answers that are not the service's: each is a failed attempt, and loses no good byte.

The places where an answer is read: a download from its beginning, one that is resumed, the check of
an existing archive, a fresh URL. The kinds: a portal's page (with any status), an empty body, half
a body (with a length and without one), another archive, a range that was not asked for, a redirect,
and a portal's answer in place of the service's.
"""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.exceptions import ClientError
from support.downloads import (
    Body,
    answers,
    describe,
    leave_a_part,
    names,
    own_client,
)

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

PAGE = b"<html>Please log in to the network</html>"
LEFT = 200_000

# An answer from something other than S3, once.
FOREIGN: dict[str, Callable[[bytes], Any]] = {
    "page": lambda archive: httpx2.Response(200, html=PAGE.decode()),
    "page that begins with P": lambda archive: httpx2.Response(200, text="Please log in. " * 99),
    "page that begins with PK": lambda archive: httpx2.Response(200, text="PK " * 99),
    "page without a length": lambda archive: httpx2.Response(200, stream=Body(PAGE)),
    "page with an ETag": lambda archive: httpx2.Response(
        200, content=PAGE, headers={"ETag": '"portal"'}
    ),
    "page that says it is a range": lambda archive: httpx2.Response(
        206, content=PAGE, headers={"ETag": '"1"', "Content-Range": f"bytes 0-39/{len(archive)}"}
    ),
    "page as long as the archive": lambda archive: httpx2.Response(
        200, content=b"x" * len(archive)
    ),
    "JSON": lambda archive: httpx2.Response(200, json={"error": "offline"}),
    "empty": lambda archive: httpx2.Response(200, content=b""),
    "empty without a length": lambda archive: httpx2.Response(200, stream=Body(b"")),
    "half without a length": lambda archive: httpx2.Response(200, stream=Body(archive[:99_000])),
    "a few bytes without a length": lambda archive: httpx2.Response(200, stream=Body(archive[:3])),
    "half with an error": lambda archive: httpx2.Response(
        200, stream=Body(archive[:99_000], httpx2.ReadError("gone"))
    ),
    "half with a length": lambda archive: httpx2.Response(
        200, stream=Body(archive[:9000]), headers={"Content-Length": str(len(archive))}
    ),
    "no content": lambda archive: httpx2.Response(204),
    "no range": lambda archive: httpx2.Response(416),
    "511": lambda archive: httpx2.Response(511, html=PAGE.decode()),
    "503 page": lambda archive: httpx2.Response(503, html=PAGE.decode()),
    "403 page": lambda archive: httpx2.Response(403, html=PAGE.decode()),
    "redirect": lambda archive: httpx2.Response(
        302, headers={"Location": "http://portal.invalid/"}
    ),
    "redirect on the way": lambda archive: httpx2.Response(
        307, headers={"Location": "http://portal.invalid/archives"}
    ),
}


def answering_once(answer: Callable[[bytes], Any], archive: bytes) -> Any:
    """Make a client that gets one such answer, and then those of the emulator."""
    left = [answer]

    class Transport(httpx2.AsyncHTTPTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            if left:
                return left.pop()(archive)
            return await super().handle_async_request(request)

    return httpx2.AsyncClient(transport=Transport())


@pytest.mark.parametrize("kind", FOREIGN)
async def test_a_download_does_without_such_an_answer(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: str,
) -> None:
    async with answering_once(FOREIGN[kind], archive) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [done.path.name]


@pytest.mark.parametrize("kind", FOREIGN)
async def test_a_download_that_goes_on_loses_no_byte_by_it(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: str,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, LEFT)
    part = tmp_path / f"{export_id}.zip.part"
    least: list[int] = []

    def note(done: int, total: int | None) -> None:
        least.append(part.stat().st_size if part.exists() else 0)

    async with answering_once(FOREIGN[kind], archive) as http:
        done = await aiodiscovery.download_export(
            client, export_id, tmp_path, http_client=http, progress=note
        )

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [done.path.name]
    assert min(least) >= LEFT
    asked = [answer for answer in answers(emulator)[1:] if answer[1] != 403]
    if kind not in ("page that says it is a range", "no range"):
        # These make it ask for the whole archive, once.
        assert asked == [(f"bytes={LEFT}-", 206)]


@pytest.mark.parametrize("kind", FOREIGN)
async def test_one_that_is_cancelled_then_goes_on_where_it_was(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: str,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, LEFT)

    def answer(request: Any) -> Any:
        # Cancelled when it asks again.
        if requests:
            scope.cancel()
            return httpx2.Response(503)
        requests.append(request)
        return FOREIGN[kind](archive)

    requests: list[Any] = []
    async with own_client(answer) as http:
        with anyio.CancelScope() as scope:
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)
    assert scope.cancelled_caught
    assert (tmp_path / f"{export_id}.zip.part").read_bytes() == archive[:LEFT]

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[-1] == (f"bytes={LEFT}-", 206)


@pytest.mark.parametrize("kind", sorted(FOREIGN.keys() - {"no range"}))
async def test_the_look_at_what_is_there_does_without_it(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: str,
) -> None:
    first = await aiodiscovery.download_export(client, export_id, tmp_path)
    before = first.path.stat().st_ino

    async with answering_once(FOREIGN[kind], archive) as http:
        again = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert again == first
    assert again.path.stat().st_ino == before


@pytest.mark.parametrize("left", [True, False])
async def test_a_portal_that_stays_is_an_error_that_loses_nothing(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    left: bool,
) -> None:
    if left:
        await leave_a_part(client, emulator, export_id, tmp_path, LEFT)
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        return httpx2.Response(200, html="<html>\x1b[2J</html>")

    async with own_client(answer) as http:
        with pytest.raises(aiodiscovery.DownloadError, match=r"not a zip file \(text/html"):
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert len(requests) == 8
    if left:
        assert (tmp_path / f"{export_id}.zip.part").read_bytes() == archive[:LEFT]
    else:
        assert names(tmp_path) == []


async def test_what_a_header_holds_is_shown_escaped_and_bounded(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind = "text/\x1b[2J\u202e" + "x" * 5000
    headers = [(b"Content-Type", kind.encode())]

    async with own_client(lambda request: httpx2.Response(200, headers=headers)) as http:
        with pytest.raises(aiodiscovery.DownloadError) as caught:
            await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    for text in (str(caught.value), *caplog.messages):
        assert text.isprintable()
        assert len(text) < 500


async def test_what_comes_of_a_changed_archive_is_kept_when_it_is_cancelled(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    emulator.replace_archive(export_id)
    await leave_a_part(client, emulator, export_id, tmp_path, 150_000)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert answers(emulator)[1:] == [("bytes=100000-", 200), ("bytes=150000-", 206)]


# A fresh URL


@pytest.fixture
async def client_without_retries(
    anyio_backend: str, emulator: Emulator, session: AioSession
) -> "AsyncIterator[ApplicationDiscoveryServiceClient]":
    config = Config(retries={"total_max_attempts": 1})
    settings: Any = emulator.client_kwargs | {"config": config}
    async with aiodiscovery.create_client(session=session, **settings) as opened:
        yield opened


@pytest.mark.parametrize(
    "inject",
    [
        lambda emulator: emulator.inject_error("ThrottlingException", "Slow.", calls=3),
        lambda emulator: emulator.inject_server_error(calls=3),
        lambda emulator: emulator.inject_dropped_connection(calls=3),
        lambda emulator: emulator.inject_foreign_answer("portal", calls=3),
        lambda emulator: emulator.inject_foreign_answer("empty", calls=3),
        lambda emulator: emulator.inject_foreign_answer("half", calls=3),
        lambda emulator: emulator.inject_foreign_answer("object", calls=3),
        lambda emulator: emulator.inject_foreign_answer("null", calls=3),
        lambda emulator: emulator.inject_foreign_answer("unavailable", calls=3),
    ],
    ids=["throttled", "500", "drop", "portal", "empty", "half", "object", "null", "503"],
)
async def test_a_fresh_url_is_waited_for(
    client_without_retries: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    inject: Callable[[Emulator], None],
) -> None:
    await leave_a_part(client_without_retries, emulator, export_id, tmp_path, LEFT)
    info = await describe(client_without_retries, export_id)
    emulator.inject_expired_url()
    inject(emulator)

    done = await aiodiscovery.download_export(client_without_retries, info, tmp_path)

    assert done.path.read_bytes() == archive
    # The old archive was not asked for again meanwhile.
    assert answers(emulator)[1:] == [(f"bytes={LEFT}-", 403), (f"bytes={LEFT}-", 206)]


async def test_a_service_that_stays_busy_is_its_own_error(
    client_without_retries: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aiodiscovery")
    info = await describe(client_without_retries, export_id)
    emulator.inject_expired_url()
    emulator.inject_error("ThrottlingException", "Slow.", calls=None)

    with pytest.raises(ClientError, match="ThrottlingException"):
        await aiodiscovery.download_export(client_without_retries, info, tmp_path)

    waits = [message for message in caplog.messages if "cannot be asked for a fresh URL" in message]
    assert len(waits) == 7
    assert all("ThrottlingException" in message for message in waits)
