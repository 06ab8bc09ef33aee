"""Getting an archive over HTTP, as often as it takes.

RFC 9110 says what ranges are, https://www.rfc-editor.org/rfc/rfc9110#section-14, and that only a
strong ETag tells whether the rest of something still fits, section 13.1.5.
"""

import logging
import random
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import anyio
import httpx2
from anyio.to_thread import run_sync

from .._client import Schedule
from ..exceptions import DownloadError
from .part import Part
from .redaction import hide_signatures

__all__ = ["TIMEOUT", "Transfer"]

logger = logging.getLogger("aiodiscovery")

#: For how long a server may say nothing, in seconds.
TIMEOUT = 30.0
#: When to try again what failed, and how often in a row without a byte of progress.
_SCHEDULE = Schedule(0.5, 20.0)
_MAX_RETRIES = 7

#: How much of the end of two archives has to be the same, in bytes. There are the names, sizes and
#: CRCs of what is in them, some hundred files.
_END = 64 * 1024

#: How many chunks of a body that is closed may have been read already.
_MOST_LEFT = 4

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
# Such statuses may be others the next time.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class _Link(Protocol):
    @property
    def export_id(self) -> str: ...
    @property
    def url(self) -> str: ...
    async def renew(self) -> None: ...


class _Problem(NamedTuple):
    """Why an answer is not what was asked for."""

    text: str
    status_code: int | None = None
    #: Ask for the same later, ask at another URL, or do not ask again.
    remedy: Literal["later", "renew"] | None = "later"


class Transfer:
    """The HTTP side of one download.

    :param http: what it is done with.
    :param link: where the archive is.
    :param progress: told how many bytes there are, of how many.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        link: _Link,
        progress: Callable[[int, int | None], object] | None,
    ) -> None:
        self._http = http
        self._link = link
        self._progress = progress
        #: How many attempts failed since there was progress, and whether the URL was renewed since.
        self._failures = 0
        self._renewed = False
        #: Up to where it got so far: what comes again is no progress.
        self._furthest = 0

    async def fetch(self, part: Part) -> None:
        """Get what is missing of a part, and verify it.

        :raises DownloadError: if that cannot be done. Another call goes on where this one stopped.
        """
        flaw = await self._complete(part)
        if flaw is not None and not part.in_one_piece:
            # A machine may have lost what it had not written yet when it went down.
            logger.warning("export %s is not whole: %s, starting anew", self._link.export_id, flaw)
            await run_sync(part.clear)
            flaw = await self._complete(part)
        if flaw is not None:
            await run_sync(part.clear)
            raise self._error(f"what the server sent is not a whole zip archive: {flaw}")

    async def _complete(self, part: Part) -> str | None:
        """Get what is missing of a part, and return what is wrong with the whole."""
        self._furthest = 0
        await self._until_done(partial(self._continue, part))
        return await run_sync(part.find_flaw)

    async def finds_the_same(self, path: Path, size: int) -> bool:
        """Say whether the server has the archive that is at a path.

        It has if the length and the end are the same.
        """
        same = False
        first = max(0, size - _END)

        async def compare(response: httpx2.Response) -> _Problem | None:
            nonlocal same
            same = await _is_same(response, path, first, size)
            return None

        headers = {"Range": f"bytes={first}-"}
        await self._until_done(partial(self._ask, headers, compare))
        if same and self._progress is not None:
            self._progress(size, size)
        return same

    async def _until_done(self, attempt: Callable[[], Awaitable[_Problem | None]]) -> None:
        """Try until there is no problem any more, or none that could pass.

        Errors are raised here, where none of the HTTP client's is being handled: in the chain of
        those is the request, and with it the URL.
        """
        while (problem := await attempt()) is not None:
            if problem.remedy == "renew" and not self._renewed:
                logger.info(
                    "export %s: %s, getting a fresh URL", self._link.export_id, problem.text
                )
                self._renewed = True
                await self._link.renew()
                continue
            self._failures += 1
            if problem.remedy != "later" or self._failures > _MAX_RETRIES:
                raise self._error(problem.text, problem.status_code)
            delay = _SCHEDULE.delay(self._failures, random.random())  # noqa: S311  # nothing to guess
            logger.warning(
                "export %s: %s, trying again in %.1f s", self._link.export_id, problem.text, delay
            )
            await anyio.sleep(delay)
        self._failures, self._renewed = 0, False

    def _error(self, problem: str, status_code: int | None = None) -> DownloadError:
        message = f"export {self._link.export_id} cannot be downloaded: {problem}"
        return DownloadError(message, self._link.export_id, status_code)

    async def _ask(
        self,
        headers: dict[str, str],
        take: Callable[[httpx2.Response], Awaitable[_Problem | None]],
    ) -> _Problem | None:
        """Send a request, let what is no error be taken, and say what the problem was."""
        try:
            # In no variable of a traceback is the request, which shows its URL.
            response = await self._http.send(
                self._request(headers), stream=True, auth=None, follow_redirects=False
            )
            async with aclosing(response):
                if response.status_code in (200, 206, 416):
                    return await take(response)
                return _problem_of_status(response.status_code)
        except httpx2.InvalidURL:
            return _Problem("its download URL cannot be read", remedy=None)
        except httpx2.HTTPStatusError as error:
            # The client has a hook for answers that calls raise_for_status().
            return _problem_of_status(error.response.status_code)
        except (httpx2.RequestError, ssl.SSLError) as error:
            # An SSLError of an established connection comes as it is (seen with httpcore2 2.16.2).
            return _problem_of_connection(error)

    def _request(self, headers: dict[str, str]) -> httpx2.Request:
        # Not made by the client: what it adds to all of its requests has no place here.
        return httpx2.Request(
            "GET",
            self._link.url,
            headers={"Accept-Encoding": "identity", "User-Agent": "aiodiscovery"} | headers,
        )

    async def _continue(self, part: Part) -> _Problem | None:
        headers: dict[str, str] = {}
        if part.offset:
            assert part.etag is not None  # noqa: S101  # without one, there is no offset
            headers = {"Range": f"bytes={part.offset}-", "If-Range": part.etag}
        return await self._ask(headers, partial(self._receive, part))

    async def _receive(self, part: Part, response: httpx2.Response) -> _Problem | None:
        if response.status_code == 200:
            await run_sync(part.begin, _strong_etag(response), _content_length(response))
        elif response.status_code == 206 and _fits(response, part):
            await run_sync(part.go_on, _content_range(response)[1])
        else:
            # Not every server minds If-Range.
            await run_sync(part.clear)
            return _Problem("the rest of it is of another archive", response.status_code)
        self._note_progress(part)
        async with _open_body(response) as chunks:
            async for chunk in chunks:
                await run_sync(part.append, chunk)
                self._note_progress(part)
        if part.total is not None and not part.is_whole:
            return _Problem(f"{part.size} bytes came instead of {part.total}")
        return None

    def _note_progress(self, part: Part) -> None:
        if part.size > self._furthest:
            self._furthest = part.size
            self._failures, self._renewed = 0, False
        if self._progress is not None:
            self._progress(part.size, part.total)


@asynccontextmanager
async def _open_body(response: httpx2.Response) -> AsyncGenerator[AsyncGenerator[bytes]]:
    """Iterate over the chunks of a body, which can be left midway."""
    # A transport or a hook of the user's may have read it already.
    chunks = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
    try:
        yield chunks
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
        # httpx2 leaves generators of httpcore2 open, of which trio warns (seen with 2.16.2). They
        # end with the error that reading from what is closed gives them, which in a transport of
        # the user's may be any, and must not take the place of what this is left for.
        with suppress(Exception):
            for _ in range(_MOST_LEFT):
                await anext(chunks, None)


async def _is_same(response: httpx2.Response, path: Path, first: int, size: int) -> bool:
    """Say whether an answer has the length of a file, and the same bytes from the first one on."""
    if response.status_code == 200:
        position, total = 0, _content_length(response)
    else:
        position, total = _content_range(response)
    if not 0 <= position <= first or total not in (None, size):
        return False
    async with _open_body(response) as chunks:
        async for chunk in chunks:
            if not await run_sync(_has_at, path, position, chunk):
                return False
            position += len(chunk)
    return position == size


def _has_at(path: Path, position: int, chunk: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(position)
        return file.read(len(chunk)) == chunk


def _fits(response: httpx2.Response, part: Part) -> bool:
    """Say whether a partial answer goes on where a part ends."""
    first, total = _content_range(response)
    return (
        0 < part.offset == first
        and _strong_etag(response) == part.etag
        and (part.total is None or part.total == total)
    )


def _content_range(response: httpx2.Response) -> tuple[int, int | None]:
    """Return where a partial answer begins, -1 if it does not say, and how much there is in all."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        return -1, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def _content_length(response: httpx2.Response) -> int | None:
    length: str = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _strong_etag(response: httpx2.Response) -> str | None:
    etag: str = response.headers.get("ETag", "")
    # One that is no ASCII cannot be sent back.
    return etag if etag.startswith('"') and etag.isascii() else None


def _problem_of_status(status_code: int) -> _Problem:
    try:
        text = f"the server answered {status_code} {HTTPStatus(status_code).phrase}"
    except ValueError:
        text = f"the server answered {status_code}"
    if status_code >= 500 or status_code in _PASSING:
        return _Problem(text, status_code)
    # 403 where the URL has expired, 400 where the credentials have that it was signed with. Where
    # the archive has been moved, another URL helps too.
    return _Problem(text, status_code, "renew")


def _problem_of_connection(error: httpx2.RequestError | ssl.SSLError) -> _Problem:
    detail = hide_signatures(str(error))
    name = type(error).__name__
    text = (
        f"the connection failed ({name}: {detail})" if detail else f"the connection failed ({name})"
    )
    # A certificate that is not trusted stays so, and so does a URL that is not for HTTP.
    lasting = isinstance(error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError))
    lasting = lasting or "CERTIFICATE_VERIFY_FAILED" in detail
    return _Problem(text, remedy=None if lasting else "later")
