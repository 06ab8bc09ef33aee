"""A service with agents and their data, on a virtual clock, for collections.

The client is a real one of aiobotocore, and downloads go through a real ``httpx2`` client. Both are
answered in the process. It only does what is known of the service: exports of up to 72 hours, five
at once, truncated ones, ones that end early, fail, become visible late, or are there already.
"""

import csv
import io
import json
import math
import zipfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import trio
from botocore.exceptions import ConnectionClosedError
from trio.testing import MockClock

import aiodiscovery
from support.scripted import EVENT
from support.virtual import SESSION

__all__ = [
    "EPOCH",
    "HOUR",
    "Agent",
    "Estate",
    "Export",
    "as_time",
    "collected_rows",
    "make_agents",
    "run_at_once",
]

HOUR = 3600
#: When agents register, unless they have a different time.
EPOCH = 1_767_600_000
LIMIT = (
    "You have reached limit of maximum allowed concurrent exports. Please wait for current export "
    "tasks to finish before starting another."
)


@dataclass
class Agent:
    """An agent, and the seconds in which it has a row."""

    id: str
    rows: list[int]
    first: int = EPOCH
    last: int = EPOCH
    type: str = "EC2"
    name: str | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "agentId": self.id,
            "hostName": self.name or f"host-{self.id}",
            "agentType": self.type,
            "registeredTime": _iso(self.first),
            "lastHealthPingTime": _iso(self.last),
        }


@dataclass
class Export:
    """An export of the service."""

    id: str
    agent_id: str | None
    start: int | None
    end: int | None
    requested: float
    ends: float
    failure: str | None = None
    truncated: bool = False
    #: The rows of its archive, once it has ended, and from when to when they are.
    rows: list[int] | None = None
    actual: tuple[int, int] | None = None
    recommends: bool = False

    def status(self, now: float) -> str:
        if now < self.ends:
            return "IN_PROGRESS"
        return "SUCCEEDED" if self.failure is None else "FAILED"


@dataclass
class Estate:
    """The service. By default everything succeeds."""

    agents: list[Agent] = field(default_factory=list)
    duration: float = 300.0
    places: int = 5
    visibility_delay: float = 0.0
    #: The most rows of an export. A larger one is truncated.
    most_rows: int | None = None
    #: Whether a truncated export says where it ended. If not, rows may be missing anywhere in it.
    says_where: bool = True
    #: How many seconds of the range an export covers, if it ends early.
    ends_after: Callable[[Export], int | None] = lambda export: None
    #: Why an export FAILS.
    fails: Callable[[Export], str | None] = lambda export: None
    #: The fate of a start: "drop" (it is not carried out), "lose" (only its answer is lost), or the
    #: code and message of an error.
    start_fault: Callable[[dict[str, Any]], Any] = lambda request: None
    #: The fate of another call: an exception to raise.
    call_fault: Callable[[str], Exception | None] = lambda operation: None
    #: The fate of a download: a response to return, or None.
    download_fault: Callable[[str], "httpx2.Response | None"] = lambda export_id: None
    exports: dict[str, Export] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    #: Counts the starts that were carried out, by agent and range.
    started: Counter[tuple[str | None, int | None, int | None]] = field(default_factory=Counter)
    most_at_once: int = 0
    _offset: float = 0.0
    #: How long it was open before, in seconds.
    _elapsed: float = 0.0

    # Time

    @property
    def now(self) -> float:
        return anyio.current_time() + self._offset

    # Calls

    async def answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Any]:
        await anyio.sleep(0.01)
        request = json.loads(params["body"])
        self.calls.append((anyio.current_time(), model.name))
        fault = self.call_fault(model.name)
        if fault is not None:
            raise fault
        status, answer = 200, getattr(self, f"_{model.name}")(request)
        if isinstance(answer, tuple):
            code, message = answer
            status = 500 if code.startswith("ServerInternal") else 400
            answer = {"Error": {"Code": code, "Message": message}}
        return SimpleNamespace(status_code=status), answer | {
            "ResponseMetadata": {"HTTPStatusCode": status}
        }

    def _DescribeAgents(self, request: dict[str, Any]) -> Any:  # noqa: N802
        return {"agentsInfo": [agent.describe() for agent in self.agents]}

    def _DescribeExportTasks(self, request: dict[str, Any]) -> Any:  # noqa: N802
        ids = request.get("exportIds")
        wanted = [value for item in request.get("filters", []) for value in item["values"]]
        found = [
            export
            for export in self.exports.values()
            if (not ids or export.id in ids)
            and (not wanted or export.agent_id in wanted)
            and export.requested + self.visibility_delay <= self.now
        ]
        first = int(request.get("nextToken", 0))
        page = {"exportsInfo": [self._info(export) for export in found[first : first + 100]]}
        return page if first + 100 >= len(found) else page | {"nextToken": str(first + 100)}

    def _info(self, export: Export) -> dict[str, Any]:
        status = export.status(self.now)
        info: dict[str, Any] = {
            "exportId": export.id,
            "exportStatus": status,
            "statusMessage": export.failure or status.title(),
            "exportRequestTime": datetime.fromtimestamp(export.requested, UTC),
            "isTruncated": False,
        }
        if export.start is not None and export.end is not None:
            info["requestedStartTime"] = datetime.fromtimestamp(export.start, UTC)
            info["requestedEndTime"] = datetime.fromtimestamp(export.end, UTC)
        if status == "SUCCEEDED":
            self._fill(export)
            info["isTruncated"] = export.truncated
            info["configurationsDownloadUrl"] = f"https://estate.invalid/{export.id}"
        return info

    def _StartExportTask(self, request: dict[str, Any]) -> Any:  # noqa: N802
        self.starts.append(request)
        fault = self.start_fault(request)
        if fault == "drop":
            raise ConnectionClosedError(endpoint_url="estate")
        if fault is not None and fault != "lose":
            return fault
        running = [export for export in self.exports.values() if self.now < export.ends]
        self.most_at_once = max(self.most_at_once, len(running))
        if len(running) >= self.places:
            return "OperationNotPermittedException", LIMIT
        agent_id = next((v for item in request.get("filters", []) for v in item["values"]), None)
        start, end = request.get("startTime"), request.get("endTime")
        for export in self.exports.values():
            if (
                agent_id is not None
                and (export.agent_id, export.start, export.end)
                == (
                    agent_id,
                    start,
                    end,
                )
                and export.status(self.now) == "SUCCEEDED"
            ):
                text = f"A successful export is already present Export ID: {export.id}"
                return "OperationNotPermittedException", text
        export = self.add_export(agent_id, start, end)
        export.recommends = "preferences" in request
        self.started[(agent_id, start, end)] += 1
        if fault == "lose":
            raise ConnectionClosedError(endpoint_url="estate")
        return {"exportId": export.id}

    def add_export(
        self,
        agent_id: str | None,
        start: int | None = None,
        end: int | None = None,
        *,
        duration: float | None = None,
    ) -> Export:
        ends = self.now + (self.duration if duration is None else duration)
        export = Export(f"export-{len(self.exports)}", agent_id, start, end, self.now, ends)
        export.failure = self.fails(export)
        self.exports[export.id] = export
        return export

    def _fill(self, export: Export) -> None:
        """Decide the contents of an export's archive."""
        if export.rows is not None:
            return
        export.rows = []
        agent = next((agent for agent in self.agents if agent.id == export.agent_id), None)
        if agent is None or export.start is None or export.end is None:
            return
        end = export.end
        length = self.ends_after(export)
        if length is not None:
            end = min(end, export.start + length)
        rows = [row for row in agent.rows if export.start <= row < end]
        if self.most_rows is not None and len(rows) > self.most_rows:
            export.truncated = True
            if self.says_where:
                end = rows[self.most_rows]
                rows = rows[: self.most_rows]
            else:
                rows = [*rows[: self.most_rows - 1], rows[-1]]
        export.rows = rows
        if rows:
            export.actual = rows[0], end
        if export.truncated and not self.says_where:
            export.actual = None

    def archive(self, export_id: str) -> bytes:
        export = self.exports[export_id]
        self._fill(export)
        results: dict[str, Any] = {
            "CustomerAccount": "012345678901",
            "ExportStatus": "SUCCEEDED",
            "ExportSummary": {"isTruncated": export.truncated},
        }
        if export.agent_id is not None:
            results["RequestedFilters"] = [{"Name": "agentIds", "Values": [export.agent_id]}]
        if export.actual is not None:
            results["ExportSummary"] |= {
                "ActualStartTime": _plain(export.actual[0]),
                "ActualEndTime": _plain(export.actual[1]),
            }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("012345678901_results.json", json.dumps(results))
            if export.rows or export.agent_id is None:
                text = io.StringIO()
                writer = csv.writer(text)
                writer.writerow(["accountNumber", "agentId", "totalCpuUsagePct", "timestamp"])
                for row in export.rows or ():
                    writer.writerow(["012345678901", export.agent_id, 1.5, _plain(row)])
                name = "EC2InstanceRecommendations" if export.recommends else "systemPerformance"
                archive.writestr(f"012345678901_{name}.csv", text.getvalue())
        return buffer.getvalue()

    async def download(self, request: httpx2.Request) -> httpx2.Response:
        await anyio.sleep(0.01)
        export_id = request.url.path.strip("/")
        self.downloads.append(export_id)
        fault = self.download_fault(export_id)
        if fault is not None:
            return fault
        return httpx2.Response(200, content=self.archive(export_id), headers={"etag": '"1"'})

    # For tests

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[tuple[Any, httpx2.AsyncClient]]:
        """Open a client, and an HTTP client for downloads."""
        opened = anyio.current_time()
        self._offset = EPOCH + 100 * 24 * HOUR + self._elapsed - opened
        async with (
            aiodiscovery.create_client(
                session=SESSION,
                region_name="us-west-2",
                endpoint_url="http://estate.invalid",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
            ) as client,
            httpx2.AsyncClient(transport=httpx2.MockTransport(self.download)) as http,
        ):
            answer: Any = self.answer  # the stubs do not know asynchronous handlers
            client.meta.events.register_first(EVENT, answer)
            try:
                yield client, http
            finally:
                self._elapsed += anyio.current_time() - opened

    def expected_rows(self) -> Counter[tuple[str, str]]:
        """Return all existing rows, by agent and time."""
        return Counter(
            (agent.id, _plain(row))
            for agent in self.agents
            for row in agent.rows
            if agent.first <= row <= agent.last
        )


def collected_rows(directory: Path) -> Counter[tuple[str, str]]:
    """Return the rows of all archives of agents, by agent and time."""
    rows: Counter[tuple[str, str]] = Counter()
    for path in directory.glob("agents/*/*.zip"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".csv"):
                    text = io.StringIO(archive.read(name).decode())
                    rows.update((row["agentId"], row["timestamp"]) for row in csv.DictReader(text))
    return rows


def make_agents(lengths: Iterable[float], every: int = 900) -> list[Agent]:
    """Make agents with data for a number of hours each, and a row every 15 minutes."""
    return [
        Agent(
            f"o-{number:017x}",
            list(range(EPOCH, EPOCH + int(hours * HOUR) + 1, every)),
            last=EPOCH + int(hours * HOUR),
        )
        for number, hours in enumerate(lengths)
    ]


def as_time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def run_at_once(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a function on trio, on a clock that jumps to the next deadline once nothing is running.

    ``MockClock`` can do that too, but treats a task that waits for a thread as one that sleeps.
    """
    clock = MockClock()
    results: list[Any] = []
    errors: list[Exception] = []

    async def drive() -> None:
        while True:
            await trio.testing.wait_all_tasks_blocked(0.0)
            if trio.testing.active_thread_count():
                await trio.testing.wait_all_threads_completed()
                continue
            seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
            if 0 < seconds < math.inf:
                clock.jump(seconds)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive)
            try:
                results.append(await scenario())
            except Exception as error:  # noqa: BLE001  # raised below, where no group wraps it
                errors.append(error)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)
    if errors:
        raise errors[0]
    return results[0]
