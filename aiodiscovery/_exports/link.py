"""The way to the archive of an export: a presigned URL, which is a credential.

It is always kept in a ``Url``, whose repr leaves out the secret part. Tracebacks with the values of
variables are shown, logged, and sent to services that collect them.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._client import hide_signatures, printable
from .._listing import describe_exports
from ..exceptions import DownloadError, ExportNotSucceededError

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["Link", "Url"]

# A file name without dangerous characters, which cannot be a URL either.
_EXPORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Url:
    """A URL whose repr shows only what is not secret."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"Url({hide_signatures(self._text)!r})"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the full URL. The caller must not keep it."""
        return self._text


class Link:
    """The way to the archive of an export.

    :param export: an export id or an ExportInfo. Nothing is checked yet, so that no traceback ends
        where it is an argument.
    """

    def __init__(self, client: "AioBaseClient", export: Any) -> None:
        self._client = client
        self.url = Url()
        self.truncated = False
        self._status: Any = None
        self._message: Any = None
        self._is_described = isinstance(export, Mapping)
        self._id: Any = export
        if isinstance(export, Mapping):
            self._id = export.get("exportId")
            self._take(export)
        if not isinstance(self._id, str) or not _EXPORT_ID.fullmatch(self._id):
            self._id = None

    @property
    def export_id(self) -> str:
        """The id of the export.

        :raises ValueError: if the argument has no valid id.
        """
        if self._id is None:
            # The argument is not shown: it may be a download URL.
            raise ValueError(
                "export must be an ExportInfo or an export id: "
                "up to 200 letters, digits, '-', '_' and '.'"
            )
        export_id: str = self._id
        return export_id

    async def make_ready(self) -> None:
        """Make sure that there is a URL.

        :raises DownloadError: if there is none.
        """
        if self._is_described:
            self._check_succeeded()
        if not self.url:
            await self.renew()

    async def renew(self) -> None:
        """Get a fresh URL.

        :raises DownloadError: if there is none.
        """
        if not await self._describe():
            raise DownloadError(
                f"the service does not know export {self.export_id}", self.export_id
            )
        self._check_succeeded()
        if not self.url:
            message = f"the service has no download URL for export {self.export_id}"
            raise DownloadError(message, self.export_id)

    async def _describe(self) -> bool:
        info = (await describe_exports(self._client, [self.export_id])).get(self.export_id)
        if info is not None:
            self._take(info)
        return info is not None

    def _take(self, info: Mapping[str, Any]) -> None:
        # The caller's ExportInfo may hold anything.
        url = info.get("configurationsDownloadUrl")
        self.url = Url(url) if isinstance(url, str) else Url()
        self._status = info.get("exportStatus")
        self._message = info.get("statusMessage", "no message")
        self.truncated = bool(info.get("isTruncated"))

    def _check_succeeded(self) -> None:
        if self._status != "SUCCEEDED":
            raise ExportNotSucceededError(
                f"export {self.export_id} has not SUCCEEDED, it is {printable(self._status)}: "
                f"{printable(self._message)}",
                self.export_id,
                str(self._status),
            )
