"""A whole Airflow on loopback: every part is a session of processes, and none outlives the block.

Run as a program, it is the guard that ends them if the process that started them was killed.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: How long anything may take before the test gives up, in seconds. An idle machine needs only a
#: fraction of it, so only something that hangs takes so long.
PATIENCE = 600.0


class Stack:
    """Airflow's api-server, scheduler and dag-processor; and triggerers, as they are started."""

    def __init__(self, home: Path, dags: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        # Bound but not listening, so that no other process gets the port before the api-server.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        port = self._reserved.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        # Coverage is measured for the tests, not for the processes that they start.
        env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
        self._env = env | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": _key(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": _key(),
            "AIRFLOW__API_AUTH__JWT_SECRET": _key(),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            # Slow is not broken: tasks may have to wait for a busy api-server, or for SQLite.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "150",
            # A triggerer counts as dead five seconds after its last sign of life.
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            **settings,
        }
        self._stack = contextlib.ExitStack()
        self._parts: dict[subprocess.Popen[bytes], Path] = {}

    def __enter__(self) -> Self:
        """Start everything but triggerers.

        :raises TimeoutError: if it does not come up; nothing is left then either
        """
        with self._stack as stack:
            stack.enter_context(self._reserved)
            self._guard = stack.enter_context(_guard())
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(command, env=self._env, check=True, capture_output=True)
            self.start("api-server")
            self.start("scheduler", "--skip-serve-logs")
            self.start("dag-processor")
            self.wait_until(self._is_healthy, "the api-server answers")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every process."""
        self._stack.close()

    def start(self, part: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a part of Airflow in a separate session."""
        path = self._home / f"{part}-{len(self._parts)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", part, *options],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stack.callback(_end, process)
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{process.pid}\n".encode())
        self._guard.stdin.flush()
        self._parts[process] = path
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a part of Airflow with all processes that it has started."""
        del self._parts[process]
        _kill(process)

    def wait_until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something that happens in other processes.

        :raises RuntimeError: if one of them ended, so that it cannot happen any more
        """
        give_up_at = time.monotonic() + PATIENCE
        while not condition():
            for process, log in self._parts.items():
                if process.poll() is not None:
                    end = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"a part of Airflow ended, {log.name}: {end}")
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"not after {PATIENCE} s: {what}")
            time.sleep(0.05)

    def start_triggerer(self) -> subprocess.Popen[bytes]:
        """Start a triggerer, and wait until it is at work."""
        known = self.count("job where job_type = 'TriggererJob'")
        process = self.start("triggerer", "--skip-serve-logs")
        self.wait_until(
            lambda: self.count("job where job_type = 'TriggererJob'") > known, "a triggerer runs"
        )
        return process

    def logs(self) -> str:
        """Return everything that any part or task has logged."""
        return "".join(path.read_text(errors="replace") for path in self._home.rglob("*.log"))

    # The public API

    def run(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run of a DAG and return its id."""
        self.wait_until(lambda: self.count(f"dag where dag_id = '{dag_id}'"), "the DAG is known")
        run = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"conf": conf})
        run_id: str = run["dag_run_id"]
        return run_id

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run."""
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
        self._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def xcoms(self, dag_id: str, run_id: str, task_id: str) -> list[Any]:
        """Return what the instances of a task returned."""
        base = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        path = f"{base}/xcomEntries?limit=100"
        return [
            self._call("GET", f"{base}/xcomEntries/return_value?map_index={entry['map_index']}")[
                "value"
            ]
            for entry in self._call("GET", path)["xcom_entries"]
            if entry["key"] == "return_value"
        ]

    def _is_healthy(self) -> bool:
        try:
            self._call("GET", "/api/v2/version")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if not path.startswith("/auth"):
            headers["Authorization"] = f"Bearer {self._call('GET', '/auth/token')['access_token']}"
        if method == "POST" and path.endswith("dagRuns"):
            body = {"logical_date": None, **body}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    # The database

    def count(self, rows: str) -> int:
        """Count rows, as ``SELECT count(*) FROM`` finds them."""
        database = f"file:{self._home / 'airflow.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True, timeout=30)) as connection:
            (found,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()
        return int(found)

    def count_tasks(self, run_id: str, state: str) -> int:
        """Count the task instances of a run in a state."""
        return self.count(f"task_instance where run_id = '{run_id}' and state = '{state}'")

    def wait_for(self, run_id: str) -> str:
        """Wait until a run has ended, and return its final state."""
        for_run = f"dag_run where run_id = '{run_id}' and state"
        self.wait_until(lambda: self.count(f"{for_run} in ('success', 'failed')"), f"{run_id} ends")
        return "success" if self.count(f"{for_run} = 'success'") else "failed"


def _key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@contextlib.contextmanager
def _guard() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that kills the given sessions once its input ends."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield guard
        finally:
            guard.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    # Processes that ignored the signal, or outlived their leader.
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    kill_sessions([process.pid])
    process.wait()


def kill_sessions(leaders: Collection[int]) -> None:
    """Kill all processes of some sessions. A running task is not in the group of its leader."""
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
    while members := [process for process, session in _processes() if session in leaders]:
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> Iterator[tuple[int, int]]:
    """Return the running processes and their sessions, if the system has /proc."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            if state not in "ZX":
                yield int(path.parent.name), int(session)


if __name__ == "__main__":
    kill_sessions([int(line) for line in sys.stdin])
