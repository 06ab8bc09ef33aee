"""Downloading the archive of an export.

``_download`` knows what is to be downloaded and where to, ``_transfer`` gets it over HTTP, and
``_part`` keeps what has come on disk.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from .._client import check_client
from .._listing import describe_exports
from ..exceptions import DownloadError, ExportNotSucceededError
from .part import Part
from .redaction import hide_signatures_in_logs

if TYPE_CHECKING:
    import httpx2
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

    from .transfer import Transfer

__all__ = ["DownloadedExport", "download_export"]

logger = logging.getLogger("aiodiscovery")

#: How often to look whether another download of the same archive has ended, in seconds.
_LOCK_INTERVAL = 0.25

# What is no danger in a file name, and no URL.
_EXPORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class DownloadedExport:
    """An export's archive that is on disk, whole and verified."""

    path: Path
    #: How many bytes it has.
    size: int
    #: Whether the service left data out, because an export may not be as large as this one would
    #: have been. Exports of smaller time ranges have all of it.
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

    The bytes go to ``<name>.part`` first. That gets its final name once its length is right and
    every file in the zip archive has its CRC. Where a connection broke, or an earlier download was
    cancelled or killed, the next request asks for what is missing; where the server cannot do that,
    or the archive is another one now, it starts anew. A URL that has expired is replaced by
    describing the export again.

    An archive that is there already, whole and with the length and the end that the service's has,
    is kept. Anything else at that path is replaced. A second download to the same path waits for
    the first one, and takes over if that fails.

    Answers 408, 429 and 5xx and broken connections are logged, backed off from and tried again, up
    to seven times in a row without a byte of progress. A download that is cancelled leaves the part
    file, closed, for the next one.

    :param client: an aiobotocore client for ``discovery``.
    :param export: the export's id, or its ExportInfo, whose download URL saves a call.
    :param destination: a directory, in which the file is called ``<exportId>.zip``, or the path of
        the file.
    :param progress: called with how many bytes are on disk and how many there will be, None where
        that is unknown. They begin above 0 where a download goes on, and go back to 0 where it
        starts anew.
    :param http_client: an ``httpx2.AsyncClient`` to download with, for a proxy, CA certificates or
        time-outs of your own. It is not closed. Its headers, cookies, auth and redirects are left
        alone: a presigned URL wants none of them.
    :return: the path, the size and whether the service left data out, which is logged as a warning
        too.
    :raises ExportNotSucceededError: if the export has not SUCCEEDED.
    :raises DownloadError: if the service does not know it, its archive cannot be downloaded, or is
        not a whole zip archive.
    :raises botocore.exceptions.BotoCoreError: if the export cannot be described, as botocore raises
        it, as is ``ClientError``.
    :raises OSError: if the file cannot be written, its directory is not there, or its file system
        has no locks.
    :raises ValueError: if that is no export or no HTTP client.
    :raises ImportError: if the extra ``download`` is not installed.
    """
    check_client(client)
    link = _Link(client, export)
    try:
        import httpx2  # noqa: PLC0415  # it comes with an extra

        from .transfer import TIMEOUT, Transfer  # noqa: PLC0415
    except ImportError:
        raise ImportError(
            'download_export needs httpx2: pip install "aiodiscovery[download]"'
        ) from None
    if http_client is not None and not isinstance(http_client, httpx2.AsyncClient):
        kind = type(http_client)
        raise ValueError(
            "http_client must be an httpx2.AsyncClient, "
            f"not {kind.__module__}.{kind.__qualname__}"  # for httpx has one too
        )
    hide_signatures_in_logs()
    path = await run_sync(_final_path, destination, link.export_id)
    await link.make_ready()
    # Making a client reads CA certificates from disk.
    opened = (
        nullcontext(http_client)
        if http_client is not None
        else await run_sync(partial(httpx2.AsyncClient, timeout=TIMEOUT))
    )
    async with opened as http:
        size = await _download(Transfer(http, link, progress), path, link.export_id)
    if link.truncated:
        logger.warning(
            "export %s is truncated: the service left data out of %s; "
            "export smaller time ranges to get all of it",
            link.export_id,
            path,
        )
    return DownloadedExport(path, size, link.truncated)


class _Link:
    """The way to the archive of an export."""

    def __init__(self, client: "AioBaseClient", export: Any) -> None:
        self._client = client
        export_id = export.get("exportId") if isinstance(export, Mapping) else export
        if not isinstance(export_id, str) or not _EXPORT_ID.fullmatch(export_id):
            # What it is instead is not said: it may be a download URL.
            raise ValueError(
                "export must be an ExportInfo or an export id: "
                "up to 200 letters, digits, '-', '_' and '.'"
            )
        self.export_id = export_id
        self.url = ""
        self.truncated = False
        self._given = None if isinstance(export, str) else export

    async def make_ready(self) -> None:
        """See to it that there is a URL."""
        if self._given is not None:
            self._take(self._given)
        if not self.url:
            await self.renew()

    async def renew(self) -> None:
        """Get a fresh URL."""
        info = (await describe_exports(self._client, [self.export_id])).get(self.export_id)
        if info is None:
            raise DownloadError(
                f"the service does not know export {self.export_id}", self.export_id
            )
        self._take(info)
        if not self.url:
            message = f"the service has no download URL for export {self.export_id}"
            raise DownloadError(message, self.export_id)

    def _take(self, info: Mapping[str, Any]) -> None:
        status = info.get("exportStatus")
        if status != "SUCCEEDED":
            raise ExportNotSucceededError(
                f"export {self.export_id} has not SUCCEEDED, it is {status}: "
                f"{info.get('statusMessage', 'no message')}",
                self.export_id,
                str(status),
            )
        # An ExportInfo of the caller's may hold anything, which no error is to show.
        url = info.get("configurationsDownloadUrl")
        self.url = url if isinstance(url, str) else ""
        self.truncated = bool(info.get("isTruncated"))


def _final_path(destination: str | os.PathLike[str], export_id: str) -> Path:
    text = os.fspath(destination)
    path = Path(text)
    if path.is_dir():
        path /= f"{export_id}.zip"
        if path.is_dir():
            raise IsADirectoryError(f"{str(path)!r} is a directory, and no file can replace it")
        return path
    directory = path if text.endswith((os.sep, os.altsep or os.sep)) else path.parent
    if not directory.is_dir():
        raise FileNotFoundError(f"there is no directory {str(directory)!r} to download to")
    return path


async def _download(transfer: "Transfer", path: Path, export_id: str) -> int:
    """Have the archive at a path in the end, and return its size."""
    part = Part(path, export_id)
    try:
        waits = False
        while not await run_sync(part.try_open):
            if not waits:
                logger.info("export %s is being downloaded to %s already", export_id, path)
            waits = True
            await anyio.sleep(_LOCK_INTERVAL)
        size = await run_sync(part.published_size)
        if size is not None and await transfer.finds_the_same(path, size):
            logger.info("export %s is in %s already", export_id, path)
            await run_sync(part.clear)
            return size
        await transfer.fetch(part)
        await run_sync(part.publish)
        logger.info("export %s is in %s", export_id, path)
        return part.size
    finally:
        part.close()
