"""Listings over the emulator: which there are, and their pages and items."""

from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import (
    ClientError,
    OperationNotPageableError,
)
from botocore.loaders import Loader
from support.listings import ids_in, ids_of, list_exports

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

OPERATIONS = {
    "describe_agents": "agentsInfo",
    "describe_continuous_exports": "descriptions",
    "describe_export_configurations": "exportsInfo",
    "describe_export_tasks": "exportsInfo",
    "describe_import_tasks": "tasks",
    "describe_tags": "tags",
    "list_configurations": "configurations",
}


# Which operations


@pytest.mark.parametrize(("operation", "result_key"), OPERATIONS.items())
async def test_every_paginated_operation_is_listed_whole(
    client: "Client", emulator: Emulator, operation: Any, result_key: str
) -> None:
    parameters = {"configurationType": "SERVER"} if operation == "list_configurations" else {}
    paginator: Any = aiodiscovery.get_paginator(client, operation)
    whole = await getattr(client, operation)(**parameters)

    pages = paginator.paginate(**parameters, PaginationConfig={"PageSize": 3})

    assert _without_urls([item async for item in pages.items()]) == _without_urls(whole[result_key])


def test_the_operations_are_those_of_the_model_of_botocore() -> None:
    model = Loader().load_service_model("discovery", "paginators-1")["pagination"]
    names = {"".join(part.title() for part in name.split("_")): name for name in OPERATIONS}

    assert {names[name]: config["result_key"] for name, config in model.items()} == OPERATIONS
    assert all(
        (config["input_token"], config["output_token"], config["limit_key"])
        == ("nextToken", "nextToken", "maxResults")
        for config in model.values()
    )


async def test_an_operation_without_pages_is_refused(client: "Client") -> None:
    with pytest.raises(OperationNotPageableError, match="start_export_task"):
        aiodiscovery.get_paginator(client, "start_export_task")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def test_a_client_of_another_service_is_refused(emulator: Emulator) -> None:
    async with get_session().create_client("s3", **emulator.client_kwargs) as s3:
        with pytest.raises(ValueError, match="'discovery', not for 's3'"):
            aiodiscovery.get_paginator(s3, "describe_export_tasks")


def test_a_blocking_client_is_refused(emulator: Emulator) -> None:
    blocking: Any = boto3.client("discovery", **emulator.client_kwargs)
    try:
        with pytest.raises(ValueError, match="blocking"):
            aiodiscovery.get_paginator(blocking, "describe_export_tasks")
    finally:
        blocking.close()


# Pages


async def test_nothing_is_sent_before_the_iteration(client: "Client", emulator: Emulator) -> None:
    pages = list_exports(client)
    pages.items()
    aiter(pages)

    assert emulator.requests == ()


async def test_a_page_is_the_response_with_our_token_in_place_of_the_service_s(
    client: "Client", emulator: Emulator
) -> None:
    first, second = [page async for page in list_exports(client, PageSize=20)]

    assert first.keys() == {"exportsInfo", "NextToken", "ResponseMetadata"}
    assert ids_of(first) == list(emulator.export_ids[:20])
    assert second.keys() == {"exportsInfo", "ResponseMetadata"}
    assert ids_of(second) == list(emulator.export_ids[20:])


async def test_next_token_continues_behind_its_page(client: "Client", emulator: Emulator) -> None:
    first = await anext(aiter(list_exports(client, PageSize=10)))

    rest = list_exports(client, StartingToken=first["NextToken"])
    assert await ids_in(rest) == list(emulator.export_ids[10:])


async def test_an_empty_page_with_a_token_is_a_page_like_any_other(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_empty_page(calls=2)

    pages = [page async for page in list_exports(client, PageSize=20)]

    assert [len(page["exportsInfo"]) for page in pages] == [0, 0, 20, 5]
    assert ["NextToken" in page for page in pages] == [True, True, True, False]


async def test_an_empty_listing_is_one_empty_page(client: "Client") -> None:
    pages = [page async for page in list_exports(client, "export-unknown")]

    assert [page["exportsInfo"] for page in pages] == [[]]
    assert "NextToken" not in pages[0]


# Items, search, full result


async def test_items_are_the_items_of_all_pages(client: "Client", emulator: Emulator) -> None:
    assert await ids_in(list_exports(client, PageSize=4)) == list(emulator.export_ids)


async def test_the_token_of_items_is_right_after_every_single_item(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client, PageSize=10, MaxItems=23).items()

    for position in range(1, 24):
        await anext(items)
        rest = list_exports(client, StartingToken=items.resume_token, PageSize=7)
        assert await ids_in(rest) == list(emulator.export_ids[position:])
    with pytest.raises(StopAsyncIteration):
        await anext(items)


async def test_search_hands_out_what_it_finds_on_each_page(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)

    assert [export_id async for export_id in pages.search("exportsInfo[].exportId")] == list(
        emulator.export_ids
    )
    assert [length async for length in pages.search("length(exportsInfo)")] == [10, 10, 5]


async def test_search_says_at_once_that_an_expression_is_wrong(client: "Client") -> None:
    with pytest.raises(ValueError, match="exportsInfo"):
        list_exports(client).search("exportsInfo[")


async def test_the_token_of_search_stands_before_a_page_that_is_not_handed_out_whole(
    client: "Client", emulator: Emulator
) -> None:
    found = list_exports(client, PageSize=10).search("exportsInfo[].exportId")

    for _ in range(15):
        await anext(found)

    rest = list_exports(client, StartingToken=found.resume_token)
    assert await ids_in(rest) == list(emulator.export_ids[10:])


async def test_build_full_result_joins_the_items(client: "Client", emulator: Emulator) -> None:
    result = await list_exports(client, PageSize=4).build_full_result()

    assert result.keys() == {"exportsInfo"}
    assert ids_of(result) == list(emulator.export_ids)


async def test_build_full_result_has_the_token_where_max_items_cut(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=4, MaxItems=10)

    result = await pages.build_full_result()

    assert ids_of(result) == list(emulator.export_ids[:10])
    assert result["NextToken"] == pages.resume_token
    rest = list_exports(client, StartingToken=result["NextToken"])
    assert await ids_in(rest) == list(emulator.export_ids[10:])


async def test_a_full_result_that_failed_leaves_the_token_at_the_start(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    before = pages.resume_token

    def fail_at_the_second_page(**_: Any) -> None:
        if len(emulator.requests) == 1:
            emulator.inject_error("AuthorizationErrorException", "no")

    client.meta.events.register("before-call", fail_at_the_second_page)

    with pytest.raises(ClientError):
        await pages.build_full_result()

    assert pages.resume_token == before


# A PageIterator describes a query


async def test_iterating_twice_gives_the_same_twice(client: "Client", emulator: Emulator) -> None:
    pages = list_exports(client, PageSize=4)

    assert await ids_in(pages) == await ids_in(pages) == list(emulator.export_ids)


async def test_iterations_at_the_same_time_do_not_disturb_each_other(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=4, MaxItems=21)
    came: list[list[str]] = []

    async def iterate() -> None:
        ids: list[str] = []
        came.append(ids)
        async for export in pages.items():
            ids.append(export["exportId"])
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        tasks.start_soon(iterate)

    assert came == [list(emulator.export_ids[:21])] * 2


async def test_changing_the_arguments_afterwards_changes_nothing(
    client: "Client", emulator: Emulator
) -> None:
    ids = list(emulator.export_ids[:2])
    config: Any = {"PageSize": 1}
    paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
    pages = paginator.paginate(exportIds=ids, PaginationConfig=config)
    ids.append(emulator.export_ids[2])
    config["MaxItems"] = 1

    assert await ids_in(pages) == list(emulator.export_ids[:2])


async def test_iterating_does_not_change_the_arguments(client: "Client") -> None:
    config: Any = {"PageSize": 4, "MaxItems": 9}
    pages = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(
        PaginationConfig=config
    )

    await ids_in(pages)

    assert config == {"PageSize": 4, "MaxItems": 9}


def _without_urls(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Each call signs the URLs again.
    urls = {"configurationsDownloadUrl", "errorsAndFailedEntriesZip"}
    return [{key: value for key, value in item.items() if key not in urls} for item in items]
