"""Airflow's tasks, executed as in their runs, without an Airflow around them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from aiodiscovery.airflow import DiscoveryExportTrigger

__all__ = ["Run", "event"]


class Store(dict[str, Any]):
    """Airflow's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


class Run:
    """The tries of a task in a DAG run."""

    def __init__(self) -> None:
        self.context: Any = {
            "task_state_store": Store(),
            "ti": SimpleNamespace(max_tries=2, try_number=1),
        }

    def execute(self, task: Any) -> DiscoveryExportTrigger:
        """Execute a task and return the trigger that it is deferred to."""
        with pytest.raises(TaskDeferred) as caught:
            task.execute(self.context)
        assert caught.value.method_name == "execute_complete"
        assert not caught.value.kwargs
        trigger = caught.value.trigger
        assert isinstance(trigger, DiscoveryExportTrigger)
        return trigger

    def clear(self) -> None:
        """Do what Airflow does when a user clears the task."""
        self.context["ti"].max_tries += 1


def event(status: str, *infos: dict[str, Any], message: str | None = None) -> dict[str, Any]:
    return {
        "status": status,
        "message": message,
        "exports": {info["exportId"]: info for info in infos},
    }
