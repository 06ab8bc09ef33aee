"""The DAGs of the tests. Their data comes with the configuration of a run."""

import os
import signal
from datetime import timedelta
from typing import Any, NoReturn

from airflow.sdk import DAG, get_current_context, task

from aiodiscovery.airflow import DiscoveryExportOperator, DiscoveryExportSensor

DELAYS: dict[str, Any] = {"min_delay": 0.5, "max_delay": 1.0, "not_found_timeout": 1.0}
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}


@task
def conf(key: str) -> Any:
    """Return what the run was started with."""
    context: Any = get_current_context()
    return context["dag_run"].conf[key]


class Killed(DiscoveryExportOperator):
    """An operator whose first try ends between the start of the export and the wait."""

    def defer(self, **kwargs: Any) -> NoReturn:
        """Defer, unless this is the first try."""
        context: Any = get_current_context()
        if context["ti"].try_number == 1:
            if context["dag_run"].conf["kill"]:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("the worker ends here")
        super().defer(**kwargs)


with DAG("sensor", schedule=None):
    DiscoveryExportSensor(
        task_id="wait",
        export_id="{{ dag_run.conf['export_id'] }}",
        **DELAYS,
        **RETRIES,
    )

with DAG("sensor_with_download_url", schedule=None):
    DiscoveryExportSensor(
        task_id="wait",
        export_id="{{ dag_run.conf['export_id'] }}",
        include_download_url=True,
        **DELAYS,
    )

with DAG("sensor_of_many", schedule=None):
    ids: Any = conf("export_ids")
    DiscoveryExportSensor(task_id="wait", export_ids=ids, **DELAYS, **RETRIES)

with DAG("soft_sensor", schedule=None):
    DiscoveryExportSensor(
        task_id="wait", export_id="{{ dag_run.conf['export_id'] }}", soft_fail=True, **DELAYS
    )

with DAG("impatient_sensor", schedule=None):
    DiscoveryExportSensor(
        task_id="wait",
        export_id="{{ dag_run.conf['export_id'] }}",
        timeout=0.1,
        **DELAYS,
        **RETRIES,
    )

with DAG("operator", schedule=None):
    DiscoveryExportOperator(
        task_id="export",
        agent_id="{{ dag_run.conf['agent_id'] }}",
        start_time="{{ dag_run.conf['start_time'] }}",
        **DELAYS,
        **RETRIES,
    )

with DAG("operator_without_wait", schedule=None):
    DiscoveryExportOperator(task_id="export", wait=False, **DELAYS, **RETRIES)

with DAG("mapped_operator", schedule=None):
    DiscoveryExportOperator.partial(task_id="export", **DELAYS, **RETRIES).expand(
        agent_id=conf("agent_ids")
    )

with DAG("killed_operator", schedule=None):
    Killed(task_id="export", **DELAYS, **RETRIES)
