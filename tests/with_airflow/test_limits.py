"""What ends a task early or at once: templates that rendered nothing, and ``execution_timeout``.

Airflow itself does not apply ``execution_timeout`` to a task that is deferred.
"""

import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from support.airflow_runs import Run, event

from aiodiscovery.airflow import DiscoveryExportOperator, DiscoveryExportSensor
from aiodiscovery.emulator import Emulator

NOTHING = ["None", " none ", "null", "nan", "Undefined", "[]", "{}"]


@pytest.mark.parametrize("rendered", [*NOTHING, ""])
@pytest.mark.parametrize("several", [False, True])
def test_a_sensor_whose_template_rendered_nothing_fails_before_it_waits(
    settings: dict[str, Any], rendered: str, several: bool
) -> None:
    given: dict[str, Any] = {"export_ids": ["export-1", rendered]} if several else {}
    sensor = DiscoveryExportSensor(**(given or {"export_id": rendered}), **settings)

    with pytest.raises(AirflowFailException, match=r"rendered no value|export ids are strings"):
        sensor.execute(Run().context)


def test_a_soft_sensor_is_skipped_for_it(settings: dict[str, Any]) -> None:
    sensor = DiscoveryExportSensor(export_id="None", soft_fail=True, **settings)

    with pytest.raises(AirflowSkipException, match="rendered no value"):
        sensor.execute(Run().context)


@pytest.mark.parametrize("rendered", NOTHING)
def test_an_operator_whose_template_rendered_nothing_starts_nothing(
    emulator: Emulator, settings: dict[str, Any], rendered: str
) -> None:
    operator = DiscoveryExportOperator(agent_id=rendered, **settings)

    with pytest.raises(AirflowFailException, match="rendered no value"):
        operator.execute(Run().context)
    assert emulator.requests == ()


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "expected"),
    [(60, 3600, 60), (3600, 60, 60), (60, None, 60)],
)
def test_the_trigger_gives_up_at_the_earlier_of_the_two(
    settings: dict[str, Any], timeout: float, execution_timeout: float | None, expected: float
) -> None:
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    before = time.time()

    trigger = Run().execute(
        DiscoveryExportSensor(
            export_id="export-1", timeout=timeout, execution_timeout=limit, **settings
        )
    )

    assert trigger.deadline is not None
    assert before + expected <= trigger.deadline <= time.time() + expected


def test_without_a_timeout_of_its_own_the_operator_has_that_of_its_try(
    settings: dict[str, Any],
) -> None:
    operator = DiscoveryExportOperator(execution_timeout=timedelta(minutes=1), **settings)

    trigger = Run().execute(operator)

    assert trigger.deadline is not None
    assert trigger.deadline <= time.time() + 60


def test_a_retry_has_its_own_execution_timeout_and_the_same_export(
    emulator: Emulator, settings: dict[str, Any]
) -> None:
    run = Run()
    operator = DiscoveryExportOperator(execution_timeout=timedelta(minutes=1), **settings)
    first = run.execute(operator)

    with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
        operator.execute_complete(run.context, event("timeout", message="too late"))
    retry = run.execute(operator)

    assert retry.export_ids == first.export_ids
    assert first.deadline is not None
    assert retry.deadline is not None
    assert retry.deadline > first.deadline


def test_past_the_time_of_all_tries_nothing_is_retried(settings: dict[str, Any]) -> None:
    run = Run()
    sensor = DiscoveryExportSensor(
        export_id="export-1", timeout=0, execution_timeout=timedelta(hours=1), **settings
    )
    run.execute(sensor)

    with pytest.raises(AirflowSensorTimeout, match="too late"):
        sensor.execute_complete(run.context, event("timeout", message="too late"))
