"""The paginator: listings as asynchronous iterators of pages and of items.

A ``PageIterator`` describes a query and never changes. Each iteration over it is a run of its own:
``_Run`` decides what to ask for and what of the answer to hand out, ``ResumableIterator`` hands it
out and knows where to go on from.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from copy import deepcopy
from operator import length_hint
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, overload

import jmespath
from aiobotocore.client import AioBaseClient
from anyio import ResourceGuard
from botocore.client import BaseClient
from botocore.exceptions import OperationNotPageableError

from ._feature_ids import call_with_feature_id
from ._iterators import PlainAsyncGenerator
from ._resume_token import BEGINNING, IdChunks, Position, read_resume_token, write_resume_token
from .exceptions import PaginationLoopError

if TYPE_CHECKING:
    from . import _types

__all__ = ["PageIterator", "Paginator", "ResumableIterator", "get_paginator"]

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")
T = TypeVar("T")

#: The service's limits for a request: items on a page, and ids asked for.
_MAX_PAGE_SIZE = 100
MAX_IDS = 100


class _Operation(NamedTuple):
    result_key: str
    ids_parameter: str | None = None


# The paginators of botocore's model, here so that no file is read while the event loop waits.
_OPERATIONS = {
    "describe_agents": _Operation("agentsInfo", "agentIds"),
    "describe_continuous_exports": _Operation("descriptions", "exportIds"),
    "describe_export_configurations": _Operation("exportsInfo", "exportIds"),
    "describe_export_tasks": _Operation("exportsInfo", "exportIds"),
    "describe_import_tasks": _Operation("tasks"),
    "describe_tags": _Operation("tags"),
    "list_configurations": _Operation("configurations"),
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
def get_paginator(client: AioBaseClient, operation_name: str) -> "_types.AnyPaginator": ...
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


def check_client(client: Any) -> None:
    """Raise ValueError unless this is an aiobotocore client for the service."""
    if isinstance(client, BaseClient) and not isinstance(client, AioBaseClient):
        raise ValueError(  # noqa: TRY004  # the wrong client of the right kind
            "the client is a blocking one of botocore or boto3; "
            "aiodiscovery.create_client() gives an asynchronous one"
        )
    service_name = client.meta.service_model.service_name
    if service_name != "discovery":
        raise ValueError(f"the client must be one for 'discovery', not for {service_name!r}")


class Paginator:
    """Makes listings of one operation. Got from :func:`get_paginator`."""

    def __init__(self, method: Callable[..., Awaitable[Any]], operation: _Operation) -> None:
        self._method = method
        self._operation = operation

    def paginate(self, **operation_parameters: Any) -> "PageIterator[Any, Any]":
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
        parameters = deepcopy(operation_parameters)
        id_chunks = _take_id_chunks(parameters, self._operation.ids_parameter)
        starting_token = config.get("StartingToken")
        return PageIterator(
            _Query(
                method=self._method,
                operation=self._operation,
                parameters=parameters,
                id_chunks=id_chunks,
                max_items=_whole_number(config, "MaxItems", 0, None),
                page_size=_whole_number(config, "PageSize", 1, _MAX_PAGE_SIZE),
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


class _Query(NamedTuple):
    method: Callable[..., Awaitable[Any]]
    operation: _Operation
    parameters: dict[str, Any]
    id_chunks: IdChunks | None
    max_items: int | None
    page_size: int | None
    starting_token: str | None
    start: Position

    def resume_token(self, position: Position | None) -> str | None:
        if position is None:
            return None
        if position == self.start and self.starting_token is not None:
            return self.starting_token
        return write_resume_token(position, self.id_chunks)

    def request(self, position: Position, remaining: int | None) -> dict[str, Any]:
        """Return the parameters that ask for the page at a position."""
        parameters = self.parameters.copy()
        if self.id_chunks is not None:
            parameters[self.id_chunks.parameter] = self.id_chunks.chunks[position.chunk]
        limit = self.page_size
        if remaining is not None and remaining + position.skip < (limit or _MAX_PAGE_SIZE):
            limit = remaining + position.skip
        if limit is not None:
            parameters["maxResults"] = limit
        if position.service_token is not None:
            parameters["nextToken"] = position.service_token
        return parameters

    def cut(self, response: dict[str, Any], position: Position, remaining: int | None) -> "_Page":
        """Cut what came from a position to what may be handed out of it."""
        key = self.operation.result_key
        page = dict(response)
        items: list[Any] = page.get(key) or []
        first = min(position.skip, len(items))
        last = len(items) if remaining is None else min(len(items), first + remaining)
        if last - first < len(items):
            page[key] = items[first:last]

        service_token = page.pop("nextToken", None)
        after: Position | None
        if last < len(items):
            after = position._replace(skip=last)
        elif service_token:
            # The token may have been cut from a larger page than this: carry the rest over.
            after = position._replace(service_token=service_token, skip=position.skip - first)
        elif self.id_chunks is not None and position.chunk + 1 < len(self.id_chunks.chunks):
            after = Position(chunk=position.chunk + 1)
        else:
            after = None
        if after is not None:
            page["NextToken"] = self.resume_token(after)
        return _Page(
            response=page,
            before=position._replace(skip=first),
            size=last - first,
            after=after,
            skipped=0 < len(items) == first,
        )


class _Page(NamedTuple):
    response: dict[str, Any]
    #: Where its first item stands.
    before: Position
    #: How many items it has.
    size: int
    #: Where the listing goes on behind it; None where nothing is left.
    after: Position | None
    #: Whether all that came was to be skipped.
    skipped: bool


class _Run:
    """One pass over a listing: what to ask for next, and what is not handed out yet.

    A request that fails or is cancelled leaves it as it was.
    """

    __slots__ = (
        "_after",
        "_before",
        "_guard",
        "_of_items",
        "_query",
        "_remaining",
        "_seen",
        "_size",
        "_unpack",
        "left",
    )

    def __init__(
        self,
        query: _Query,
        unpack: Callable[[dict[str, Any]], Iterator[Any]],
        *,
        of_items: bool = False,
    ) -> None:
        self._query = query
        self._unpack = unpack
        self._of_items = of_items
        self._guard = ResourceGuard("iterating over")
        self._remaining = query.max_items
        #: The service's tokens that have been asked with, in the current chunk.
        self._seen: set[str] = set()
        self._before: Position = query.start
        self._size = 0
        self._after: Position | None = query.start
        #: What of the latest page is not handed out yet.
        self.left: Iterator[Any] = iter(())

    @property
    def _position(self) -> Position | None:
        # Worked out from what is left, so that handing out an item costs nothing for it.
        left = length_hint(self.left)
        if not left:
            return self._after
        if self._of_items:
            return self._before._replace(skip=self._before.skip + self._size - left)
        return self._before

    @property
    def resume_token(self) -> str | None:
        return self._query.resume_token(self._position)

    async def ask(self) -> bool:
        """Ask for the next page and unpack it; False where there is none."""
        with self._guard:
            while self._after is not None and self._remaining != 0:
                page = await self._ask_at(self._after)
                left = iter(()) if page.skipped else self._unpack(page.response)
                # Nothing can fail any more: the page counts as asked for.
                self._note_token(self._after, page.after)
                self._before, self._size, self._after = page.before, page.size, page.after
                if self._remaining is not None:
                    self._remaining -= page.size
                self.left = left
                if not page.skipped:
                    return True
        return False

    async def _ask_at(self, position: Position) -> _Page:
        if position.service_token in self._seen:
            raise PaginationLoopError(
                message="the service sent a token that it had sent before in this run"
            )
        request = self._query.request(position, self._remaining)
        response = await call_with_feature_id("PAGINATOR", self._query.method, request)
        return self._query.cut(response, position, self._remaining)

    def _note_token(self, position: Position, after: Position | None) -> None:
        if after is not None and after.chunk != position.chunk:
            self._seen.clear()
        elif position.service_token is not None:
            self._seen.add(position.service_token)

    def close(self) -> None:
        """Hand out and ask for nothing any more, and keep the position."""
        with self._guard:
            self._after = self._position
            self._remaining = 0
            self.left = iter(())


class _Latest:
    """Which iteration over a ``PageIterator`` was begun, or handed something out, last."""

    __slots__ = ("run",)

    def __init__(self) -> None:
        self.run: _Run | None = None


class ResumableIterator(PlainAsyncGenerator[T]):
    """An asynchronous iterator that knows how to go on from where it stands.

    It can be left at any time, needs no closing, and is an ``AsyncGenerator`` for all that expects
    one. An error or a cancellation ends nothing: nothing is handed out, and the next ``anext()``
    asks for the same again. It is for one task at a time: a second one that asks for a page while
    the first one waits for it gets :exc:`anyio.BusyResourceError`.
    """

    def __init__(self, run: _Run, latest: _Latest) -> None:
        self._run = run
        self._latest = latest
        latest.run = run

    @property
    def resume_token(self) -> str | None:
        """The token that continues right after the last thing handed out; None at the end.

        While :meth:`PageIterator.search` hands out what it found on a page, the token still stands
        before that page.
        """
        return self._run.resume_token

    async def __anext__(self) -> T:
        run = self._run
        while True:
            value: T
            for value in run.left:
                self._latest.run = run
                return value
            if not await run.ask():
                raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration. Nothing needs this; ``contextlib.aclosing()`` calls it."""
        self._run.close()


class PageIterator(Generic[PageT, ItemT]):
    """A listing, as pages or as items. Got from :meth:`Paginator.paginate`.

    It describes a query and never changes: every iteration is a new run from ``StartingToken``.
    """

    def __init__(self, query: _Query) -> None:
        self._query = query
        self._latest = _Latest()

    @property
    def resume_token(self) -> str | None:
        """The ``StartingToken`` that continues right after the last page or item handed out.

        It follows the iteration that was begun, or handed something out, last. Before any has
        begun, it is the token that the listing starts from; None when nothing is left.
        """
        run = self._latest.run
        return self._query.resume_token(self._query.start) if run is None else run.resume_token

    def __aiter__(self) -> ResumableIterator[PageT]:
        """Iterate over the pages.

        A page is the service's response as a dict, with ``NextToken``, the resume token behind the
        page, in place of the service's own ``nextToken``; it is there if something may be left.

        :raises PaginationLoopError: if the service leads back to a page of this run.
        :raises botocore.exceptions.BotoCoreError: as botocore raises it, as is ``ClientError``.
        """
        return ResumableIterator(_Run(self._query, _as_one), self._latest)

    def items(self) -> ResumableIterator[ItemT]:
        """Iterate over the items of all pages.

        The iterator has a ``resume_token`` of its own that is right after every single item.
        """
        result_key = self._query.operation.result_key
        run = _Run(self._query, lambda page: iter(page.get(result_key) or ()), of_items=True)
        return ResumableIterator(run, self._latest)

    def search(self, expression: str) -> ResumableIterator[Any]:
        """Iterate over what a JMESPath expression finds on each page.

        A list that it finds is handed out element by element, anything else as it is.

        :raises jmespath.exceptions.JMESPathError: if the expression cannot be read.
        """
        compiled = jmespath.compile(expression)

        def unpack(page: dict[str, Any]) -> Iterator[Any]:
            found = compiled.search(page)
            return iter(found) if isinstance(found, list) else iter((found,))

        return ResumableIterator(_Run(self._query, unpack), self._latest)

    async def build_full_result(self) -> dict[str, Any]:
        """Return the items of all pages under the result key, as one response.

        ``NextToken``, the resume token, is there where ``MaxItems`` cut the listing. Only a call
        that returns moves :attr:`resume_token`: what an error or a cancellation took away has not
        been handed out.
        """
        latest = _Latest()
        pages = ResumableIterator[dict[str, Any]](_Run(self._query, _as_one), latest)
        result_key = self._query.operation.result_key
        items: list[Any] = []
        async for page in pages:
            items += page.get(result_key) or ()
        self._latest.run = latest.run
        result: dict[str, Any] = {result_key: items}
        if pages.resume_token is not None:
            result["NextToken"] = pages.resume_token
        return result


def _as_one(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return iter((page,))
