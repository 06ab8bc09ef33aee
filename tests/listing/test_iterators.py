"""The iterators over a listing, and the feature ids of their requests."""

import gc
import re
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from botocore.context import start_as_current_context
from botocore.useragent import register_feature_id
from jmespath.exceptions import JMESPathTypeError
from support.listings import ids_in, list_exports

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


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

    assert [item async for item in found] == []
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

    features = [re.search(r"m/(\S+)", request.user_agent) for request in emulator.requests]
    both, outer = [set(feature[1].split(",")) for feature in features if feature is not None]
    # C and B: https://github.com/boto/botocore/blob/develop/botocore/useragent.py
    assert both - outer == {"C"}
    assert "B" in outer
