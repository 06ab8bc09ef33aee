"""Listings over the emulator: what is handed out, what is asked for, and where it goes on."""

import base64
import gc
import json
import re
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from aiobotocore.session import get_session
from botocore.context import start_as_current_context
from botocore.exceptions import (
    ClientError,
    OperationNotPageableError,
    PaginationError,
    ParamValidationError,
)
from botocore.loaders import Loader
from botocore.useragent import register_feature_id
from jmespath.exceptions import JMESPathTypeError

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


def list_exports(
    client: "Client", *ids: str, **config: Any
) -> "aiodiscovery.PageIterator[Any, Any]":
    parameters: Any = {"PaginationConfig": config} | ({"exportIds": ids} if ids else {})
    return aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(**parameters)


def ids_of(page: Any) -> list[str]:
    return [export["exportId"] for export in page["exportsInfo"]]


async def ids_in(pages: "aiodiscovery.PageIterator[Any, Any]") -> list[str]:
    return [export["exportId"] async for export in pages.items()]


def asked(emulator: Emulator) -> list[dict[str, Any]]:
    return [request.parameters for request in emulator.requests]


# Which operations


@pytest.mark.parametrize(("operation", "result_key"), OPERATIONS.items())
async def test_every_paginated_operation_is_listed_whole(
    client: "Client", emulator: Emulator, operation: str, result_key: str
) -> None:
    parameters = {"configurationType": "SERVER"} if operation == "list_configurations" else {}
    paginator = aiodiscovery.get_paginator(client, operation)
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
        aiodiscovery.get_paginator(client, "start_export_task")


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

    assert [each async for each in pages.search("exportsInfo[].exportId")] == list(
        emulator.export_ids
    )
    assert [each async for each in pages.search("length(exportsInfo)")] == [10, 10, 5]


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


# MaxItems and what is asked for


async def test_max_items_counts_over_page_borders(client: "Client", emulator: Emulator) -> None:
    pages = [page async for page in list_exports(client, PageSize=10, MaxItems=13)]

    assert [len(page["exportsInfo"]) for page in pages] == [10, 3]
    assert "NextToken" in pages[-1]


async def test_max_items_starts_anew_over_a_resume(client: "Client", emulator: Emulator) -> None:
    token = None
    sizes: list[int] = []
    came: list[str] = []
    while not sizes or token is not None:
        pages = list_exports(client, MaxItems=10, PageSize=4, StartingToken=token)
        part = await ids_in(pages)
        came += part
        sizes.append(len(part))
        token = pages.resume_token

    assert sizes == [10, 10, 5]
    assert came == list(emulator.export_ids)


@pytest.mark.parametrize("max_items", [25, 26, 1000, "25"])
async def test_a_limit_that_is_not_reached_leaves_nothing(
    client: "Client", emulator: Emulator, max_items: int | str
) -> None:
    pages = list_exports(client, MaxItems=max_items)

    assert len(await ids_in(pages)) == 25
    assert pages.resume_token is None


async def test_max_items_of_0_sends_nothing_and_stays_where_it_is(
    client: "Client", emulator: Emulator
) -> None:
    started = list_exports(client, MaxItems=3)
    await ids_in(started)
    emulator.clear_requests()
    token = started.resume_token

    pages = list_exports(client, MaxItems=0, StartingToken=token)

    assert [page async for page in pages] == []
    assert await pages.build_full_result() == {"exportsInfo": [], "NextToken": token}
    assert pages.resume_token == token
    assert emulator.requests == ()


async def test_no_request_asks_for_more_than_max_items_allows(
    client: "Client", emulator: Emulator
) -> None:
    await ids_in(list_exports(client, PageSize=10, MaxItems=13))
    await ids_in(list_exports(client, MaxItems=7))

    assert [request["maxResults"] for request in asked(emulator)] == [10, 3, 7]


async def test_a_mid_page_token_asks_for_what_it_has_to_skip_too(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client, PageSize=20).items()
    for _ in range(5):
        await anext(items)
    emulator.clear_requests()

    pages = list_exports(client, MaxItems=3, StartingToken=items.resume_token)

    assert await ids_in(pages) == list(emulator.export_ids[5:8])
    assert [request["maxResults"] for request in asked(emulator)] == [8]


async def test_without_a_limit_the_service_chooses_the_page_size(
    client: "Client", emulator: Emulator
) -> None:
    await ids_in(list_exports(client))
    await ids_in(list_exports(client, MaxItems=100))

    assert asked(emulator) == [{}, {}]


async def test_a_page_with_more_than_asked_is_cut_and_the_token_points_inside_it(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_extra_items(5)
    pages = list_exports(client, MaxItems=7)

    assert await ids_in(pages) == list(emulator.export_ids[:7])

    rest = list_exports(client, StartingToken=pages.resume_token, PageSize=3)
    assert await ids_in(rest) == list(emulator.export_ids[7:])


async def test_a_small_page_size_does_not_make_skipping_cost_requests(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client, PageSize=20).items()
    for _ in range(10):
        await anext(items)
    emulator.clear_requests()

    rest = list_exports(client, StartingToken=items.resume_token, PageSize=4)

    assert [len(page["exportsInfo"]) async for page in rest] == [4, 4, 4, 3]
    assert [request["maxResults"] for request in asked(emulator)] == [14, 4, 4, 4]


async def test_pages_that_a_token_skips_whole_are_not_handed_out(
    client: "Client", emulator: Emulator
) -> None:
    emulator.add_exports(225)
    content = {"nextToken": None, "boto_truncate_amount": 230}
    token = base64.b64encode(json.dumps(content).encode()).decode()
    emulator.inject_empty_page()

    pages = list_exports(client, StartingToken=token, MaxItems=15)

    # The empty page, on which nothing was skipped, is a page like any other.
    assert [ids_of(page) async for page in pages] == [[], list(emulator.export_ids[230:245])]
    assert [request.get("maxResults") for request in asked(emulator)] == [None, None, None, 45]


# Resume tokens


async def test_before_the_first_page_the_token_stands_at_the_beginning(client: "Client") -> None:
    token = list_exports(client).resume_token

    assert token == "eyJuZXh0VG9rZW4iOiBudWxsLCAiYm90b190cnVuY2F0ZV9hbW91bnQiOiAwfQ=="
    assert len(await ids_in(list_exports(client, StartingToken=token))) == 25


async def test_before_the_first_page_the_token_is_the_starting_token(client: "Client") -> None:
    pages = list_exports(client, StartingToken="opaque___3")

    assert pages.resume_token == "opaque___3"
    assert pages.items().resume_token == "opaque___3"


async def test_the_token_is_none_only_when_nothing_is_left(client: "Client") -> None:
    pages = list_exports(client, PageSize=10)
    at_the_start = pages.resume_token is None

    assert [pages.resume_token is None async for _ in pages] == [False, False, True]
    assert not at_the_start


async def test_after_break_the_token_is_right_after_the_last_page(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    tokens: list[str] = []
    async for page in pages:
        tokens += [page["NextToken"]]
        if len(tokens) == 2:
            break

    assert pages.resume_token == tokens[1]


async def test_after_break_the_token_is_right_after_the_last_item(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    came: list[str] = []
    async for export in pages.items():
        came += [export["exportId"]]
        if len(came) == 13:
            break

    rest = list_exports(client, StartingToken=pages.resume_token)
    assert came + await ids_in(rest) == list(emulator.export_ids)


async def test_the_token_follows_the_iteration_that_moved_last(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    first, second = pages.items(), pages.items()
    await anext(second)
    await anext(second)
    await anext(first)

    assert pages.resume_token == first.resume_token != second.resume_token


async def test_an_iteration_that_is_not_begun_leaves_the_token_alone(client: "Client") -> None:
    pages = list_exports(client, PageSize=10)
    first = pages.items()
    await anext(first)

    _ = pages.items(), pages.search("exportsInfo"), aiter(pages)

    assert pages.resume_token == first.resume_token


async def test_the_token_follows_an_iteration_whose_first_request_fails(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    beginning = pages.resume_token
    await anext(pages.items())
    emulator.inject_error("InvalidParameterException", "no")

    with pytest.raises(ClientError):
        await anext(pages.items())

    assert pages.resume_token == beginning


# Loops


@pytest.mark.parametrize("length", [1, 2, 5])
async def test_a_token_that_came_before_ends_the_run(
    client: "Client", emulator: Emulator, length: int
) -> None:
    emulator.inject_token_cycle(length=length)
    came: list[str] = []

    async def read() -> None:
        async for page in list_exports(client, PageSize=2):
            came.extend(ids_of(page))

    with pytest.raises(aiodiscovery.PaginationLoopError) as caught:
        await read()

    assert isinstance(caught.value, PaginationError)
    assert len(emulator.requests) == len(came) / 2
    assert came[: 2 * length] == list(emulator.export_ids[: 2 * length])


# Faults


async def test_an_error_of_the_service_comes_as_botocore_raises_it(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_error("AuthorizationErrorException", "not for you")

    with pytest.raises(client.exceptions.AuthorizationErrorException, match="not for you"):
        await ids_in(list_exports(client))


async def test_after_an_error_the_token_and_the_iterator_go_on_where_they_stood(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    items = pages.items()
    came = [(await anext(items))["exportId"] for _ in range(10)]
    token = pages.resume_token
    emulator.inject_error("AuthorizationErrorException", "no")

    with pytest.raises(ClientError):
        await anext(items)

    assert pages.resume_token == items.resume_token == token
    assert came + [each["exportId"] async for each in items] == list(emulator.export_ids)


async def test_after_a_cancellation_the_token_and_the_iterator_go_on_where_they_stood(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=10)
    iterator = aiter(pages)
    first = await anext(iterator)
    emulator.inject_latency(30)

    with anyio.move_on_after(0.05) as scope:
        await anext(iterator)
    emulator.clear_faults()

    assert scope.cancelled_caught
    assert pages.resume_token == iterator.resume_token == first["NextToken"]
    assert [len(page["exportsInfo"]) async for page in iterator] == [10, 5]


async def test_wrong_operation_parameters_are_refused_before_anything_is_sent(
    client: "Client", emulator: Emulator
) -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(ParamValidationError):
        await ids_in(paginator.paginate(exportIDs=["export-1"]))
    with pytest.raises(ParamValidationError):
        await ids_in(paginator.paginate(exportIds=[1] * 101))

    assert emulator.requests == ()


@pytest.mark.parametrize("ids", [{"export-1": 1}.keys(), (each for each in ["export-1"])])
async def test_ids_that_are_no_list_are_reported_as_botocore_does(
    client: "Client", emulator: Emulator, ids: Any
) -> None:
    pages = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(exportIds=ids)

    with pytest.raises(ParamValidationError, match="exportIds"):
        await pages.build_full_result()
    assert emulator.requests == ()


async def test_operation_parameters_are_given_by_name(client: "Client") -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(TypeError, match="keyword arguments only"):
        paginator.paginate(["export-1"])


# More ids than one request takes


@pytest.fixture
def many_exports(emulator: Emulator) -> list[str]:
    emulator.add_exports(225)
    return list(emulator.export_ids)


async def test_many_ids_are_one_listing(
    client: "Client", emulator: Emulator, many_exports: list[str]
) -> None:
    assert await ids_in(list_exports(client, *many_exports)) == many_exports

    assert [request["exportIds"] for request in asked(emulator)] == [
        many_exports[:100],
        many_exports[100:200],
        many_exports[200:],
    ]


async def test_many_old_exports_are_one_listing(
    client: "Client", emulator: Emulator, many_exports: list[str]
) -> None:
    paginator = aiodiscovery.get_paginator(client, "describe_export_configurations")

    pages = paginator.paginate(exportIds=many_exports)

    assert [export["exportId"] async for export in pages.items()] == many_exports
    assert [len(request["exportIds"]) for request in asked(emulator)] == [100, 100, 50]


async def test_many_agents_are_one_listing(client: "Client", emulator: Emulator) -> None:
    paginator = aiodiscovery.get_paginator(client, "describe_agents")
    agents = [agent.get("agentId", "") async for agent in paginator.paginate().items()]
    unknown = [f"o-{number:017x}" for number in range(150)]

    pages = paginator.paginate(agentIds=[*agents[:5], *unknown, *agents[5:]])

    assert [agent.get("agentId") async for agent in pages.items()] == agents


async def test_many_ids_have_one_limit(
    client: "Client", emulator: Emulator, many_exports: list[str]
) -> None:
    pages = list_exports(client, *many_exports, MaxItems=130, PageSize=40)

    assert await ids_in(pages) == many_exports[:130]
    assert [request["maxResults"] for request in asked(emulator)] == [40, 40, 40, 30]


async def test_every_token_of_many_ids_continues_right_there(
    client: "Client", many_exports: list[str]
) -> None:
    items = list_exports(client, *many_exports, PageSize=45).items()
    position = 0
    async for _ in items:
        position += 1
        if position % 5:
            continue
        rest = list_exports(client, *many_exports, StartingToken=items.resume_token)
        if position == len(many_exports):
            assert items.resume_token is None
        else:
            assert await ids_in(rest) == many_exports[position:]


async def test_an_id_that_is_given_twice_comes_once(
    client: "Client", emulator: Emulator, many_exports: list[str]
) -> None:
    assert await ids_in(list_exports(client, *many_exports, *many_exports)) == many_exports
    emulator.clear_requests()

    assert (
        await ids_in(list_exports(client, *many_exports[:100], *many_exports[:60]))
        == (many_exports[:100])
    )
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    "other",
    [slice(1, None), slice(None, 200), slice(None, 100), slice(None, 0), slice(None, None, -1)],
)
async def test_a_token_of_many_ids_is_refused_with_another_list(
    client: "Client", emulator: Emulator, many_exports: list[str], other: slice
) -> None:
    pages = list_exports(client, *many_exports, MaxItems=130)
    await ids_in(pages)

    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match="another list of ids"):
        list_exports(client, *many_exports[other], StartingToken=pages.resume_token)


async def test_a_token_of_a_plain_listing_is_refused_with_many_ids(
    client: "Client", many_exports: list[str]
) -> None:
    pages = list_exports(client, MaxItems=130)
    await ids_in(pages)

    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match="several requests"):
        list_exports(client, *many_exports, StartingToken=pages.resume_token)


async def test_many_ids_start_at_a_token_for_the_beginning(
    client: "Client", many_exports: list[str]
) -> None:
    token = list_exports(client, *many_exports).resume_token

    assert token == list_exports(client).resume_token
    assert await ids_in(list_exports(client, *many_exports, StartingToken=token)) == many_exports


# What an iterator is


async def test_the_iterators_are_async_generators(client: "Client") -> None:
    pages = list_exports(client)

    for iterator in (aiter(pages), pages.items(), pages.search("exportsInfo")):
        assert isinstance(iterator, AsyncGenerator)
        assert aiter(iterator) is iterator


async def test_a_closed_iterator_hands_out_nothing_and_keeps_its_token(
    client: "Client", emulator: Emulator
) -> None:
    async with aclosing(list_exports(client, PageSize=10).items()) as items:
        for _ in range(3):
            await items.asend(None)

    assert [item async for item in items] == []
    rest = list_exports(client, StartingToken=items.resume_token)
    assert await ids_in(rest) == list(emulator.export_ids[3:])


async def test_an_iterator_that_is_closed_before_it_began_leaves_the_token_alone(
    client: "Client",
) -> None:
    pages = list_exports(client, PageSize=10)
    first, second = pages.items(), pages.items()
    await anext(first)
    await second.aclose()

    assert [item async for item in second] == []
    assert pages.resume_token == first.resume_token


async def test_a_page_that_cannot_be_searched_stays_the_next_until_it_is_closed(
    client: "Client", emulator: Emulator
) -> None:
    found = list_exports(client).search("length(nothing)")
    for _ in range(2):
        with pytest.raises(JMESPathTypeError):
            await anext(found)
    await found.aclose()

    assert [each async for each in found] == []
    assert len(emulator.requests) == 1


async def test_throwing_into_an_iterator_raises_and_closes_it(client: "Client") -> None:
    thrown: list[Any] = [
        (KeyError("stop"),),
        (KeyError,),
        (KeyError, "stop"),
        (KeyError, KeyError("stop")),
    ]
    for arguments in thrown:
        items = list_exports(client).items()
        await anext(items)
        with pytest.raises(KeyError) as caught:
            await items.athrow(*arguments)
        assert caught.value.args == (() if arguments == (KeyError,) else ("stop",))
        assert [item async for item in items] == []


async def test_an_iterator_is_for_one_task_at_a_time(client: "Client", emulator: Emulator) -> None:
    emulator.inject_latency(0.2)
    items = list_exports(client).items()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anext, items)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await anext(items)
        with pytest.raises(anyio.BusyResourceError):
            await items.aclose()


async def test_an_iterator_that_is_dropped_warns_of_nothing(client: "Client") -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async for _ in list_exports(client, PageSize=2):
            break
        async for _ in list_exports(client, PageSize=2).items():
            break
        async for _ in list_exports(client, PageSize=2).search("exportsInfo"):
            break
        gc.collect()
        await anyio.lowlevel.checkpoint()

    assert caught == []


# The user agent


async def test_requests_carry_the_feature_id_that_botocore_s_paginator_sends(
    client: "Client", emulator: Emulator
) -> None:
    await client.describe_export_tasks()
    await ids_in(list_exports(client))
    async for _ in client.get_paginator("describe_export_tasks").paginate():
        pass
    await client.describe_export_tasks()

    plain, ours, botocores, plain_again = [request.user_agent for request in emulator.requests]
    assert ours == botocores != plain == plain_again


async def test_the_feature_ids_of_the_caller_s_context_are_kept(
    client: "Client", emulator: Emulator
) -> None:
    with start_as_current_context():
        register_feature_id("WAITER")
        await ids_in(list_exports(client))
        await client.describe_export_tasks()

    features = [re.search(r"m/(\S+)", each.user_agent) for each in emulator.requests]
    both, outer = [set(each[1].split(",")) for each in features if each is not None]
    # C and B: https://github.com/boto/botocore/blob/develop/botocore/useragent.py
    assert both - outer == {"C"}
    assert "B" in outer


# PaginationConfig


@pytest.mark.parametrize(
    "value", [-1, 2.7, "2.7", True, "many", "", [], float("inf"), float("nan")]
)
@pytest.mark.parametrize("name", ["MaxItems", "PageSize"])
async def test_a_number_that_is_none_is_refused(client: "Client", name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a whole number .*, not "):
        list_exports(client, **{name: value})


@pytest.mark.parametrize("value", [0, 101, "101"])
async def test_a_page_size_outside_the_service_s_limits_is_refused(
    client: "Client", value: int | str
) -> None:
    with pytest.raises(ValueError, match="PageSize must be a whole number from 1 to 100, not"):
        list_exports(client, PageSize=value)


async def test_numeric_strings_are_numbers(client: "Client", emulator: Emulator) -> None:
    assert len(await ids_in(list_exports(client, MaxItems="6", PageSize="4"))) == 6

    assert [request["maxResults"] for request in asked(emulator)] == [4, 2]


async def test_none_in_the_config_is_as_if_it_were_not_there(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, MaxItems=None, PageSize=None, StartingToken=None)

    assert len(await ids_in(pages)) == 25
    assert asked(emulator) == [{}]


async def test_an_unknown_key_in_the_config_is_refused(client: "Client") -> None:
    with pytest.raises(ValueError, match="'maxItems'; allowed are MaxItems, PageSize and Starting"):
        list_exports(client, maxItems=3)


async def test_a_config_that_is_no_dict_is_refused(client: "Client") -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(ValueError, match="PaginationConfig must be a dict, not list"):
        paginator.paginate(PaginationConfig=[])


@pytest.mark.parametrize(
    ("name", "instead"), [("nextToken", "StartingToken"), ("maxResults", "PageSize")]
)
async def test_the_service_s_own_paging_parameters_are_refused(
    client: "Client", name: str, instead: str
) -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(ValueError, match=f"give {instead} in PaginationConfig instead of {name}"):
        paginator.paginate(**{name: "1"})


def _without_urls(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Each call signs them anew.
    urls = {"configurationsDownloadUrl", "errorsAndFailedEntriesZip"}
    return [{key: value for key, value in item.items() if key not in urls} for item in items]
