"""Any mix of watching, cancelling, ending and outages: every wait ends once, and correctly."""

import math
from collections import Counter
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule
from support.virtual import Call, VirtualService, open_client, start_virtual_portal
from trio.testing import MockClock

import aiodiscovery
from aiodiscovery import ExportWatcher

OUTAGE = EndpointConnectionError(endpoint_url="virtual")
THROTTLING = ClientError({"Error": {"Code": "ThrottlingException"}}, "DescribeExportTasks")

timeouts = st.none() | st.integers(0, 600)


class Wait:
    """A task that waits, and everything that it received."""

    def __init__(self, export_ids: list[str], timeout: float | None) -> None:
        self.export_ids = export_ids
        self.timeout = timeout
        self.cancelled = False
        self.outcomes: list[Any] = []
        self.scope = anyio.CancelScope()

    async def run(self, watcher: ExportWatcher, watched: Counter[str]) -> None:
        watched.update(self.export_ids)
        try:
            with self.scope:
                if self.timeout is None and len(self.export_ids) % 2:
                    ended: dict[str, Any] = {}
                    async for update in watcher.updates(self.export_ids):
                        if update.status in {"SUCCEEDED", "FAILED"}:
                            assert update.export_id not in ended
                            ended[update.export_id] = update.info
                else:
                    ended = await watcher.wait_all(
                        self.export_ids, self.timeout, raise_on_failure=False
                    )
                self.outcomes.append(ended)
        except aiodiscovery.ExportTimeoutError as error:
            self.outcomes.append(error)
        finally:
            watched.subtract(self.export_ids)
        if self.scope.cancelled_caught:
            self.outcomes.append("cancelled")


class Watching(RuleBasedStateMachine):
    """A watcher in a separate event loop, whose time stands still between the rules."""

    exports = Bundle("exports")
    waits = Bundle("waits")

    @initialize(latency=st.sampled_from([0.0, 0.5, 5.0]), limit=st.integers(1, 4))
    def open(self, latency: float, limit: int) -> None:
        self.ends: dict[str, str] = {}
        self.all_waits: list[Wait] = []
        self.watched: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.clock = MockClock()
        self.virtual = VirtualService(latency=latency)
        self.virtual.on_call = self.check
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(start_virtual_portal(self.clock))
        client = self.stack.enter_context(
            self.portal.wrap_async_context_manager(open_client(self.virtual))
        )
        self.watcher = self.stack.enter_context(
            self.portal.wrap_async_context_manager(ExportWatcher(client, max_concurrency=limit))
        )

    def check(self, call: Call) -> None:
        if len(call.ids) > 100 or len(set(call.ids)) < len(call.ids):
            self.wrong.append(f"a call for {len(call.ids)} ids")
        self.wrong += [
            f"{export_id} polled for nobody"
            for export_id in call.ids
            if not self.watched[export_id]
        ]

    async def pass_time(self, seconds: float) -> None:
        self.clock.autojump_threshold = 0
        await anyio.sleep(seconds)
        self.clock.autojump_threshold = math.inf

    async def change(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    @rule(target=exports, count=st.sampled_from([1, 3, 120]))
    def add_exports(self, count: int) -> list[str]:
        added: list[str] = self.portal.call(self.change, self.virtual.add_exports, count)
        return added

    @rule(target=waits, several=st.lists(exports, min_size=1, max_size=3), timeout=timeouts)
    def watch(self, several: list[list[str]], timeout: float | None) -> Wait:
        ids = list(dict.fromkeys(export_id for group in several for export_id in group))
        wait: Wait = self.portal.call(self.change, Wait, ids, timeout)
        self.all_waits.append(wait)
        self.portal.start_task_soon(wait.run, self.watcher, self.watched)
        return wait

    @rule(wait=waits)
    def cancel(self, wait: Wait) -> None:
        wait.cancelled = True
        self.portal.call(self.change, wait.scope.cancel)

    @rule(group=consumes(exports), status=st.sampled_from(["SUCCEEDED", "FAILED"]))
    def end(self, group: list[str], status: str) -> None:
        for export_id in group:
            self.ends[export_id] = status
            self.portal.call(self.change, self.virtual.service.set_export_status, export_id, status)

    @rule(group=exports)
    def hold(self, group: list[str]) -> None:
        self.portal.call(self.change, self.virtual.service.set_export_status, group[0], "ON_HOLD")

    @rule(error=st.sampled_from([None, OUTAGE, THROTTLING]))
    def break_or_heal(self, error: Exception | None) -> None:
        self.virtual.failing = lambda call: error

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 10.0, 60.0, 1000.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.portal.call(self.pass_time, seconds)

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        with self.stack:
            self.virtual.failing = lambda call: None
            for export_id in self.portal.call(self.change, lambda: self.virtual.service.export_ids):
                if export_id not in self.ends:
                    self.end([export_id], "SUCCEEDED")
            # Longer than any time-out and any delay.
            self.portal.call(self.pass_time, 2000.0)
            for wait in self.all_waits:
                self.check_outcome(wait)
            calls = len(self.virtual.calls)
            self.portal.call(self.pass_time, 100_000.0)
            assert len(self.virtual.calls) == calls, "polled for nobody at the end"
            assert self.wrong == []

    def check_outcome(self, wait: Wait) -> None:
        (outcome,) = wait.outcomes
        if outcome == "cancelled":
            assert wait.cancelled
        elif isinstance(outcome, aiodiscovery.ExportTimeoutError):
            assert wait.timeout is not None
            assert {*outcome.ended, *outcome.pending} == set(wait.export_ids)
            assert outcome.pending
        else:
            statuses = {key: info["exportStatus"] for key, info in outcome.items()}
            assert statuses == {export_id: self.ends[export_id] for export_id in wait.export_ids}


Watching.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestWatching = pytest.mark.long(Watching.TestCase)
