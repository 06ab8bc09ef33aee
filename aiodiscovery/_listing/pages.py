"""A listing for the caller: as pages or items, requested on demand or read ahead."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import jmespath

from .._asynctools import Background
from .checks import check_count
from .iteration import Latest, ResumableIterator
from .query import Query
from .sources import AheadSource, DirectSource, PageSource
from .workers import Workers

__all__ = ["PageIterator", "ReadAhead"]

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")


class PageIterator(Generic[PageT, ItemT]):
    """A listing, as pages or as items. Obtained from :meth:`Paginator.paginate`.

    It describes a query and never changes. Every iteration is a new run from ``StartingToken``.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._latest = Latest()

    @property
    def resume_token(self) -> str | None:
        """The ``StartingToken`` that continues right after the last page or item returned.

        It follows the iteration that was begun, or returned something, last. Before the first
        iteration, it is the token that the listing starts from. It is None when nothing is left.
        """
        cursor = self._latest.cursor
        if cursor is None:
            return self._query.resume_token(self._query.start)
        return cursor.resume_token

    def __aiter__(self) -> ResumableIterator[PageT]:
        """Iterate over the pages.

        A page is the service's response as a dict. ``NextToken``, the resume token behind the page,
        replaces the service's own ``nextToken``. It is there if something may be left.

        After an error, the page that could not be returned is still the next one.

        :raises PaginationLoopError: if the service leads back to a page of this run.
        :raises botocore.parsers.ResponseParserError: if an answer is not the service's, or its
            ``nextToken`` cannot be used. The items that came with such a token are returned first.
        :raises botocore.exceptions.BotoCoreError: as botocore raises it; the same goes for
            ``ClientError``.
        :raises RuntimeError: in another event loop than the one in which the iteration was begun.
        """
        return self._iterate(_as_one)

    def items(self) -> ResumableIterator[ItemT]:
        """Iterate over the items of all pages.

        The iterator has its own ``resume_token``, which is right after every single item.
        """
        return self._iterate(take_items(self._query), of_items=True)

    def search(self, expression: str) -> ResumableIterator[Any]:
        """Iterate over what a JMESPath expression finds on each page.

        If it finds a list, its elements are returned one by one. Anything else is returned whole.

        :raises jmespath.exceptions.JMESPathError: if the expression cannot be read.
        """
        compiled = jmespath.compile(expression)

        def unpack(page: dict[str, Any]) -> Iterator[Any]:
            found = compiled.search(page)
            return iter(found) if isinstance(found, list) else iter((found,))

        return self._iterate(unpack)

    async def build_full_result(self) -> PageT:
        """Return the items of all pages under the result key, as one response.

        It has ``NextToken``, the resume token, if ``MaxItems`` cut the listing. It has no
        ``ResponseMetadata``, which each page has. Only a call that returns moves
        :attr:`resume_token`: after an error or a cancellation, nothing counts as returned.
        """
        # A separate one, so that its pages do not count as returned before all are there.
        latest = Latest()
        pages = self._iterate(_as_one, latest)
        result_key = self._query.operation.result_key
        items: list[Any] = []
        async for page in pages:
            items += page.get(result_key) or ()
        if latest.cursor is not None:
            self._latest.follow(latest.cursor)
        result: dict[str, Any] = {result_key: items}
        if pages.resume_token is not None:
            result["NextToken"] = pages.resume_token
        return cast("PageT", result)

    def prefetch(self, pages: int = 2) -> "ReadAhead[PageT, ItemT]":
        """Read ahead: ask for the next pages while the caller works on the one it has.

        ::

            async with pages.prefetch() as ahead:
                async for page in ahead:  # or ahead.items()
                    ...

        The results are the same as without: the order, ``MaxItems``, ``NextToken``, resume tokens,
        and an error when its page is the next. Requests for more than 100 ids are made at the same
        time. Leaving the block, by cancellation too, ends the requests under way and makes no more.
        Then :attr:`resume_token` is right after the last page or item returned.

        If the block is in an async generator of your own, its consumer should close it::

            async with contextlib.aclosing(my_exports()) as exports:
                async for export in exports: ...

        On trio that is necessary. There the block raises RuntimeError if it is left out of order,
        or in another task than the one that entered it. The latter happens when a generator is
        left with ``break``. On asyncio the block may be left in any task.

        :param pages: how many pages to request ahead, and how many requests to make at the same
            time, at most.
        :raises ValueError: if ``pages`` is not a whole number of at least 1.
        :raises RuntimeError: from the block and the iterations in it, if it is entered twice, or
            used outside the block or in another event loop or thread.
        """
        check_count("pages", pages)
        return ReadAhead(self._query, self._latest, pages)

    def _iterate(
        self,
        unpack: Callable[[dict[str, Any]], Iterator[Any]],
        latest: Latest | None = None,
        *,
        of_items: bool = False,
    ) -> ResumableIterator[Any]:
        query = self._query
        return ResumableIterator(
            query, self._source(), latest or self._latest, unpack, of_items=of_items
        )

    def _source(self) -> PageSource:
        return DirectSource(self._query)


class ReadAhead(PageIterator[PageT, ItemT]):
    """A listing whose next pages are requested while the caller works on the current one.

    Obtained from :meth:`PageIterator.prefetch`, and entered with ``async with``, once. Within the
    block it behaves like the ``PageIterator``, down to every page, error and resume token.
    """

    def __init__(self, query: Query, latest: Latest, pages: int) -> None:
        self._query = query
        self._latest = latest
        self._pages = pages
        self._background = Background("a ReadAhead")
        self._workers = Workers(self._background, name="aiodiscovery.prefetch")

    async def __aenter__(self) -> Self:
        await self._background.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._background.__aexit__(exc_type, exc, traceback)

    def _source(self) -> PageSource:
        return AheadSource(self._query, self._workers, self._pages)


def _as_one(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return iter((page,))


def take_items(query: Query) -> Callable[[dict[str, Any]], Iterator[Any]]:
    """Return a function that takes the items out of a page."""
    result_key = query.operation.result_key
    return lambda page: iter(page.get(result_key) or ())
