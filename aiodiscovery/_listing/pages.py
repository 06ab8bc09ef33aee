"""A listing as it is handed out: as pages or items, asked for when wanted or read ahead."""

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
    """A listing, as pages or as items. Got from :meth:`Paginator.paginate`.

    It describes a query and never changes: every iteration is a new run from ``StartingToken``.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._latest = Latest()

    @property
    def resume_token(self) -> str | None:
        """The ``StartingToken`` that continues right after the last page or item handed out.

        It follows the iteration that was begun, or handed something out, last. Before any has
        begun, it is the token that the listing starts from; None when nothing is left.
        """
        cursor = self._latest.cursor
        if cursor is None:
            return self._query.resume_token(self._query.start)
        return cursor.resume_token

    def __aiter__(self) -> ResumableIterator[PageT]:
        """Iterate over the pages.

        A page is the service's response as a dict, with ``NextToken``, the resume token behind the
        page, in place of the service's own ``nextToken``; it is there if something may be left.

        After an error, the page that it took away is still the next.

        :raises PaginationLoopError: if the service leads back to a page of this run.
        :raises botocore.parsers.ResponseParserError: if an answer is not the service's, or its
            ``nextToken`` cannot be used; what came with such a token is handed out before.
        :raises botocore.exceptions.BotoCoreError: as botocore raises it, as is ``ClientError``.
        :raises RuntimeError: in another event loop than the one in which the iteration was begun.
        """
        return self._iterate(_as_one)

    def items(self) -> ResumableIterator[ItemT]:
        """Iterate over the items of all pages.

        The iterator has a ``resume_token`` of its own that is right after every single item.
        """
        return self._iterate(take_items(self._query), of_items=True)

    def search(self, expression: str) -> ResumableIterator[Any]:
        """Iterate over what a JMESPath expression finds on each page.

        A list that it finds is handed out element by element, anything else as it is.

        :raises jmespath.exceptions.JMESPathError: if the expression cannot be read.
        """
        compiled = jmespath.compile(expression)

        def unpack(page: dict[str, Any]) -> Iterator[Any]:
            found = compiled.search(page)
            return iter(found) if isinstance(found, list) else iter((found,))

        return self._iterate(unpack)

    async def build_full_result(self) -> PageT:
        """Return the items of all pages under the result key, as one response.

        ``NextToken``, the resume token, is there where ``MaxItems`` cut the listing;
        ``ResponseMetadata``, which each page has, is not. Only a call
        that returns moves :attr:`resume_token`: what an error or a cancellation took away has not
        been handed out.
        """
        # Of its own, so that its pages don't count as handed out before all are there.
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

        All comes as it does without: the order, ``MaxItems``, ``NextToken``, resume tokens, and an
        error when its page is the next. The requests for more than 100 ids are made at the same
        time. Leaving the block, by cancellation too, ends what is under way and asks for nothing
        more; :attr:`resume_token` is right after the last page or item handed out.

        If the block is in an async generator of your own, its consumer should close it::

            async with contextlib.aclosing(my_exports()) as exports:
                async for export in exports: ...

        On trio that is necessary: a block that is left in another task than the one that entered
        it, as trio does with a generator that was left with ``break``, raises RuntimeError, and so
        does one that is left out of order. On asyncio it is left in any task without harm.

        :param pages: how many pages to ask for ahead, and how many requests to make at the same
            time, at most.
        :raises ValueError: if ``pages`` is no whole number of at least 1.
        :raises RuntimeError: from the block and what is iterated in it, if it is entered twice, or
            used outside of the block or in another event loop or thread.
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
    """A listing whose next pages are asked for while the caller works on the one it has.

    Got from :meth:`PageIterator.prefetch`, and entered with ``async with``, once. Within the block
    it is what the ``PageIterator`` is, down to every page, error and resume token.
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
    """Return what takes the items out of a page."""
    result_key = query.operation.result_key
    return lambda page: iter(page.get(result_key) or ())
