"""Downloads with the user's own HTTP client."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.downloads import Body, changed_client, own_client

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


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

    # Reading from its body once it is closed is a ValueError.
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
