"""Shared by the tests of downloads: views of the emulator and of folders, and odd HTTP clients."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

__all__ = [
    "SIZE",
    "Body",
    "answers",
    "changed_client",
    "describe",
    "leave_a_part",
    "names",
    "own_client",
]

#: The approximate size of the emulator's archives in bytes.
SIZE = 300_000


async def describe(client: "ApplicationDiscoveryServiceClient", export_id: str) -> Any:
    (info,) = (await client.describe_export_tasks(exportIds=[export_id]))["exportsInfo"]
    return info


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def answers(emulator: Emulator) -> list[tuple[str | None, int | None]]:
    """Return the requested ranges and the statuses of the answers."""
    return [(download.range, download.status) for download in emulator.downloads]


async def leave_a_part(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    destination: Path,
    size: int,
) -> None:
    """Cancel a download once this many bytes are on disk."""
    emulator.inject_stalled_download(size)

    def cancel(done: int, total: int | None) -> None:
        if done >= size:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await aiodiscovery.download_export(client, export_id, destination, progress=cancel)
    assert scope.cancelled_caught


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
    """Make a client that can alter requests and answers like a network."""

    class Transport(httpx2.AsyncHTTPTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            on_request(request)
            response = await super().handle_async_request(request)
            on_response(response)
            return response

    return httpx2.AsyncClient(transport=Transport())
