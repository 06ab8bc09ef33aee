"""The trigger alone, in an event loop like the triggerer's."""

import asyncio
import json
import logging
import time
from importlib import import_module
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError

from aiodiscovery.airflow import DiscoveryExportTrigger, DiscoveryHook
from aiodiscovery.airflow import triggers as module
from aiodiscovery.emulator import Emulator

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")


def trigger_for(emulator: Emulator, *export_ids: str, **options: Any) -> DiscoveryExportTrigger:
    settings = {
        "aws_conn_id": None,
        "region_name": "us-west-2",
        "endpoint_url": emulator.endpoint_url,
        "min_delay": 0.02,
        "max_delay": 0.1,
        "max_rate": None,
        **options,
    }
    return DiscoveryExportTrigger(export_ids, **settings)


async def fire(trigger: DiscoveryExportTrigger) -> Any:
    """Run a trigger and return its one event's payload, as Airflow hands it on."""
    (event,) = [event async for event in trigger.run()]
    return json.loads(json.dumps(event.payload))


def describe_calls(emulator: Emulator) -> list[list[str]]:
    return [
        request.parameters["exportIds"]
        for request in emulator.requests
        if request.operation == "DescribeExportTasks"
    ]


async def test_a_trigger_is_the_same_after_serialization(emulator: Emulator) -> None:
    trigger = trigger_for(
        emulator,
        "export-1",
        "export-2",
        deadline=1767600000.5,
        verify=False,
        botocore_config={"read_timeout": 5},
        not_found_timeout=7.0,
    )

    path, arguments = json.loads(json.dumps(trigger.serialize()))
    module_name, _, name = path.rpartition(".")
    again = getattr(import_module(module_name), name)(**arguments)

    assert type(again) is DiscoveryExportTrigger
    assert again.serialize() == trigger.serialize()
    assert again.deadline == 1767600000.5


async def test_the_event_has_what_the_service_says(emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=0, agent_id="o-1", start_time=1767600000)

    payload = await fire(trigger_for(emulator, export_id))

    info = payload["exports"][export_id]
    assert (payload["status"], payload["message"]) == ("succeeded", None)
    assert info["exportStatus"] == "SUCCEEDED"
    assert info["requestedStartTime"] == "2026-01-05T08:00:00+00:00"


async def test_no_presigned_url_is_in_the_event_or_in_a_log(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    export_id = emulator.add_export(duration=0)

    with caplog.at_level(logging.DEBUG):
        payload = await fire(trigger_for(emulator, export_id))

    assert "configurationsDownloadUrl" in caplog.text
    assert "X-Amz-Signature" not in caplog.text
    assert "http" not in json.dumps(payload)


async def test_an_export_that_failed_is_in_the_event_with_its_message(emulator: Emulator) -> None:
    good = emulator.add_export(duration=0)
    bad = emulator.add_export(duration=0, fail_with="The bucket is full.")

    payload = await fire(trigger_for(emulator, good, bad))

    assert payload["status"] == "failed"
    assert payload["message"] == f"{bad} failed: The bucket is full."
    assert {key: info["exportStatus"] for key, info in payload["exports"].items()} == {
        good: "SUCCEEDED",
        bad: "FAILED",
    }


async def test_an_export_that_the_service_does_not_know(emulator: Emulator) -> None:
    payload = await fire(trigger_for(emulator, "export-none", not_found_timeout=0.1))

    assert payload["status"] == "not_found"
    assert payload["message"] == "the service does not know export-none"


async def test_the_deadline_ends_the_wait(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_LOOK", 0.2)
    ended, running = emulator.add_export(duration=0), emulator.add_export(duration=None)

    payload = await fire(trigger_for(emulator, ended, running, deadline=1767600000.0))

    assert payload["status"] == "timeout"
    assert payload["message"] == (
        "1 of 2 exports had not ended by 2026-01-05T08:00:00Z, the first of them " + running
    )
    assert list(payload["exports"]) == [ended]


async def test_a_trigger_that_is_taken_over_past_its_deadline_still_looks(
    emulator: Emulator,
) -> None:
    export_id = emulator.add_export(duration=0)

    payload = await fire(trigger_for(emulator, export_id, deadline=time.time() - 3600))

    assert payload["status"] == "succeeded"


async def test_a_service_that_refuses_is_asked_once(emulator: Emulator) -> None:
    emulator.inject_error("AuthorizationErrorException", "No.", calls=None)

    payload = await fire(trigger_for(emulator, "export-1"))

    assert payload["status"] == "refused"
    assert "AuthorizationErrorException" in payload["message"]
    assert len(emulator.requests) == 1


async def test_a_client_that_is_not_new_is_replaced_before_the_service_is_believed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FRESH", 0.0)
    export_id = emulator.add_export(duration=0)
    emulator.inject_error("UnrecognizedClientException", "Expired.", calls=2)

    payload = await fire(trigger_for(emulator, export_id))

    assert payload["status"] == "succeeded"
    assert len(emulator.requests) == 3


async def test_all_who_were_refused_through_an_old_client_share_the_new_one(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FRESH", 0.0)
    export_ids = emulator.add_exports(3, status="IN_PROGRESS", duration=None)
    hooks: list[DiscoveryHook] = []
    fetch = DiscoveryHook.get_async_conn

    async def get_async_conn(hook: DiscoveryHook) -> Any:
        hooks.append(hook)
        return await fetch(hook)

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)
    waits = [
        asyncio.create_task(fire(trigger_for(emulator, export_id))) for export_id in export_ids
    ]
    while not emulator.requests:
        await asyncio.sleep(0.01)

    emulator.inject_error("ExpiredTokenException", "Expired.")
    while all(request.error_code is None for request in emulator.requests[:-2]):
        await asyncio.sleep(0.01)
    for export_id in export_ids:
        emulator.finish_export(export_id)
    payloads = await asyncio.gather(*waits)

    assert [payload["status"] for payload in payloads] == ["succeeded"] * 3
    assert len(hooks) == 2


async def test_what_passes_is_waited_out(emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=0)
    emulator.inject_throttling(calls=3)
    emulator.inject_error("InternalServerError", "Later.", status=500, calls=6)

    payload = await fire(
        trigger_for(emulator, export_id, botocore_config={"retries": {"total_max_attempts": 1}})
    )

    assert payload["status"] == "succeeded"
    assert len(emulator.requests) == 10


async def test_without_a_region_nothing_can_be_asked(emulator: Emulator) -> None:
    payload = await fire(trigger_for(emulator, "export-1", region_name=None))

    assert payload["status"] == "refused"
    assert "You must specify a region" in payload["message"]
    assert emulator.requests == ()


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sts.example"),
        CredentialRetrievalError(provider="process", error_msg="what it printed"),
    ],
)
async def test_a_client_that_cannot_be_made_now_is_made_later(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    export_id = emulator.add_export(duration=0)
    unreachable = [error] * 2
    fetch = DiscoveryHook.get_async_conn

    async def get_async_conn(hook: DiscoveryHook) -> Any:
        if unreachable:
            raise unreachable.pop()
        return await fetch(hook)

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)

    payload = await fire(trigger_for(emulator, export_id))

    assert payload["status"] == "succeeded"
    assert caplog.text.count("there is no client for the service, trying again") == 2
    assert "what it printed" not in caplog.text


async def test_all_who_cannot_make_a_client_try_again_together(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    export_ids = emulator.add_exports(20, status="IN_PROGRESS", duration=None)
    tries = []
    fetch = DiscoveryHook.get_async_conn

    async def get_async_conn(hook: DiscoveryHook) -> Any:
        tries.append(hook)
        if len(caplog.records) < 5 * len(export_ids):
            raise EndpointConnectionError(endpoint_url="https://sts.example")
        return await fetch(hook)

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)
    caplog.set_level(logging.WARNING)
    waits = [
        asyncio.create_task(fire(trigger_for(emulator, export_id))) for export_id in export_ids
    ]
    while set(export_ids) not in map(set, describe_calls(emulator)):
        await asyncio.sleep(0.01)
    for export_id in export_ids:
        emulator.finish_export(export_id)
    payloads = await asyncio.gather(*waits)

    assert [payload["status"] for payload in payloads] == ["succeeded"] * 20
    # One call for all in each round, not one for each.
    assert len(tries) < 20


@pytest.mark.parametrize(
    "settings", [{"botocore_config": {"nonsense": 1}}, {"verify": "/there/is/no/such.pem"}]
)
async def test_settings_with_which_nothing_can_be_asked(settings: dict[str, Any]) -> None:
    options = {"region_name": "us-west-2", "endpoint_url": "https://127.0.0.1:9", **settings}
    trigger = DiscoveryExportTrigger(["export-1"], aws_conn_id=None, **options)

    payload = await fire(trigger)

    assert payload["status"] == "refused"


async def test_a_client_that_cannot_be_made_is_not_waited_for_past_the_deadline(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get_async_conn(hook: DiscoveryHook) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sts.example")

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)

    payload = await fire(trigger_for(emulator, "export-1", deadline=time.time() + 0.2))

    assert payload["status"] == "timeout"


async def test_fifty_triggers_cost_the_calls_of_one_watcher(emulator: Emulator) -> None:
    export_ids = emulator.add_exports(50, status="IN_PROGRESS", duration=None)
    waits = [
        asyncio.create_task(fire(trigger_for(emulator, export_id))) for export_id in export_ids
    ]

    while len(emulator.requests) < 5:
        await asyncio.sleep(0.01)
    for export_id in export_ids:
        emulator.finish_export(export_id)
    payloads = await asyncio.gather(*waits)

    assert [payload["status"] for payload in payloads] == ["succeeded"] * 50
    # Like one wait for all of them: each call asks for every export that is left.
    assert all(set(ids) == set(export_ids) for ids in describe_calls(emulator)[:5])


async def test_triggers_of_another_region_ask_for_themselves(emulator: Emulator) -> None:
    one, two = emulator.add_export(duration=0), emulator.add_export(duration=0)

    await asyncio.gather(
        fire(trigger_for(emulator, one)),
        fire(trigger_for(emulator, two, region_name="eu-central-1")),
    )

    assert sorted(describe_calls(emulator)) == sorted([[one], [two]])


async def test_triggers_that_are_cancelled_leave_nothing(emulator: Emulator) -> None:
    export_ids = emulator.add_exports(3, status="IN_PROGRESS", duration=None)
    waits = [
        asyncio.create_task(fire(trigger_for(emulator, export_id))) for export_id in export_ids
    ]
    while not emulator.requests:
        await asyncio.sleep(0.01)

    for wait in waits:
        wait.cancel()
        await asyncio.wait([wait])
        assert wait.cancelled()

    # A connection that is left open would be a warning, and so an error.
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_trigger_that_is_cancelled_while_the_client_is_made_leaves_nothing(
    emulator: Emulator,
) -> None:
    export_id = emulator.add_export(duration=0)
    for rounds in range(1, 6):
        wait = asyncio.create_task(fire(trigger_for(emulator, export_id)))
        for _ in range(rounds):
            await asyncio.sleep(0)
        wait.cancel()
        await asyncio.wait([wait])
        assert wait.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    payload = await fire(trigger_for(emulator, export_id))

    assert payload["status"] == "succeeded"


async def test_another_trigger_takes_over(emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=None)
    trigger = trigger_for(emulator, export_id, deadline=time.time() + 3600)
    wait = asyncio.create_task(fire(trigger))
    while not emulator.requests:
        await asyncio.sleep(0.01)
    wait.cancel()
    await asyncio.wait([wait])

    _, arguments = trigger.serialize()
    emulator.finish_export(export_id)
    payload = await fire(DiscoveryExportTrigger(**arguments))

    assert payload["status"] == "succeeded"


async def test_a_time_out_says_that_nobody_answered(emulator: Emulator) -> None:
    emulator.inject_error("ServerInternalErrorException", "No.", status=500, calls=None)
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)
    once = {"retries": {"total_max_attempts": 1}}

    payload = await fire(
        trigger_for(emulator, export_id, deadline=time.time(), botocore_config=once)
    )

    assert payload["status"] == "timeout"
    assert "calls have failed for" in payload["message"]
    assert "ServerInternalErrorException" in payload["message"]


async def test_an_id_that_the_service_refuses_fails_only_its_own_task(emulator: Emulator) -> None:
    ids = [emulator.add_export(duration=0), emulator.add_export(duration=0)]
    # The call for both, and that for one of them.
    emulator.inject_error("InvalidParameterValueException", "No.", calls=2)

    payloads = await asyncio.gather(*(fire(trigger_for(emulator, export_id)) for export_id in ids))

    assert sorted(payload["status"] for payload in payloads) == ["refused", "succeeded"]
    (message,) = [payload["message"] for payload in payloads if payload["message"]]
    assert any(f"cannot be asked for {export_id}" in message for export_id in ids)
    assert describe_calls(emulator)[0] == ids
