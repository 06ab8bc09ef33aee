"""Whole DAGs with ``dag.test()``, which runs tasks and triggers in this process."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from support.pages import blocks

from aiodiscovery.emulator import Emulator

Run = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def dags() -> Any:
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, capture_output=True)
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture
def run(dags: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a DAG and return its state, its tasks and what they returned."""
    connection = {
        "conn_type": "aws",
        "login": "emulator",
        "password": "emulator",
        "extra": {"region_name": "us-west-2", "endpoint_url": emulator.endpoint_url},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    def run(dag_id: str, **conf: Any) -> SimpleNamespace:
        done = dags[dag_id].test(run_conf=conf)
        with create_session() as session:
            found: Any = session.scalars(XComModel.get_many(run_id=done.run_id)).all()
            results = {
                xcom.task_id: XComModel.deserialize_value(xcom)
                for xcom in found
                if xcom.key == "return_value"
            }
        tasks = {task.task_id: task for task in done.get_task_instances()}
        return SimpleNamespace(state=done.state, tasks=tasks, results=results)

    return run


def starts(emulator: Emulator) -> int:
    return [request.operation for request in emulator.requests].count("StartExportTask")


def test_the_sensor_returns_the_export(run: Run, emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=0.5)

    done = run("sensor", export_id=export_id)

    assert done.state == "success"
    info = done.results["wait"]
    assert (info["exportId"], info["exportStatus"]) == (export_id, "SUCCEEDED")
    assert info["exportRequestTime"].endswith("+00:00")
    assert "http" not in json.dumps(info)


def test_the_sensor_waits_for_what_a_task_returned(run: Run, emulator: Emulator) -> None:
    export_ids = list(emulator.add_exports(3, status="IN_PROGRESS", duration=0.5))

    done = run("sensor_of_many", export_ids=export_ids)

    assert done.state == "success"
    assert list(done.results["wait"]) == export_ids


def test_an_export_that_failed_fails_the_task_without_a_retry(
    run: Run, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    export_id = emulator.add_export(duration=0, fail_with="The bucket is full.")

    done = run("sensor", export_id=export_id)

    assert done.state == "failed"
    assert done.tasks["wait"].try_number == 1
    assert f"export {export_id} failed: The bucket is full." in caplog.messages


def test_an_export_that_is_unknown_fails_the_task_without_a_retry(
    run: Run, emulator: Emulator
) -> None:
    done = run("sensor", export_id="export-none")

    assert done.state == "failed"
    assert done.tasks["wait"].try_number == 1


def test_a_service_that_refuses_fails_the_task_without_a_retry(
    run: Run, emulator: Emulator
) -> None:
    emulator.inject_error("AuthorizationErrorException", "No.", calls=None)

    done = run("sensor", export_id="export-1")

    assert done.state == "failed"
    assert done.tasks["wait"].try_number == 1
    assert len(emulator.requests) == 1


def test_a_time_out_fails_the_task_without_a_retry(run: Run, emulator: Emulator) -> None:
    done = run("impatient_sensor", export_id=emulator.add_export(duration=None))

    assert done.state == "failed"
    assert done.tasks["wait"].try_number == 1


def test_a_soft_sensor_is_skipped(run: Run, emulator: Emulator) -> None:
    done = run("soft_sensor", export_id=emulator.add_export(duration=0, fail_with="No."))

    assert done.tasks["wait"].state == "skipped"


def test_the_operator_renders_its_templates(run: Run, emulator: Emulator) -> None:
    agent_id = "o-e4fa73126dd9c2e85"
    emulator.plan_export(duration=0.5)

    done = run("operator", agent_id=agent_id, start_time="2026-01-05T08:00:00Z")

    assert done.state == "success"
    assert done.results["export"]["exportId"] == emulator.export_ids[-1]
    (start,) = (request for request in emulator.requests if request.operation == "StartExportTask")
    assert start.parameters["filters"][0]["values"] == [agent_id]
    assert start.parameters["startTime"] == 1767600000


def test_without_waiting_the_operator_returns_the_id(run: Run, emulator: Emulator) -> None:
    done = run("operator_without_wait")

    assert done.results["export"] == emulator.export_ids[-1]


def test_a_retry_goes_on_with_the_same_export(run: Run, emulator: Emulator) -> None:
    emulator.plan_export(duration=0.5)

    done = run("killed_operator", kill=False)

    assert done.state == "success"
    assert done.tasks["export"].try_number == 2
    assert starts(emulator) == 1


def test_a_presigned_url_is_in_no_log_even_when_it_is_asked_for(
    run: Run,
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    export_id = emulator.add_export(duration=0)

    with caplog.at_level(logging.DEBUG):
        done = run("sensor_with_download_url", export_id=export_id)

    assert "X-Amz-Signature" in done.results["wait"]["configurationsDownloadUrl"]
    output = "".join(capfd.readouterr())
    assert "Pushing xcom" in output
    assert "X-Amz-Signature" not in output + caplog.text


def test_airflow_knows_the_provider() -> None:
    command = [sys.executable, "-m", "airflow", "providers", "get", "aiodiscovery", "-o", "json"]
    shown = subprocess.run([*command, "--full"], check=True, capture_output=True, text=True).stdout

    (provider,) = json.loads(shown)
    assert provider["package-name"] == "aiodiscovery"
    assert "aiodiscovery.airflow.triggers" in str(provider["triggers"])


def test_the_providers_information_needs_no_airflow() -> None:
    script = (
        "import sys; from aiodiscovery.airflow._provider import get_provider_info; "
        "get_provider_info(); print('airflow' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert shown.stdout == "False\n"


def test_the_example_exports_downloads_and_counts() -> None:
    example = Path(__file__).parents[2] / "examples" / "airflow_dag.py"

    done = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "695 rows in systemPerformance.csv" in done.stdout
    assert done.stdout.endswith("The run is a success: 3 exports, 3 downloads.\n")


@pytest.mark.parametrize(
    ("page", "dag_id", "tasks"),
    [
        ("airflow.md", "discovery", ["export", "wait"]),
        ("leaving.md", "leave_discovery", ["collect"]),
    ],
)
def test_the_dag_of_a_page_is_one(tmp_path: Path, page: str, dag_id: str, tasks: list[str]) -> None:
    source = "\n".join(
        block.text
        for block in blocks(Path(__file__).parents[2] / "docs" / page)
        if "airflow" in block.text
    )
    (tmp_path / "page.py").write_text(source)

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    assert bag.dags[dag_id].task_ids == tasks
