"""Downloading the archive of an export.

``link`` knows where the archive is, ``destination`` where it goes. ``transfer`` gets it over HTTP,
and ``part`` keeps on disk what has arrived. Here they are put together.
"""

import logging
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from .._client import check_client, hide_signatures_in_logs, printable
from .destination import Destination
from .link import Link
from .part import Part
from .published import Published

if TYPE_CHECKING:
    import httpx2
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

    from .transfer import Transfer

__all__ = ["DownloadedExport", "check_http_client", "download_export"]

logger = logging.getLogger("aiodiscovery")

#: How often to check whether another download of the same archive has ended, in seconds.
_LOCK_INTERVAL = 0.25


@dataclass(frozen=True, slots=True)
class DownloadedExport:
    """The archive of an export on disk, whole and verified."""

    path: Path
    #: Its size in bytes.
    size: int
    #: Whether the service left data out, because the export would have been too large. Exports of
    #: smaller time ranges have all of it.
    truncated: bool


async def download_export(
    client: "AioBaseClient",
    export: "ExportInfoTypeDef | str",
    destination: str | os.PathLike[str],
    *,
    progress: Callable[[int, int | None], object] | None = None,
    http_client: "httpx2.AsyncClient | None" = None,
) -> DownloadedExport:
    """Download the archive of an export that SUCCEEDED, and verify it.

    The bytes go to ``<name>.part`` first. They get the final name once their number is right and
    the CRC of every file in the zip archive is correct. If a connection broke, or an earlier
    download was cancelled or killed, the next request asks only for what is missing. If the server
    cannot do that, or has a different archive by now, the download starts over. It keeps the old
    bytes until the new ones are good. If the URL has expired, the export is described again to get
    a fresh one.

    An existing archive is kept if it is whole and has the length and the end of the service's. If
    it has these and is damaged, it is replaced. An empty file is replaced too. Anything else at
    that path is an error and stays as it is. A second download to the same path waits for the first
    one, and takes over if that fails.

    An archive that arrived whole but that ``zipfile`` cannot read is an error too. It is kept as
    ``<name>.unverified``.

    Answers 408, 429 and 5xx, answers that are not an archive, and broken connections are logged and
    tried again after a while, up to seven times in a row without a byte of progress. A
    ``Retry-After`` of the server is respected, up to two minutes. A cancelled download closes the
    part file and leaves it for the next one.

    Requests go through the proxies of the client's ``Config(proxies=...)``, or else of the
    environment. They trust the certificates that the client trusts: its argument ``verify``,
    AWS_CA_BUNDLE, or ``ca_bundle`` of its profile.

    :param client: an aiobotocore client for ``discovery``.
    :param export: the export's id, or its ExportInfo. The download URL in an ExportInfo saves a
        call.
    :param destination: the path of the file if it ends in ``.zip`` and is not a directory. Anything
        else is a directory, which is created if it does not exist. The file in it is called
        ``<exportId>.zip``.
    :param progress: called with the number of bytes on disk and the expected total, which is None
        if unknown. The number begins above 0 when a download is resumed, and goes back when it
        starts over.
    :param http_client: an ``httpx2.AsyncClient`` to download with instead, for your own proxy, CA
        certificates or time-outs. It is not closed. Its headers, cookies, auth and redirects are
        not used: a presigned URL needs none of them.
    :return: the path, the size and whether the service left data out. That is also logged as a
        warning.
    :raises ExportNotSucceededError: if the export has not SUCCEEDED.
    :raises DownloadError: if the service does not know the export, or if its archive cannot be
        downloaded or is not a whole zip archive.
    :raises botocore.exceptions.BotoCoreError: if the export cannot be described, as botocore raises
        it; the same goes for ``ClientError``.
    :raises FileExistsError: if something else has the name of the archive, or of its part.
    :raises OSError: if the file cannot be written, if the directory of a path in ``.zip`` does not
        exist, or if the file system has no locks.
    :raises ValueError: if an argument is not an export, a path or an HTTP client.
    :raises ImportError: if the extra ``download`` is not installed.
    """
    link = Link(client, export)
    del export  # it may hold the URL, which must not appear in a traceback with variables
    check_client(client)
    export_id = link.export_id
    check_http_client(http_client, "download_export")
    from .connection import open_http_client  # noqa: PLC0415  # it needs the extra
    from .transfer import Transfer  # noqa: PLC0415

    hide_signatures_in_logs()
    place = await run_sync(Destination, destination, export_id)
    await link.make_ready()
    opened = (
        nullcontext(http_client)
        if http_client is not None
        else await run_sync(open_http_client, client, export_id)
    )
    async with opened as http:
        await run_sync(place.make_directory)
        size = await _download(Transfer(http, link, progress), place.path, export_id)
    if link.truncated:
        logger.warning(
            "export %s is truncated: the service left data out of %s; "
            "export smaller time ranges to get all of it",
            export_id,
            printable(place.path),
        )
    return DownloadedExport(place.path, size, link.truncated)


def check_http_client(http_client: Any, caller: str) -> None:
    """Check that a caller's HTTP client can be used.

    :raises ValueError: if it is not one of httpx2.
    :raises ImportError: if the extra ``download`` is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415  # installed with an extra
    except ImportError:
        raise ImportError(f'{caller} needs httpx2: pip install "aiodiscovery[download]"') from None
    if http_client is not None and not isinstance(http_client, httpx2.AsyncClient):
        kind = type(http_client)
        raise ValueError(
            "http_client must be an httpx2.AsyncClient, "
            f"not {kind.__module__}.{kind.__qualname__}"  # httpx has a class of the same name
        )


async def _download(transfer: "Transfer", path: Path, export_id: str) -> int:
    """Make sure that the archive is at a path, and return its size."""
    part = Part(path, export_id)
    try:
        while True:
            published = Published(path)
            try:
                replaced = await run_sync(published.open)
                if replaced is not None and await _is_this(published, replaced, transfer, part):
                    logger.info("export %s is already in %s", export_id, printable(path))
                    await run_sync(_clear, part)
                    return replaced.st_size
            finally:
                published.close()
            if not part.is_open:
                # The other download that has it open may publish it, so look again afterwards.
                await _open(part)
                continue
            await transfer.fetch(part)
            size = part.size
            try:
                await run_sync(part.publish, replaced)
            except FileExistsError:
                # Another download did, on a file system whose locks do not work; or other code did.
                continue
            logger.info("export %s is in %s", export_id, printable(path))
            return size
    finally:
        part.close()


async def _is_this(
    published: Published, found: os.stat_result, transfer: "Transfer", part: Part
) -> bool:
    """Say whether the file with the final name is the archive, whole.

    :return: False if it may be replaced: it is empty, or it is this archive and damaged.
    :raises FileExistsError: if it is anything else.
    """
    if not found.st_size:
        return False
    if not await transfer.finds_the_same(published, found.st_size):
        raise FileExistsError(
            f"{str(part.path)!r} exists and is not the archive of export {part.export_id} that the "
            "service has; nothing is replaced: move it away, or choose another path"
        )
    flaw = await run_sync(published.find_flaw)
    if flaw is not None:
        logger.warning(
            "export %s in %s is damaged: %s, downloading it again",
            part.export_id,
            printable(part.path),
            flaw,
        )
    return flaw is None


async def _open(part: Part) -> None:
    """Open a part once no other download has it open."""
    waits = False
    while not await run_sync(part.try_open):
        if not waits:
            logger.info(
                "export %s is already being downloaded to %s", part.export_id, printable(part.path)
            )
        waits = True
        await anyio.sleep(_LOCK_INTERVAL)


def _clear(part: Part) -> None:
    """Remove leftovers of a download whose archive exists, if possible."""
    with suppress(OSError):
        if part.is_open or part.try_open(leftovers_only=True):
            part.clear()
