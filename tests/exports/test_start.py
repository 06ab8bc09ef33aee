"""Starting exports: what is sent, and what is refused before anything is."""

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

pytestmark = pytest.mark.anyio

EIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)


async def an_agent(client: "ApplicationDiscoveryServiceClient") -> str:
    agents = aiodiscovery.get_paginator(client, "describe_agents").paginate()
    agent = await anext(agents.items())
    return agent.get("agentId", "")


async def test_it_starts_an_export_and_gives_its_id(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    export_id = await aiodiscovery.start_export(client)

    assert export_id == emulator.export_ids[-1]
    assert emulator.requests[-1].operation == "StartExportTask"
    assert emulator.requests[-1].parameters == {}


async def test_an_agent_is_the_one_in_the_filter(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    agent_id = await an_agent(client)

    await aiodiscovery.start_export(client, agent_id=agent_id)

    assert emulator.requests[-1].parameters == {
        "filters": [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}]
    }


@pytest.mark.parametrize(
    "start",
    [
        EIGHT,
        EIGHT.astimezone(timezone(timedelta(hours=-7))),
        "2026-01-05T08:00:00Z",
        "2026-01-05T10:00+02:00",
        "20260105T080000Z",
    ],
)
async def test_a_time_is_the_same_instant_in_every_zone_and_form(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, start: datetime | str
) -> None:
    agent_id = await an_agent(client)
    end = EIGHT + timedelta(hours=72)

    export_id = await aiodiscovery.start_export(
        client, agent_id=agent_id, start_time=start, end_time=end
    )

    pages = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(
        exportIds=[export_id]
    )
    (info,) = [each async for each in pages.items()]
    assert info.get("requestedStartTime") == EIGHT
    assert info.get("requestedEndTime") == end


async def test_one_end_of_the_range_is_enough(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    agent_id = await an_agent(client)

    await aiodiscovery.start_export(client, agent_id=agent_id, start_time=EIGHT)
    await aiodiscovery.start_export(client, agent_id=agent_id, end_time=EIGHT)

    first, second = (each.parameters for each in emulator.requests[-2:])
    assert first["startTime"] == second["endTime"] == EIGHT.timestamp()
    assert "endTime" not in first
    assert "startTime" not in second


async def test_preferences_go_as_the_service_spells_them(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    await aiodiscovery.start_export(
        client, preferences={"ec2RecommendationsPreferences": {"enabled": True}}
    )

    assert emulator.requests[-1].parameters == {
        "preferences": {"ec2RecommendationsPreferences": {"enabled": True}}
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_time": EIGHT}, "give an agent_id"),
        ({"end_time": EIGHT}, "give an agent_id"),
        ({"agent_id": "o-1", "start_time": datetime(2026, 1, 5)}, "start_time must say its offset"),
        ({"agent_id": "o-1", "end_time": "2026-01-05T08:00"}, "end_time must say its offset"),
        ({"agent_id": "o-1", "end_time": "2026-01-05"}, "end_time must say its offset"),
        (
            {"agent_id": "o-1", "start_time": EIGHT, "end_time": EIGHT - timedelta(seconds=1)},
            "2026-01-05T07:59:59.* is before start_time",
        ),
        ({"agent_id": "o-1", "start_time": "yesterday"}, "ISO 8601 .* not 'yesterday'"),
        ({"agent_id": "o-1", "start_time": 1767600000}, "ISO 8601 .* not 1767600000"),
        ({"agent_id": "o-1", "start_time": "0001-01-01T00:00+01:00"}, "is out of range"),
        ({"agent_id": "o-1", "end_time": "9999-12-31T24:00Z"}, "ISO 8601 .* not .9999"),
        ({"agent_id": ""}, "the id of one agent, not ''"),
        ({"agent_id": ["o-1", "o-2"]}, "the id of one agent, not"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    arguments: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        await aiodiscovery.start_export(client, **arguments)

    assert emulator.requests == ()


async def test_preferences_that_the_service_does_not_have_are_refused_by_botocore(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    preferences: Any = {"ec2Preferences": {}}

    with pytest.raises(ParamValidationError):
        await aiodiscovery.start_export(client, preferences=preferences)

    assert emulator.requests == ()


async def test_an_error_of_the_service_comes_as_botocore_raises_it(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    emulator.inject_error("OperationNotPermittedException", "Two exports a day.")

    with pytest.raises(ClientError, match="Two exports a day"):
        await aiodiscovery.start_export(client)


async def test_a_blocking_client_is_refused(anyio_backend: str) -> None:
    blocking: Any = boto3.client(
        "discovery", "us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
    )

    with pytest.raises(ValueError, match="blocking"):
        await aiodiscovery.start_export(blocking)
