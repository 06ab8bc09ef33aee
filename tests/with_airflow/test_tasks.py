"""The operator and the sensor, until they are deferred and after they are resumed."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from botocore.exceptions import CredentialRetrievalError
from support.airflow_runs import Run, event

from aiodiscovery.airflow import (
    DiscoveryExportOperator,
    DiscoveryExportSensor,
    DiscoveryHook,
)
from aiodiscovery.airflow import _tasks as module
from aiodiscovery.emulator import Emulator

MakeOperator = Callable[..., DiscoveryExportOperator]


SUCCEEDED = {"exportId": "export-1", "exportStatus": "SUCCEEDED"}
FAILED = {"exportId": "export-2", "exportStatus": "FAILED", "statusMessage": "No data."}


# The operator


def test_the_operator_starts_an_export_and_is_deferred_to_it(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    trigger = Run().execute(DiscoveryExportOperator(**settings))

    assert trigger.export_ids == [emulator.export_ids[-1]]
    assert trigger.deadline is None
    _, arguments = trigger.serialize()
    names = arguments.keys() & settings.keys()
    assert {key: arguments[key] for key in names} == {key: settings[key] for key in names}
    assert [request.operation for request in emulator.requests] == ["StartExportTask"]


def test_the_operator_sends_what_it_is_given(emulator: Emulator, settings: dict[str, Any]) -> None:
    emulator.plan_export(duration=0)
    agent_id = "o-e4fa73126dd9c2e85"
    operator = DiscoveryExportOperator(
        agent_id=agent_id,
        start_time="2026-01-05T09:00+01:00",
        end_time=datetime(2026, 1, 6, tzinfo=UTC),
        preferences={"ec2RecommendationsPreferences": {"enabled": True}},
        **settings,
    )

    Run().execute(operator)

    assert emulator.requests[-1].parameters == {
        "filters": [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}],
        "startTime": 1767600000,
        "endTime": 1767657600,
        "preferences": {"ec2RecommendationsPreferences": {"enabled": True}},
    }


def test_without_waiting_the_operator_returns_the_id(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    run = Run()

    first = DiscoveryExportOperator(wait=False, **settings).execute(run.context)
    second = DiscoveryExportOperator(wait=False, **settings).execute(run.context)

    assert first == second == emulator.export_ids[-1]


def test_a_retry_goes_on_with_the_same_export_to_the_same_deadline(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    run, before = Run(), time.time()
    operator = DiscoveryExportOperator(timeout=timedelta(hours=1), **settings)
    first = run.execute(operator)

    second = run.execute(operator)

    assert second.export_ids == first.export_ids
    assert second.deadline == first.deadline
    assert first.deadline is not None
    assert before + 3600 <= first.deadline <= time.time() + 3600
    assert len(emulator.requests) == 1


def test_a_cleared_task_goes_on_with_an_export_in_progress_to_a_new_deadline(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    emulator.plan_export(duration=None)
    run = Run()
    operator = DiscoveryExportOperator(timeout=3600, **settings)
    first = run.execute(operator)
    run.clear()

    second = run.execute(operator)
    third = run.execute(operator)

    assert first.export_ids == second.export_ids == third.export_ids
    assert first.deadline is not None
    assert second.deadline is not None
    assert second.deadline > first.deadline
    assert third.deadline == second.deadline


@pytest.mark.parametrize("fail_with", [None, "No data."])
def test_a_cleared_task_starts_another_export_when_the_first_has_ended(
    emulator: Emulator, settings: dict[str, Any], fail_with: str | None
) -> None:
    emulator.plan_export(duration=0, fail_with=fail_with)
    run = Run()
    operator = DiscoveryExportOperator(**settings)
    first = run.execute(operator)
    run.clear()

    second = run.execute(operator)
    retry = run.execute(operator)

    assert second.export_ids != first.export_ids
    assert retry.export_ids == second.export_ids


@pytest.mark.parametrize("timeout", [-1, timedelta(seconds=-1), float("nan"), float("inf")])
def test_a_time_out_that_is_none_is_refused_when_the_dag_is_written(
    settings: dict[str, Any], timeout: Any
) -> None:
    with pytest.raises(ValueError, match="timeout must be at least 0 seconds"):
        DiscoveryExportOperator(timeout=timeout, **settings)


@pytest.mark.parametrize("kind", [DiscoveryExportOperator, DiscoveryExportSensor])
def test_delays_that_make_no_sense_are_refused_when_the_dag_is_written(
    settings: dict[str, Any], kind: Any
) -> None:
    export = {"export_id": "export-1"} if kind is DiscoveryExportSensor else {}

    with pytest.raises(ValueError, match="max_delay at least min_delay"):
        kind(**export, **{**settings, "min_delay": 2, "max_delay": 1})
    with pytest.raises(ValueError, match="relative_delay must be from 0 to 1"):
        kind(**export, **{**settings, "relative_delay": 2})
    with pytest.raises(ValueError, match="max_rate must be greater than 0"):
        kind(**export, **{**settings, "max_rate": 0})


def test_a_cleared_task_starts_another_export_when_another_is_asked_for(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    emulator.plan_export(duration=None)
    run = Run()
    agent_id = "o-e4fa73126dd9c2e85"
    first = run.execute(DiscoveryExportOperator(**settings))
    retry = run.execute(DiscoveryExportOperator(agent_id=agent_id, **settings))
    run.clear()

    second = run.execute(DiscoveryExportOperator(agent_id=agent_id, **settings))

    assert retry.export_ids == first.export_ids
    assert second.export_ids != first.export_ids


@pytest.mark.parametrize("setting", [{"nonsense": 1}, {"retries": {"mode": "odd"}}])
def test_settings_that_botocore_does_not_have_fail_the_task_at_once(
    settings: dict[str, Any], setting: dict[str, Any]
) -> None:
    settings["botocore_config"] = setting
    operator = DiscoveryExportOperator(**settings)

    with pytest.raises(AirflowFailException, match=r"nonsense|odd"):
        operator.execute(Run().context)


def test_what_makes_no_sense_fails_the_task_at_once(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    operator = DiscoveryExportOperator(agent_id="o-1", start_time="yesterday", **settings)

    with pytest.raises(
        AirflowFailException, match=r"starting the export failed: .*not 'yesterday'"
    ):
        operator.execute(Run().context)

    assert emulator.requests == ()


def test_what_the_service_refuses_fails_the_task_at_once(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    operator = DiscoveryExportOperator(agent_id="o-none", **settings)

    with pytest.raises(AirflowFailException, match=r"InvalidParameter.*There is no agent o-none"):
        operator.execute(Run().context)

    assert len(emulator.requests) == 1


def test_what_was_signed_is_not_repeated(emulator: Emulator, settings: dict[str, Any]) -> None:
    emulator.inject_error("InvalidSignatureException", "x-amz-security-token:secret", status=403)

    with pytest.raises(AirflowFailException) as caught:
        DiscoveryExportOperator(**settings).execute(Run().context)

    assert str(caught.value) == "starting the export failed: InvalidSignatureException"
    assert caught.value.__suppress_context__


def test_a_busy_service_is_asked_again(emulator: Emulator, settings: dict[str, Any]) -> None:
    emulator.inject_throttling(calls=3)

    Run().execute(DiscoveryExportOperator(**settings))

    assert len(emulator.requests) == 4


def test_without_credentials_just_now_nothing_was_started_and_it_is_tried_again(
    emulator: Emulator, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [CredentialRetrievalError(provider="process", error_msg="what it printed")] * 2
    fetch = DiscoveryHook.get_async_conn

    async def get_async_conn(hook: DiscoveryHook) -> Any:
        if errors:
            raise errors.pop()
        return await fetch(hook)

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)

    Run().execute(DiscoveryExportOperator(**settings))

    assert len(emulator.requests) == 1


def test_what_a_source_of_credentials_says_is_not_repeated(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)

    async def get_async_conn(hook: DiscoveryHook) -> Any:
        raise CredentialRetrievalError(provider="process", error_msg="what it printed")

    monkeypatch.setattr(DiscoveryHook, "get_async_conn", get_async_conn)

    with pytest.raises(AirflowException) as caught:
        DiscoveryExportOperator(**settings).execute(Run().context)

    assert str(caught.value) == "starting the export failed: CredentialRetrievalError"
    assert caught.value.__suppress_context__


def test_a_service_that_stays_busy_leaves_it_to_the_retries(
    emulator: Emulator, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    emulator.inject_throttling(calls=None)

    with pytest.raises(AirflowException, match="Throttling") as caught:
        DiscoveryExportOperator(**settings).execute(Run().context)

    assert not isinstance(caught.value, AirflowFailException)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    "botocore_config",
    [None, {"retries": {"max_attempts": 3}}, {"retries": {"mode": "standard"}, "read_timeout": 5}],
)
def test_an_answer_that_tells_not_whether_it_started_is_not_asked_for_again(
    emulator: Emulator, settings: dict[str, Any], botocore_config: dict[str, Any] | None
) -> None:
    settings["botocore_config"] = botocore_config
    emulator.inject_error("InternalServerError", "Perhaps.", status=500, calls=None)

    with pytest.raises(AirflowException, match="Perhaps") as caught:
        DiscoveryExportOperator(**settings).execute(Run().context)

    assert not isinstance(caught.value, AirflowFailException)
    assert len(emulator.requests) == 1


def test_a_limit_of_the_service_leaves_it_to_the_retries(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    emulator.inject_error("OperationNotPermittedException", "Two exports a day.")

    with pytest.raises(AirflowException, match="Two exports a day") as caught:
        DiscoveryExportOperator(**settings).execute(Run().context)

    assert not isinstance(caught.value, AirflowFailException)


def test_an_export_that_is_already_present_is_gone_on_with(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    present = emulator.export_ids[-1]
    emulator.inject_error(
        "OperationNotPermittedException",
        f"A successful export is already present Export ID: {present}",
        operation="StartExportTask",
    )

    trigger = Run().execute(DiscoveryExportOperator(**settings))

    assert trigger.export_ids == [present]


def test_the_operator_returns_the_export(settings: dict[str, Any]) -> None:
    operator = DiscoveryExportOperator(**settings)

    assert operator.execute_complete(Run().context, event("succeeded", SUCCEEDED)) == SUCCEEDED


def test_the_download_url_is_there_for_those_who_ask(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    export_id = emulator.add_export(duration=0)
    info = {"exportId": export_id, "exportStatus": "SUCCEEDED"}
    operator = DiscoveryExportOperator(include_download_url=True, **settings)

    result = operator.execute_complete(Run().context, event("succeeded", info))

    assert "X-Amz-Signature" in result["configurationsDownloadUrl"]
    assert json.loads(json.dumps(result)) == result


def test_what_passes_while_the_download_url_is_fetched_is_waited_out(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    export_id = emulator.add_export(duration=0)
    emulator.inject_error("InternalServerError", "Later.", status=500, calls=3)
    info = {"exportId": export_id, "exportStatus": "SUCCEEDED"}
    operator = DiscoveryExportOperator(include_download_url=True, **settings)

    result = operator.execute_complete(Run().context, event("succeeded", info))

    assert "configurationsDownloadUrl" in result


def test_a_service_that_refuses_the_download_url_fails_the_task_at_once(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    emulator.inject_error("AuthorizationErrorException", "No.", calls=None)
    operator = DiscoveryExportOperator(include_download_url=True, **settings)

    with pytest.raises(AirflowFailException, match="AuthorizationErrorException: No"):
        operator.execute_complete(Run().context, event("succeeded", SUCCEEDED))


@pytest.mark.parametrize("status", ["failed", "not_found", "refused", "timeout"])
def test_no_other_event_is_worth_a_retry_of_the_operator(
    settings: dict[str, Any], status: str
) -> None:
    operator = DiscoveryExportOperator(**settings)

    with pytest.raises(AirflowFailException, match="what it says"):
        operator.execute_complete(Run().context, event(status, FAILED, message="what it says"))


# The sensor


def test_the_sensor_is_deferred_until_its_deadline(settings: dict[str, Any]) -> None:
    run, before = Run(), time.time()
    sensor = DiscoveryExportSensor(export_id="export-1", timeout=60, **settings)

    first = run.execute(sensor)
    retry = run.execute(sensor)
    run.clear()
    cleared = run.execute(sensor)

    assert first.export_ids == ["export-1"]
    assert first.deadline is not None
    assert before + 60 <= first.deadline <= time.time() + 60
    assert retry.deadline == first.deadline
    assert cleared.deadline is not None
    assert cleared.deadline > first.deadline


def test_the_sensor_returns_an_export_or_a_dict_of_them(settings: dict[str, Any]) -> None:
    one = DiscoveryExportSensor(export_id="export-1", **settings)
    many = DiscoveryExportSensor(export_ids=["export-1"], **settings)

    assert one.execute_complete(Run().context, event("succeeded", SUCCEEDED)) == SUCCEEDED
    assert many.execute_complete(Run().context, event("succeeded", SUCCEEDED)) == {
        "export-1": SUCCEEDED
    }


def test_a_sensor_for_no_exports_has_nothing_to_wait_for(settings: dict[str, Any]) -> None:
    assert DiscoveryExportSensor(export_ids=[], **settings).execute(Run().context) == {}


@pytest.mark.parametrize("given", [{}, {"export_id": "export-1", "export_ids": ["export-2"]}])
def test_a_sensor_takes_one_export_or_several(
    settings: dict[str, Any], given: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="either an export_id or export_ids"):
        DiscoveryExportSensor(**given, **settings)


@pytest.mark.parametrize("given", [{"export_id": ""}, {"export_ids": "export-1"}])
def test_what_is_no_export_id_fails_the_sensor_at_once(
    settings: dict[str, Any], given: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match=r"export ids (are strings|must be several)"):
        DiscoveryExportSensor(**given, **settings).execute(Run().context)


def test_a_sensor_whose_time_is_up_fails_as_sensors_do(settings: dict[str, Any]) -> None:
    sensor = DiscoveryExportSensor(export_id="export-1", **settings)

    with pytest.raises(AirflowSensorTimeout, match="too late"):
        sensor.execute_complete(Run().context, event("timeout", message="too late"))


def test_a_soft_sensor_is_skipped(settings: dict[str, Any]) -> None:
    sensor = DiscoveryExportSensor(export_id="export-2", soft_fail=True, **settings)

    with pytest.raises(AirflowSkipException):
        sensor.resume_execution(
            "execute_complete",
            {"event": event("failed", FAILED, message="No data.")},
            Run().context,
        )


@pytest.mark.parametrize("options", [{"soft_fail": True}, {"never_fail": True}])
def test_a_soft_sensor_is_skipped_before_it_waits_too(
    settings: dict[str, Any], options: dict[str, Any]
) -> None:
    sensor = DiscoveryExportSensor(export_id="", **settings, **options)

    with pytest.raises(AirflowSkipException, match="export ids are strings"):
        sensor.execute(Run().context)
