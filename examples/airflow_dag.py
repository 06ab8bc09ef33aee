"""Export the data of several agents with Airflow: start, wait, download, use the files.

    python examples/airflow_dag.py    # against an emulator, in a throw-away Airflow

It needs ``pip install 'aiodiscovery[airflow,download]'``. To run it in your own Airflow, put it in
the DAGs folder, with a connection ``aws_default`` that has the home region.

The service runs five exports of agents at the same time. With more agents, the rest is retried.
"""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Airflow reads its settings on import.
    HOME = tempfile.TemporaryDirectory(prefix="airflow-")
    os.environ |= {
        "AIRFLOW_HOME": HOME.name,
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).resolve().parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # Exports of the emulator take seconds, those of AWS minutes and hours.
        "DISCOVERY_MAX_DELAY": "1",
    }

from airflow.sdk import DAG, task

import aiodiscovery
from aiodiscovery.airflow import DiscoveryExportOperator, DiscoveryHook
from aiodiscovery.emulator import Emulator

#: How many agents to export, and where to download to. Each run may have its own values.
PARAMS: Any = {"agents": 3, "folder": "/tmp/discovery"}
MAX_DELAY = float(os.environ.get("DISCOVERY_MAX_DELAY", "300"))


@task
def list_agents(params: Mapping[str, Any] | None = None) -> list[str]:
    """Return the first agents that the service knows, as many as the run is to export."""
    count = (params or {})["agents"]

    async def main() -> list[str]:
        async with await DiscoveryHook().get_async_conn() as client:
            agents = aiodiscovery.get_paginator(client, "describe_agents").paginate(
                PaginationConfig={"MaxItems": count}
            )
            return [agent.get("agentId", "") async for agent in agents.items()]

    return asyncio.run(main())


@task
def download(export: dict[str, Any], folder: str) -> str:
    """Download an archive. A retry continues where this ended."""

    async def main() -> str:
        async with await DiscoveryHook().get_async_conn() as client:
            done = await aiodiscovery.download_export(client, export["exportId"], folder)
            return str(done.path)

    return asyncio.run(main())


@task
def count_rows(paths: list[str]) -> dict[str, int]:
    """Use the files: count the rows of each kind, over all agents."""
    rows: dict[str, int] = {}
    # All at once: iteration would ask Airflow for one after the other until there is none, which it
    # logs as an error.
    for path in paths[:]:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not name.endswith(".csv"):
                    continue  # the description of the export, as JSON
                with archive.open(name) as file:
                    found = sum(1 for _ in csv.DictReader(io.TextIOWrapper(file, "utf-8")))
                kind = name.rpartition("_")[2]
                rows[kind] = rows.get(kind, 0) + found
    for kind, count in sorted(rows.items()):
        print(f"{count:>8,} rows in {kind}")
    return rows


with DAG(
    "discovery_exports",
    schedule=None,
    params=PARAMS,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
) as dag:
    exports = DiscoveryExportOperator.partial(
        task_id="export",
        timeout=timedelta(hours=6),
        min_delay=min(10.0, MAX_DELAY),
        max_delay=MAX_DELAY,
    ).expand(agent_id=list_agents())
    paths = download.partial(folder="{{ params.folder }}").expand(export=exports.output)
    count_rows(paths)  # type: ignore[arg-type]  # a list of them when it runs


def main() -> int:
    """Run the DAG once, in a throw-away Airflow, against an emulator."""
    with HOME, Emulator(export_duration=3.0) as emulator:
        connection = {
            "conn_type": "aws",
            "login": emulator.client_kwargs["aws_access_key_id"],
            "password": emulator.client_kwargs["aws_secret_access_key"],
            "extra": {"region_name": "us-west-2", "endpoint_url": emulator.endpoint_url},
        }
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
        print("Setting up an Airflow ...", flush=True)
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, check=True, capture_output=True)
        print("Running the DAG ...", flush=True)
        run = dag.test(run_conf={"folder": f"{HOME.name}/exports"})
        for task in run.get_task_instances():
            print(f"{task.state:>8} {task.task_id} {task.map_index if task.map_index >= 0 else ''}")
        started = [call for call in emulator.requests if call.operation == "StartExportTask"]
        counts = f"{len(started)} exports, {len(emulator.downloads)} downloads"
        print(f"The run is a {run.state}: {counts}.")
    return 0 if run.state == "success" else 1


if __name__ == "__main__":
    sys.exit(main())
