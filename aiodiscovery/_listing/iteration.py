"""Iterations over a listing: what was returned, and where to continue.

``ResumableIterator`` takes pages from a ``PageSource``, returns what is on them, and always knows
its position.
"""

from collections.abc import Callable, Iterator
from operator import length_hint
from typing import Any, TypeVar

from anyio import BusyResourceError

from .._asynctools import PlainAsyncGenerator
from .query import Page, Query
from .resume_token import Position
from .sources import PageSource

__all__ = ["Latest", "ResumableIterator"]

T = TypeVar("T")


class _Cursor:
    """The position of an iteration: what it has returned, and what is left of the latest page."""

    __slots__ = ("_of_items", "_query", "after", "before", "left", "size")

    def __init__(self, query: Query, *, of_items: bool) -> None:
        self._query = query
        self._of_items = of_items
        # The latest page: its position, its number of items, and where the listing continues.
        self.before: Position = query.start
        self.size: int = 0
        self.after: Position | None = query.start
        #: The items of it that were not returned yet.
        self.left: Iterator[Any] = iter(())

    @property
    def position(self) -> Position | None:
        # Computed from what is left, so that returning an item costs nothing for it.
        left = length_hint(self.left)
        if not left:
            return self.after
        if not self._of_items:
            return self.before
        service_token, skip, chunk = self.before
        return Position(service_token, skip + self.size - left, chunk)

    @property
    def resume_token(self) -> str | None:
        return self._query.resume_token(self.position)

    def close(self) -> None:
        self.after = self.position
        self.left = iter(())


class Latest:
    """The iteration over a ``PageIterator`` that was begun, or returned something, last."""

    __slots__ = ("cursor",)

    def __init__(self) -> None:
        self.cursor: _Cursor | None = None

    def follow(self, cursor: _Cursor) -> None:
        """Note that an iteration is begun, or returns something."""
        overtaken = self.cursor
        if overtaken is not cursor:
            if overtaken is not None and not isinstance(overtaken.left, _Overtaken):
                overtaken.left = _Overtaken(self, overtaken)
            self.cursor = cursor


class _Overtaken(Iterator[Any]):
    """What is left of an iteration's page, once another iteration was the latest.

    Only in this case must each returned item be noted. In all others that costs nothing.
    """

    def __init__(self, latest: Latest, cursor: _Cursor) -> None:
        self._latest = latest
        self._cursor = cursor
        self._left = cursor.left

    def __next__(self) -> Any:
        value = next(self._left)
        self._latest.follow(self._cursor)
        return value

    def __length_hint__(self) -> int:
        return length_hint(self._left)


class ResumableIterator(PlainAsyncGenerator[T]):
    """An asynchronous iterator that knows how to continue from its position.

    It can be left at any time, needs no closing, and is an ``AsyncGenerator`` for code that expects
    one. An error or a cancellation does not end it: nothing is lost, and the next ``anext()`` asks
    for the same again. It is for one task at a time. A second task that asks for a page while the
    first one waits for it gets :exc:`anyio.BusyResourceError`. It belongs to the event loop in
    which it was begun: asking for a page in another loop or thread raises RuntimeError.
    """

    __slots__ = ("_begun", "_busy", "_closed", "_cursor", "_latest", "_page", "_source", "_unpack")

    def __init__(
        self,
        query: Query,
        source: PageSource,
        latest: Latest,
        unpack: Callable[[dict[str, Any]], Iterator[Any]],
        *,
        of_items: bool = False,
    ) -> None:
        self._cursor = _Cursor(query, of_items=of_items)
        self._source = source
        self._latest = latest
        self._unpack = unpack
        self._begun = self._busy = self._closed = False
        self._page: Page | None = None

    @property
    def resume_token(self) -> str | None:
        """The token that continues right after the last page or item returned; None at the end.

        While :meth:`PageIterator.search` returns what it found on a page, the token still points
        before that page.
        """
        return self._cursor.resume_token

    async def __anext__(self) -> T:
        cursor = self._cursor
        while True:
            value: T
            for value in cursor.left:
                return value
            if not await self._turn_the_page():
                raise StopAsyncIteration

    async def _turn_the_page(self) -> bool:
        """Move to the next page. Return False if there is none."""
        self._source.check_loop()
        if self._busy:
            raise BusyResourceError("iterating over")
        self._busy = True
        try:
            if not self._begun and not self._closed:
                self._begun = True
                self._latest.follow(self._cursor)
            if self._page is None and not self._closed:
                self._page = await self._source.next_page()
            if self._page is None:
                if self._source.at_end and not self._closed:
                    # Known before, unless the run began behind the end.
                    self._cursor.after = None
                return False
            response, before, size, after = self._page
            left = self._unpack(response)
            # A page that cannot be unpacked stays the next page.
            self._page = None
            cursor = self._cursor
            cursor.before, cursor.size, cursor.after, cursor.left = before, size, after, left
            self._latest.follow(cursor)
            return True
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """End the iteration. This is not required; ``contextlib.aclosing()`` calls it."""
        if self._busy:
            raise BusyResourceError("iterating over")
        self._closed = True
        self._page = None
        self._cursor.close()
