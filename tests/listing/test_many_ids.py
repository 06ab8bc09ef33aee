"""More ids than fit in one request are one listing."""

from typing import TYPE_CHECKING

import pytest
from support.listings import asked, ids_in, list_exports

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


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

    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match="a different list of ids"):
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


async def test_a_token_of_many_ids_that_was_kept_stays_valid(scripted_client: "Client") -> None:
    ids = [f"export-{number}" for number in range(150)]
    # Written by a program that may have had an earlier version.
    kept = (
        "eyJuZXh0VG9rZW4iOiAidG9rZW4iLCAiYm90b190cnVuY2F0ZV9hbW91bnQiOiAzLCAiYWlvZGlzY292ZXJ5X2No"
        "dW5rIjogMSwgImFpb2Rpc2NvdmVyeV9pZHMiOiAiOWUyYzExN2YzN2FkYWMyNDAzMTg0NGFkNjgzNmM2ZDYifQ=="
    )
    paginator = aiodiscovery.get_paginator(scripted_client, "describe_export_tasks")

    pages = paginator.paginate(exportIds=ids, PaginationConfig={"StartingToken": kept})

    assert pages.resume_token == kept
