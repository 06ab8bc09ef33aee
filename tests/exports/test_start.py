"""Starting exports: what is sent, and what is refused before anything is."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError

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
    (info,) = [export async for export in pages.items()]
    assert info.get("requestedStartTime") == EIGHT
    assert info.get("requestedEndTime") == end


async def test_one_end_of_the_range_is_enough(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    agent_id = await an_agent(client)

    await aiodiscovery.start_export(client, agent_id=agent_id, start_time=EIGHT)
    await aiodiscovery.start_export(client, agent_id=agent_id, end_time=EIGHT)

    first, second = (request.parameters for request in emulator.requests[-2:])
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


# Sent once

RETRY_MODES: Any = ["legacy", "standard", "adaptive"]


@pytest.mark.parametrize("mode", RETRY_MODES)
async def test_a_start_whose_answer_is_lost_is_not_sent_again(
    emulator: Emulator, session: AioSession, mode: Any
) -> None:
    config = Config(retries={"mode": mode, "total_max_attempts": 5})
    async with aiodiscovery.create_client(
        session=session, config=config, **emulator.client_kwargs
    ) as client:
        emulator.inject_dropped_connection(calls=1)

        with pytest.raises(ConnectionClosedError):
            await aiodiscovery.start_export(client)

    assert len(emulator.requests) == 1


@pytest.mark.parametrize("mode", RETRY_MODES)
@pytest.mark.parametrize("code", ["ServerInternalErrorException", "ThrottlingException"])
async def test_a_start_that_is_answered_with_an_error_ends_with_that_error(
    emulator: Emulator, session: AioSession, mode: Any, code: str
) -> None:
    config = Config(retries={"mode": mode, "total_max_attempts": 5})
    async with aiodiscovery.create_client(
        session=session, config=config, **emulator.client_kwargs
    ) as client:
        emulator.inject_error(code, "Not now.", status=500 if code.startswith("Server") else 400)

        with pytest.raises(ClientError, match="Not now") as caught:
            await aiodiscovery.start_export(client)

    assert caught.value.response.get("Error", {}).get("Code") == code
    assert caught.value.operation_name == "StartExportTask"
    of_client: Any = client.exceptions.from_code(code)
    assert isinstance(caught.value, of_client)
    assert len(emulator.requests) == 1


async def test_starts_with_one_client_at_once_are_sent_once_each(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    emulator.inject_server_error(calls=3)
    failures: list[ClientError] = []
    started: list[str] = []

    async def start() -> None:
        try:
            started.append(await aiodiscovery.start_export(client))
        except ClientError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(start)

    assert len(failures) == 3
    assert len(emulator.requests) == 8
    assert sorted(started) == sorted(emulator.export_ids[-5:])


async def test_other_calls_of_the_client_are_repeated_as_before(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    await aiodiscovery.start_export(client)
    emulator.clear_requests()
    emulator.inject_server_error(calls=2)

    start_directly: Any = client.start_export_task
    await start_directly()

    assert len(emulator.requests) == 3


async def test_a_start_that_is_cancelled_leaves_the_client_as_it_was(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    emulator.inject_latency(30, calls=1)
    with anyio.move_on_after(0.2) as scope:
        await aiodiscovery.start_export(client)
    assert scope.cancelled_caught
    emulator.clear_requests()
    emulator.inject_server_error(calls=1)

    start_directly: Any = client.start_export_task
    await start_directly()

    assert len(emulator.requests) == 2


# What the service refuses


async def test_the_limit_of_exports_at_once_has_an_error_of_its_own(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    message = (
        "You have reached limit of maximum allowed concurrent exports. Please wait for current "
        "export tasks to finish before starting another."
    )
    emulator.inject_error("OperationNotPermittedException", message)

    with pytest.raises(aiodiscovery.ExportLimitReachedError, match="reached limit") as caught:
        await aiodiscovery.start_export(client)

    assert isinstance(caught.value, client.exceptions.OperationNotPermittedException)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is aiodiscovery.ExportLimitReachedError
    assert again.response.get("Error", {}).get("Message") == message


async def test_an_export_that_is_already_present_has_an_error_with_its_id(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator
) -> None:
    message = "A successful export is already present Export ID: export-0a1b2c3d-e4f5"
    emulator.inject_error("OperationNotPermittedException", message)

    with pytest.raises(aiodiscovery.ExportAlreadyPresentError, match="is already") as caught:
        await aiodiscovery.start_export(client)

    assert caught.value.export_id == "export-0a1b2c3d-e4f5"
    assert isinstance(caught.value, client.exceptions.OperationNotPermittedException)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is aiodiscovery.ExportAlreadyPresentError
    assert again.export_id == "export-0a1b2c3d-e4f5"


@pytest.mark.parametrize(
    "message",
    ["Two exports a day.", "A successful export is already present.", "Exports have a limit."],
)
async def test_another_refusal_is_not_taken_for_one_that_is_known(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, message: str
) -> None:
    emulator.inject_error("OperationNotPermittedException", message)

    with pytest.raises(client.exceptions.OperationNotPermittedException) as caught:
        await aiodiscovery.start_export(client)

    assert type(caught.value) is client.exceptions.OperationNotPermittedException


async def test_what_a_handler_does_to_a_request_leaves_the_caller_s_preferences_alone(
    client: "ApplicationDiscoveryServiceClient",
) -> None:
    def disable(params: dict[str, Any], **_: Any) -> None:
        params["preferences"]["ec2RecommendationsPreferences"]["enabled"] = False

    client.meta.events.register("provide-client-params.*.StartExportTask", disable)
    preferences: Any = {"ec2RecommendationsPreferences": {"enabled": True}}

    await aiodiscovery.start_export(client, preferences=preferences)

    assert preferences == {"ec2RecommendationsPreferences": {"enabled": True}}
