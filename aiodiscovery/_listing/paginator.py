"""The paginator, which describes listings.

It makes a ``PageIterator`` (``pages``) from the caller's arguments, which never changes. Each
iteration over it (``iteration``) is a separate run, for which a ``PageSource`` (``sources``) asks
the service for pages.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from aiobotocore.client import AioBaseClient
from botocore.exceptions import OperationNotPageableError

from .._client import call_of, check_client
from .checks import show
from .pages import PageIterator
from .query import MAX_IDS, MAX_PAGE_SIZE, Operation, Query, copy_parameters
from .resume_token import BEGINNING, IdChunks, read_resume_token

if TYPE_CHECKING:
    from . import types  # pyright: ignore[reportMissingModuleSource]  # a stub only

__all__ = ["Paginator", "get_paginator"]

# The paginators of botocore's model, copied so that no file is read in the event loop.
_OPERATIONS = {
    "describe_agents": Operation("DescribeAgents", "agentsInfo", "agentIds"),
    "describe_continuous_exports": Operation(
        "DescribeContinuousExports", "descriptions", "exportIds"
    ),
    "describe_export_configurations": Operation(
        "DescribeExportConfigurations", "exportsInfo", "exportIds"
    ),
    "describe_export_tasks": Operation("DescribeExportTasks", "exportsInfo", "exportIds"),
    "describe_import_tasks": Operation("DescribeImportTasks", "tasks"),
    "describe_tags": Operation("DescribeTags", "tags"),
    "list_configurations": Operation("ListConfigurations", "configurations"),
}


@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_agents"]
) -> "types.DescribeAgentsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_continuous_exports"]
) -> "types.DescribeContinuousExportsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_export_configurations"]
) -> "types.DescribeExportConfigurationsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_export_tasks"]
) -> "types.DescribeExportTasksPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_import_tasks"]
) -> "types.DescribeImportTasksPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["describe_tags"]
) -> "types.DescribeTagsPaginator": ...
@overload
def get_paginator(
    client: AioBaseClient, operation_name: Literal["list_configurations"]
) -> "types.ListConfigurationsPaginator": ...
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
    return Paginator(call_of(client, operation_name), operation)


class Paginator:
    """Makes listings of one operation. Obtained from :func:`get_paginator`."""

    def __init__(self, method: Callable[..., Awaitable[Any]], operation: Operation) -> None:
        self._method = method
        self._operation = operation

    def paginate(self, *args: Any, **operation_parameters: Any) -> "PageIterator[Any, Any]":
        """Describe a listing. Nothing is sent until it is iterated.

        More than 100 ids in ``exportIds`` or ``agentIds`` are sent in requests of up to 100, in
        order and without repetitions. The result is one listing.

        :param operation_parameters: the operation's own parameters, in the service's spelling,
            and ``PaginationConfig``, a dict with any of

            - ``MaxItems``: how many items to return at most, over all pages; 0 or more,
            - ``PageSize``: how many items to ask for in a request; 1 to 100,
            - ``StartingToken``: a resume token of this package, botocore, boto3, aiobotocore or
              the AWS CLI; any other string is a token of the service itself, and sent as it is.
        :raises InvalidResumeTokenError: if the listing cannot continue from ``StartingToken``.
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
            raise ValueError(  # noqa: TRY004  # one kind of error for anything wrong in it
                f"PaginationConfig must be a dict, not {type(config).__name__}"
            )
        if unknown := config.keys() - {"MaxItems", "PageSize", "StartingToken"}:
            raise ValueError(
                f"unknown keys in PaginationConfig: {', '.join(sorted(map(show, unknown))[:10])}; "
                "allowed are MaxItems, PageSize and StartingToken"
            )
        parameters = copy_parameters(operation_parameters)
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
        return None  # botocore reports what is wrong with them
    # An id in two chunks would be returned twice.
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
        # botocore also allows a string that holds the number. int() would cut a fraction off.
        number = int(value)
        valid = not isinstance(value, bool) and (isinstance(value, str) or number == value)
    except (TypeError, ValueError, OverflowError):
        number, valid = 0, False
    if not valid or number < minimum or (maximum is not None and number > maximum):
        allowed = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} must be a whole number {allowed}, not {show(value)}")
    return number
