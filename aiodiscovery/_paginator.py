"""The paginator: listings as asynchronous iterators of pages and of items.

A ``PageIterator`` describes a query and never changes. Each iteration over it is a run of its own:
a ``PageSource`` asks for the pages, ``ResumableIterator`` hands out what is on them and knows where
to go on from.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from copy import deepcopy
from operator import length_hint
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

import jmespath
from aiobotocore.client import AioBaseClient
from anyio import BusyResourceError, create_task_group
from botocore.exceptions import OperationNotPageableError

from ._asynctools import PlainAsyncGenerator, leave
from ._checks import check_count
from ._client import check_client
from ._query import MAX_IDS, MAX_PAGE_SIZE, Operation, Page, Query
from ._resume_token import BEGINNING, IdChunks, Position, read_resume_token
from ._sources import AheadSource, DirectSource, PageSource

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from . import _types  # pyright: ignore[reportMissingModuleSource]  # a stub only

__all__ = ["PageIterator", "Paginator", "ReadAhead", "ResumableIterator", "get_paginator"]

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")
T = TypeVar("T")

# The paginators of botocore's model, here so that no file is read while the event loop waits.
_OPERATIONS = {
    "describe_agents": Operation("agentsInfo", "agentIds"),
    "describe_continuous_exports": Operation("descriptions", "exportIds"),
    "describe_export_configurations": Operation("exportsInfo", "exportIds"),
    "describe_export_tasks": Operation("exportsInfo", "exportIds"),
    "describe_import_tasks": Operation("tasks"),
    "describe_tags": Operation("tags"),
    "list_configurations": Operation("configurations"),
}


@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_agents"]
) -> "_types.DescribeAgentsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_continuous_exports"]
) -> "_types.DescribeContinuousExportsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_export_configurations"]
) -> "_types.DescribeExportConfigurationsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_export_tasks"]
) -> "_types.DescribeExportTasksPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_import_tasks"]
) -> "_types.DescribeImportTasksPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_tags"]
) -> "_types.DescribeTagsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["list_configurations"]
) -> "_types.ListConfigurationsPaginator": ...
@overload
def get_paginator(client: AioBaseClient, operation_name: str) -> "Paginator": ...
def get_paginator(client: AioBaseClient, operation_name: str) -> Any:
    """Return a paginator for one of the service's listings.

    :param client: an aiobotocore client for ``discovery``.
    :param operation_name: ``describe_agents``, ``describe_continuous_exports``,
        ``describe_export_configurations``, ``describe_export_tasks``, ``describe_import_tasks``,
        ``describe_tags`` or ``list_configurations``.
    :raises botocore.exceptions.OperationNotPageableError: for any other operation.
    :raises ValueError: if the client is for another service, or not aiobotocore's.
    """
    check_client(client)
    operation = _OPERATIONS.get(operation_name)
    if operation is None:
        raise OperationNotPageableError(operation_name=operation_name)
    return Paginator(getattr(client, operation_name), operation)


class Paginator:
    """Makes listings of one operation. Got from :func:`get_paginator`."""

    def __init__(self, method: Callable[..., Awaitable[Any]], operation: Operation) -> None:
        self._method = method
        self._operation = operation

    def paginate(self, *args: Any, **operation_parameters: Any) -> "PageIterator[Any, Any]":
        """Describe a listing. Nothing is sent until it is iterated.

        More than 100 ids in ``exportIds`` or ``agentIds`` are asked for in requests of up to 100,
        in order, each id once, as one listing.

        :param operation_parameters: the operation's own parameters, in the service's spelling,
            and ``PaginationConfig``, a dict with any of

            - ``MaxItems``: how many items to hand out at most, over all pages; 0 or more,
            - ``PageSize``: how many items to ask for in a request; 1 to 100,
            - ``StartingToken``: a resume token of this package, botocore, boto3, aiobotocore or
              the AWS CLI, or a token of the service itself.
        :raises InvalidResumeTokenError: if the listing cannot go on from ``StartingToken``.
        :raises ValueError: for anything else in ``PaginationConfig`` that is not allowed, or for
            ``nextToken`` or ``maxResults`` beside it.
        """
        if args:
            raise TypeError("paginate() takes keyword arguments only")
        config = operation_parameters.pop("PaginationConfig", {})
        for name, instead in (("nextToken", "StartingToken"), ("maxResults", "PageSize")):
            if name in operation_parameters:
                raise ValueError(f"give {instead} in PaginationConfig instead of {name}")
        if not isinstance(config, Mapping):
            raise ValueError(  # noqa: TRY004  # one kind of error for whatever is wrong in it
                f"PaginationConfig must be a dict, not {type(config).__name__}"
            )
        if unknown := config.keys() - {"MaxItems", "PageSize", "StartingToken"}:
            raise ValueError(
                f"unknown in PaginationConfig: {', '.join(sorted(map(repr, unknown)))}; "
                "allowed are MaxItems, PageSize and StartingToken"
            )
        try:
            parameters = deepcopy(operation_parameters)
        except TypeError:
            # A generator, say. The service takes nothing that cannot be copied: botocore says so.
            parameters = operation_parameters
        id_chunks = _take_id_chunks(parameters, self._operation.ids_parameter)
        starting_token = config.get("StartingToken")
        return PageIterator(
            Query(
                method=self._method,
                operation=self._operation,
                parameters=parameters,
                id_chunks=id_chunks,
                max_items=_whole_number(config, "MaxItems", 0, None),
                page_size=_whole_number(config, "PageSize", 1, MAX_PAGE_SIZE),
                starting_token=starting_token,
                start=(
                    BEGINNING
                    if starting_token is None
                    else read_resume_token(starting_token, id_chunks)
                ),
            )
        )


def _take_id_chunks(parameters: dict[str, Any], ids_parameter: str | None) -> IdChunks | None:
    """Take a list of ids that is too long for one request out of the parameters."""
    if ids_parameter is None:
        return None
    ids = parameters.get(ids_parameter)
    if not isinstance(ids, (list, tuple)) or len(ids) <= MAX_IDS:
        return None
    if not all(isinstance(item, str) for item in ids):
        return None  # botocore says what is wrong with them
    # An id that stands in two chunks would come twice.
    unique = list(dict.fromkeys(ids))
    if len(unique) <= MAX_IDS:
        parameters[ids_parameter] = unique
        return None
    del parameters[ids_parameter]
    return IdChunks.of(ids_parameter, unique, MAX_IDS)


def _whole_number(
    config: Mapping[str, Any], name: str, minimum: int, maximum: int | None
) -> int | None:
    value = config.get(name)
    if value is None:
        return None
    try:
        # A string may hold the number, as botocore allows; int() would cut a fraction off.
        number = int(value)
        valid = not isinstance(value, bool) and (isinstance(value, str) or number == value)
    except (TypeError, ValueError, OverflowError):
        number, valid = 0, False
    if not valid or number < minimum or (maximum is not None and number > maximum):
        allowed = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} must be a whole number {allowed}, not {value!r}")
    return number


class _Cursor:
    """Where an iteration stands: what it has handed out, and what of the latest page it has not."""

    __slots__ = ("_of_items", "_query", "after", "before", "left", "size")

    def __init__(self, query: Query, *, of_items: bool) -> None:
        self._query = query
        self._of_items = of_items
        # The latest page: where it stands, how many items it has, where the listing goes on.
        self.before: Position = query.start
        self.size = 0
        self.after: Position | None = query.start
        #: What of it is not handed out yet.
        self.left: Iterator[Any] = iter(())

    @property
    def position(self) -> Position | None:
        # Worked out from what is left, so that handing out an item costs nothing for it.
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
    """Which iteration over a ``PageIterator`` was begun, or handed something out, last."""

    __slots__ = ("cursor",)

    def __init__(self) -> None:
        self.cursor: _Cursor | None = None

    def follow(self, cursor: _Cursor) -> None:
        """Note that an iteration is begun, or hands something out."""
        overtaken = self.cursor
        if overtaken is not cursor:
            if overtaken is not None and not isinstance(overtaken.left, _Overtaken):
                overtaken.left = _Overtaken(self, overtaken)
            self.cursor = cursor


class _Overtaken(Iterator[Any]):
    """What is left of an iteration's page, from when another iteration was the latest.

    Only here handing out has to be noted: nothing would be as cheap as not noting it at all.
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
    """An asynchronous iterator that knows how to go on from where it stands.

    It can be left at any time, needs no closing, and is an ``AsyncGenerator`` for all that expects
    one. An error or a cancellation ends nothing: nothing is handed out, and the next ``anext()``
    asks for the same again. It is for one task at a time: a second one that asks for a page while
    the first one waits for it gets :exc:`anyio.BusyResourceError`.
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
        """The token that continues right after the last thing handed out; None at the end.

        While :meth:`PageIterator.search` hands out what it found on a page, the token still stands
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
        """Go on to the next page; False where there is none."""
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
                return False
            response, before, size, after = self._page
            left = self._unpack(response)
            # One that cannot be unpacked stays the next page.
            self._page = None
            cursor = self._cursor
            cursor.before, cursor.size, cursor.after, cursor.left = before, size, after, left
            self._latest.follow(cursor)
            return True
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """End the iteration. Nothing needs this; ``contextlib.aclosing()`` calls it."""
        if self._busy:
            raise BusyResourceError("iterating over")
        self._closed = True
        self._page = None
        self._cursor.close()


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

        :raises PaginationLoopError: if the service leads back to a page of this run.
        :raises botocore.exceptions.BotoCoreError: as botocore raises it, as is ``ClientError``.
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

    async def build_full_result(self) -> dict[str, Any]:
        """Return the items of all pages under the result key, as one response.

        ``NextToken``, the resume token, is there where ``MaxItems`` cut the listing. Only a call
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
        return result

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

        :param pages: how many pages to ask for ahead, and how many requests to make at the same
            time, at most.
        :raises ValueError: if ``pages`` is no whole number of at least 1.
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
        self._tasks: TaskGroup | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("a ReadAhead can be entered only once")
        self._tasks = create_task_group()
        await self._tasks.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None  # noqa: S101  # it was entered
        self._open = False
        return await leave(self._tasks, exc_type, exc, traceback)

    def _source(self) -> PageSource:
        return AheadSource(self._query, self._start, lambda: self._open, self._pages)

    def _start(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        assert self._tasks is not None  # noqa: S101  # it is open
        self._tasks.start_soon(function, *args, name="aiodiscovery.prefetch")


def _as_one(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return iter((page,))


def take_items(query: Query) -> Callable[[dict[str, Any]], Iterator[Any]]:
    """Return what takes the items out of a page."""
    result_key = query.operation.result_key
    return lambda page: iter(page.get(result_key) or ())
