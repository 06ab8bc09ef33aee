"""Getting an archive over HTTP, in as many attempts as it takes.

RFC 9110 defines ranges in section 14, https://www.rfc-editor.org/rfc/rfc9110#section-14. Section
13.1.5 says that only a strong ETag tells whether the rest of a body still fits.
"""

import logging
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Protocol

import anyio
import httpx2
from anyio.to_thread import run_sync

from .._client import CALL_ERRORS, Backoff, describe_error, may_pass
from ..exceptions import DownloadError
from .answers import (
    Problem,
    content_length,
    content_range,
    content_type,
    problem_of_connection,
    problem_of_status,
    problem_of_url,
    redirected,
    strong_etag,
    target_of,
)
from .archive import Flaw
from .link import Url
from .part import Part
from .published import Published

__all__ = ["Transfer"]

logger = logging.getLogger("aiodiscovery")

#: When to try again after a failure, and how many times in a row without a byte of progress.
_BACKOFF = Backoff(0.5, 20.0)
_MAX_RETRIES = 7
#: The longest time that a server may make its requests wait, in seconds.
_MAX_RETRY_AFTER = 120.0

#: How many bytes at the end of two archives have to be the same. They hold the names, sizes and
#: CRCs of the files in them, for some hundred files.
_END = 64 * 1024

#: How many chunks of a closed body may have been read already.
_MOST_LEFT = 4

# The beginnings of zip archives: a file, or the end of an archive without files.
_BEGINNINGS = (b"PK\3\4", b"PK\5\6")
_BEGINNING = 4


class _Link(Protocol):
    @property
    def export_id(self) -> str: ...
    @property
    def url(self) -> Url: ...
    async def renew(self) -> None: ...


class Transfer:
    """The HTTP side of one download.

    :param http: the HTTP client.
    :param link: where the archive is.
    :param progress: called with the number of bytes that have arrived, and the total.
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
        #: How many attempts failed since the last progress, and whether the URL was renewed since.
        self._failures = 0
        self._renewed = False
        #: The furthest offset so far. Bytes that come again are not progress.
        self._furthest = 0
        #: Whether to ask for the whole archive next, because its rest did not fit.
        self._asks_for_all = False

    async def fetch(self, part: Part) -> None:
        """Get the missing bytes of a part, and verify it.

        :raises DownloadError: if that fails. Another call continues where this one stopped.
        """
        flaw = await self._complete(part)
        if flaw is not None and not part.in_one_piece:
            # When a machine goes down, it may lose bytes that were not written to disk yet.
            logger.warning("export %s is not whole: %s, starting over", self._link.export_id, flaw)
            await run_sync(part.clear)
            flaw = await self._complete(part)
        if flaw is None:
            return
        if flaw.may_be_whole:
            path = await run_sync(part.keep_unverified)
            raise self._error(
                f"the archive came whole, but cannot be read: {flaw}; it is kept as {str(path)!r}"
            )
        await run_sync(part.drop_new)
        raise self._error(f"what the server sent is not a whole zip archive: {flaw}")

    async def finds_the_same(self, published: Published, size: int) -> bool:
        """Say whether the server has the archive that already has the final name.

        It has if the length and the end are the same.
        """
        same = False
        first = max(0, size - _END)

        async def compare(response: httpx2.Response) -> Problem | None:
            nonlocal same
            found = await _compare(response, published, first, size)
            if isinstance(found, Problem):
                self._asks_for_all = response.status_code == 206
                return found
            same = found
            return None

        async def attempt() -> Problem | None:
            # Not every server handles ranges correctly.
            whole, self._asks_for_all = self._asks_for_all, False
            return await self._ask({} if whole else {"Range": f"bytes={first}-"}, compare)

        await self._until_done(attempt)
        if same and self._progress is not None:
            self._progress(size, size)
        return same

    async def _complete(self, part: Part) -> Flaw | None:
        """Get the missing bytes of a part, and return what is wrong with the whole."""
        self._furthest = 0
        await self._until_done(partial(self._continue, part))
        return await run_sync(part.find_flaw)

    async def _until_done(self, attempt: Callable[[], Awaitable[Problem | None]]) -> None:
        """Try until there is no problem, or one that trying again does not solve.

        Errors are raised here, outside the handling of the HTTP client's errors. Otherwise their
        chain would hold the request, and with it the URL.
        """
        step = attempt
        while True:
            problem = await step()
            if problem is None:
                if step is attempt:
                    break
                self._renewed, step = True, attempt
                continue
            if problem.remedy == "renew" and not self._renewed:
                logger.info(
                    "export %s: %s, getting a fresh URL", self._link.export_id, problem.text
                )
                step = self._renew
                continue
            self._failures += 1
            if problem.remedy != "later" or self._failures > _MAX_RETRIES:
                raise problem.error or self._error(problem.text, problem.status_code)
            delay = _BACKOFF.delay(self._failures, random.random())  # noqa: S311  # nothing to guess
            delay = max(delay, min(problem.retry_after, _MAX_RETRY_AFTER))
            logger.warning(
                "export %s: %s, trying again in %.1f s", self._link.export_id, problem.text, delay
            )
            await anyio.sleep(delay)
        self._failures, self._renewed = 0, False

    async def _renew(self) -> Problem | None:
        """Get a fresh URL, or say why the service cannot be asked for one now."""
        try:
            await self._link.renew()
        except CALL_ERRORS as error:
            if not may_pass(error):
                raise
            text = f"the service cannot be asked for a fresh URL ({describe_error(error)})"
            return Problem(text, error=error)
        return None

    def _error(self, problem: str, status_code: int | None = None) -> DownloadError:
        message = f"export {self._link.export_id} cannot be downloaded: {problem}"
        return DownloadError(message, self._link.export_id, status_code)

    async def _ask(
        self,
        headers: dict[str, str],
        take: Callable[[httpx2.Response], Awaitable[Problem | None]],
        url: Url | None = None,
    ) -> Problem | None:
        """Send a request, let a good answer be taken, and return the problem, if any.

        :param url: where S3 has redirected it to.
        """
        asked = url or self._link.url
        problem = problem_of_url(asked)
        if problem is not None:
            return problem
        try:
            response = await self._send(asked, headers)
            async with aclosing(response):
                if response.status_code in (200, 206, 416):
                    return await take(response)
                url = redirected(asked, response) if url is None else None
                if url is None:
                    return problem_of_status(response)
        except httpx2.HTTPStatusError as error:
            # The client has a hook that calls raise_for_status().
            return problem_of_status(error.response)
        # An SSLError of an established connection is not wrapped (seen with httpcore2 2.16.2).
        except (httpx2.RequestError, ssl.SSLError) as error:
            return problem_of_connection(error)
        return await self._ask(headers, take, url)

    async def _send(self, url: Url, headers: dict[str, str]) -> httpx2.Response:
        try:
            # The request shows its URL, so no variable of a traceback may hold it.
            return await self._http.send(
                _request(url, headers), stream=True, auth=None, follow_redirects=False
            )
        except (UnicodeError, OverflowError, ExceptionGroup) as error:
            # Raised for a host or a port that cannot exist (seen with 2.16.2).
            raise httpx2.ConnectError(type(error).__name__) from error

    async def _continue(self, part: Part) -> Problem | None:
        headers: dict[str, str] = {}
        asks_for_all, self._asks_for_all = self._asks_for_all, False
        if part.offset and not asks_for_all:
            assert part.etag is not None  # noqa: S101  # without one, there is no offset
            headers = {"Range": f"bytes={part.offset}-", "If-Range": part.etag}
        problem = await self._ask(headers, partial(self._receive, part))
        if problem is not None:
            await run_sync(part.settle)
        return problem

    async def _receive(self, part: Part, response: httpx2.Response) -> Problem | None:
        if response.status_code == 200:
            problem = await self._receive_all(part, response)
        elif response.status_code == 206 and _fits(response, part):
            problem = await self._receive_rest(part, response)
        else:
            # Not every server handles If-Range correctly.
            self._asks_for_all = True
            problem = Problem("the rest of it belongs to another archive", response.status_code)
        if problem is not None:
            return problem
        if part.total is not None:
            if not part.is_whole:
                return Problem(f"{part.size} bytes arrived instead of {part.total}")
            return None
        # Without a length, only the archive itself can show whether it is complete.
        flaw = await run_sync(part.find_flaw)
        if flaw is None or flaw.may_be_whole:
            return None
        return Problem(f"what the server sent is not a whole zip archive: {flaw}")

    async def _receive_all(self, part: Part, response: httpx2.Response) -> Problem | None:
        beginning, has_begun = b"", False
        async with _open_body(response) as chunks:
            async for chunk in chunks:
                beginning += chunk[: _BEGINNING - len(beginning)]
                if not _may_begin(beginning):
                    break
                if not has_begun:
                    await run_sync(part.begin, strong_etag(response), content_length(response))
                    has_begun = True
                    self._note_progress(part)
                await run_sync(part.append, chunk)
                self._note_progress(part)
        if beginning in _BEGINNINGS:
            return None
        if has_begun:
            await run_sync(part.drop_new)
        return _no_archive(response)

    async def _receive_rest(self, part: Part, response: httpx2.Response) -> Problem | None:
        await run_sync(part.go_on, content_range(response)[1])
        self._note_progress(part)
        async with _open_body(response) as chunks:
            async for chunk in chunks:
                await run_sync(part.append, chunk)
                self._note_progress(part)
        return None

    def _note_progress(self, part: Part) -> None:
        if part.size > self._furthest:
            self._furthest = part.size
            self._failures, self._renewed = 0, False
        if self._progress is not None:
            self._progress(part.size, part.total)


def _request(url: Url, headers: dict[str, str]) -> httpx2.Request:
    # Not created by the client, whose own headers and settings must not be added.
    target = target_of(url)
    return httpx2.Request(
        "GET",
        url.reveal(),
        headers={"Accept-Encoding": "identity", "User-Agent": "aiodiscovery"} | headers,
        extensions=None if target is None else {"target": target},
    )


@asynccontextmanager
async def _open_body(response: httpx2.Response) -> AsyncGenerator[AsyncGenerator[bytes]]:
    """Iterate over the chunks of a body. The iteration can be left midway."""
    # The user's transport or hook may have read it already.
    chunks = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
    try:
        yield chunks
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
        # httpx2 leaves generators of httpcore2 open, and trio warns about that (seen with 2.16.2).
        # They end with the error of reading from something closed. In a user's transport that can
        # be any error. It must not replace the reason why this is left.
        with suppress(Exception):
            for _ in range(_MOST_LEFT):
                await anext(chunks, None)


def _may_begin(beginning: bytes) -> bool:
    """Say whether a zip archive may begin with these bytes, or with more of them."""
    return any(known.startswith(beginning[:_BEGINNING]) for known in _BEGINNINGS)


def _no_archive(response: httpx2.Response) -> Problem:
    return Problem(
        "what the server sent is not a whole zip archive: it is not a zip file "
        f"({content_type(response)})"
    )


async def _compare(
    response: httpx2.Response, published: Published, first: int, size: int
) -> bool | Problem:
    """Say whether an answer has the length of a file, and the same bytes from the first one on.

    If an answer does not show that, return the problem.
    """
    if response.status_code == 416:
        return False  # it is shorter
    whole = response.status_code == 200
    position, total = (0, content_length(response)) if whole else content_range(response)
    async with _open_body(response) as chunks:
        chunk: bytes | None = await anext(chunks, b"")
        if whole and not (chunk and _may_begin(chunk)):
            return _no_archive(response)
        if not 0 <= position <= first:
            return Problem("the answer is not what was asked for", response.status_code)
        while chunk is not None and total in (None, size):
            skipped = max(0, first - position)
            if not await run_sync(published.has_at, position + skipped, chunk[skipped:]):
                return False
            position += len(chunk)
            chunk = await anext(chunks, None)
    if total in (None, size) and position < size:
        return Problem(f"{position} bytes arrived instead of {size}")
    return total in (None, size)


def _fits(response: httpx2.Response, part: Part) -> bool:
    """Say whether a partial answer continues where a part ends."""
    first, total = content_range(response)
    return (
        0 < part.offset == first
        and strong_etag(response) == part.etag
        and (part.total is None or part.total == total)
    )
