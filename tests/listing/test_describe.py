"""Describing many exports at once."""

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from support.scripted import EVENT

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


@pytest.fixture
def ids(emulator: Emulator) -> list[str]:
    emulator.add_exports(225)
    return list(emulator.export_ids)


async def test_exports_come_by_id_in_the_order_asked(
    client: "Client", emulator: Emulator, ids: list[str]
) -> None:
    wanted = ids[::-1]

    exports = await aiodiscovery.describe_exports(client, iter([*wanted, *ids]))

    assert [(key, info["exportId"]) for key, info in exports.items()] == [(i, i) for i in wanted]
    assert sorted(len(request.parameters["exportIds"]) for request in emulator.requests) == [
        50,
        100,
        100,
    ]


async def test_ids_that_the_service_does_not_know_are_left_out(
    client: "Client", ids: list[str]
) -> None:
    exports = await aiodiscovery.describe_exports(client, ["export-unknown", *ids[:2]])

    assert list(exports) == ids[:2]


async def test_no_ids_cost_no_request(client: "Client", emulator: Emulator) -> None:
    assert await aiodiscovery.describe_exports(client, []) == {}
    assert emulator.requests == ()


async def test_no_more_requests_than_allowed_are_under_way(client: "Client") -> None:
    under_way = most = 0

    async def count(**_: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.01)

    async def count_down(**_: Any) -> None:
        nonlocal under_way
        under_way -= 1

    events: Any = client.meta.events  # their stubs know no asynchronous handlers
    events.register(EVENT, count)
    events.register(EVENT.replace("before", "after"), count_down)
    many = [f"export-{number}" for number in range(1000)]
    assert await aiodiscovery.describe_exports(client, many, max_concurrency=3) == {}

    assert most == 3


async def test_an_error_comes_as_botocore_raises_it(
    client: "Client", emulator: Emulator, ids: list[str]
) -> None:
    emulator.inject_error("AuthorizationErrorException", "no", calls=None)

    with pytest.raises(ClientError, match="AuthorizationErrorException"):
        await aiodiscovery.describe_exports(client, ids)


@pytest.mark.parametrize("wrong", ["export-1", ["export 1"], [1], [""], [["export-1"]], None, 5])
async def test_what_is_no_export_id_is_refused(
    client: "Client", emulator: Emulator, wrong: Any
) -> None:
    with pytest.raises(ValueError, match="id"):
        await aiodiscovery.describe_exports(client, wrong)
    assert emulator.requests == ()


@pytest.mark.parametrize("wrong", [0, 1.5, True])
async def test_a_concurrency_that_is_none_is_refused(client: "Client", wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        await aiodiscovery.describe_exports(client, [], max_concurrency=wrong)


async def test_a_client_of_another_service_is_refused(emulator: Emulator) -> None:
    async with get_session().create_client("s3", **emulator.client_kwargs) as s3:
        with pytest.raises(ValueError, match="'discovery', not for 's3'"):
            await aiodiscovery.describe_exports(s3, [])


@pytest.mark.parametrize("count", [2, 150])
async def test_handlers_get_the_ids_as_a_list_however_many_and_however_given(
    client: "Client", ids: list[str], count: int
) -> None:
    given: list[type] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        given.append(type(params["exportIds"]))

    client.meta.events.register("before-parameter-build", note)

    await aiodiscovery.describe_exports(client, tuple(ids[:count]))

    assert set(given) == {list}
