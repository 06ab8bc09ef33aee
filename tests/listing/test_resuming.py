"""Where a listing continues: after a break, an error or a cancellation, and never in a circle."""

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from botocore.exceptions import (
    ClientError,
    PaginationError,
    ParamValidationError,
)
from support.listings import ids_in, ids_of, list_exports

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


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
    assert came + [export["exportId"] async for export in items] == list(emulator.export_ids)


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


@pytest.mark.parametrize("ids", [{"export-1": 1}.keys(), (export_id for export_id in ["export-1"])])
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
