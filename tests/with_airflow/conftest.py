"""Shared by the tests with Airflow: a temporary home for it, and settings."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiodiscovery.emulator import Emulator

# Airflow reads its settings on import, and the tests import it.
HOME = Path(tempfile.mkdtemp(prefix="aiodiscovery-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in list(os.environ):
    if name.startswith("AIRFLOW_"):
        del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}


@pytest.fixture
def settings(emulator: "Emulator", monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    return {
        "task_id": "task",
        "aws_conn_id": None,
        "region_name": "us-west-2",
        "endpoint_url": emulator.endpoint_url,
        "min_delay": 0.01,
        "max_delay": 0.02,
        "max_rate": None,
        "botocore_config": {"retries": {"total_max_attempts": 1}},
    }
