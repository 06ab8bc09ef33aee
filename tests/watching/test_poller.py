"""The poller and the interests, each without the other."""

import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from support.virtual import VirtualService, fail_until, run_virtual, service_error

import aiodiscovery
from aiodiscovery._watching.jobs import EXPORTS
from aiodiscovery._watching.poller import Poller
from aiodiscovery._watching.schedule import Schedule
from aiodiscovery._watching.subscription import Subscription

pytestmark = pytest.mark.usefixtures("longest_delays")


class Listener:
    """An interest that notes what it receives, and when."""

    def __init__(self, *job_ids: str, deadline: float = math.inf) -> None:
        self.job_ids = job_ids
        self.deadline = deadline
        self.heard: list[tuple[float, str, str]] = []

    def see(self, job_id: str, info: Any, /) -> None:
        self.heard.append((anyio.current_time(), job_id, info["exportStatus"]))

    def miss(self, job_id: str, /) -> None:
        self.heard.append((anyio.current_time(), job_id, "missing"))

    def refuse(self, job_id: str, failure: Callable[[], aiodiscovery.WatchError], /) -> None:
        self.heard.append((anyio.current_time(), job_id, type(failure()).__name__))

    def fail(self, failure: Callable[[], aiodiscovery.WatchError], /) -> None:
        self.heard.append((anyio.current_time(), "", type(failure()).__name__))


def fail(error: BaseException) -> None:
    raise error


def run_poller(
    scenario: Callable[[Poller[Any], VirtualService], Any],
    crashed: Callable[[BaseException], None] = fail,
) -> VirtualService:
    """Run a scenario with a poller, which stops when the scenario ends."""

    async def main(client: Any, virtual: VirtualService) -> None:
        poller: Poller[Any] = Poller(
            client,
            EXPORTS,
            Schedule(10, 10, 0),
            max_rate=None,
            max_concurrency=4,
            not_found_timeout=60,
            crashed=crashed,
        )
        async with anyio.create_task_group() as tasks:
            poller.start(tasks.start_soon, "poller")
            await scenario(poller, virtual)
            tasks.cancel_scope.cancel()

    return run_virtual(main)


def test_an_interest_hears_of_its_jobs_until_they_have_ended() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        export_id, other = virtual.add_export(duration=15), virtual.add_export()
        interest, second = Listener(export_id), Listener(export_id, other)
        poller.want(interest)
        poller.want(second)
        await anyio.sleep(99)

        seen = [(0, export_id, "IN_PROGRESS"), (10, export_id, "IN_PROGRESS")]
        assert interest.heard == [*seen, (20, export_id, "SUCCEEDED")]
        assert [status for _, job_id, status in second.heard if job_id == other] == [
            "IN_PROGRESS"
        ] * 10

    virtual = run_poller(scenario)
    assert [len(call.ids) for call in virtual.calls] == [2, 2, 2] + [1] * 7


def test_a_released_interest_hears_nothing_and_is_not_polled_for() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        first, second = Listener(virtual.add_export()), Listener(virtual.add_export())
        poller.want(first)
        poller.want(second)
        await anyio.sleep(5)
        poller.release(first)
        poller.release_later(second)
        await anyio.sleep(99)

        assert len(first.heard) == len(second.heard) == 1

    assert len(run_poller(scenario).calls) == 1


def test_an_interest_hears_at_once_what_was_said_a_moment_ago() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        poller.want(Listener(export_id))
        await anyio.sleep(5)
        interest = Listener(export_id)
        poller.want(interest)

        assert interest.heard == [(5, export_id, "IN_PROGRESS")]

    run_poller(scenario)


def test_an_interest_has_a_last_poll_before_its_deadline_and_none_after() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        poller.want(Listener(virtual.add_export(), deadline=35))
        await anyio.sleep(99)

    assert [call.time for call in run_poller(scenario).calls] == [0, 10, 20, 30, 33]


def test_an_interest_hears_that_a_job_is_not_known() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        interest = Listener("export-x")
        poller.want(interest)
        await anyio.sleep(99)

        assert interest.heard == [(60, "export-x", "missing")]

    run_poller(scenario)


def test_a_refusal_ends_the_interests_there_were_and_the_poller_goes_on() -> None:
    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        virtual.failing = fail_until(5, service_error("AuthorizationErrorException"))
        export_id = virtual.add_export()
        refused, later = Listener(export_id), Listener(export_id)
        poller.want(refused)
        await anyio.sleep(5)
        poller.want(later)
        await anyio.sleep(1)

        assert refused.heard == [(0, "", "PollingError")]
        assert later.heard == [(5, export_id, "IN_PROGRESS")]

    run_poller(scenario)


def test_a_fault_of_the_program_is_told_as_a_crash() -> None:
    crashes: list[BaseException] = []
    fault = ZeroDivisionError()

    async def scenario(poller: Poller[Any], virtual: VirtualService) -> None:
        virtual.failing = lambda call: fault
        poller.want(Listener(virtual.add_export()))
        await anyio.sleep(5)

    run_poller(scenario, crashes.append)
    assert crashes == [fault]


@pytest.mark.anyio
async def test_a_wait_needs_nobody_who_asks_to_hear_and_tell() -> None:
    subscription = Subscription(EXPORTS, ("export-1", "export-2"), math.inf, of_updates=False)
    good: Any = {"exportId": "export-1", "exportStatus": "SUCCEEDED"}

    subscription.see("export-1", good)
    with pytest.raises(aiodiscovery.ExportTimeoutError) as timeout:
        subscription.result(5, raise_on_failure=True)
    subscription.miss("export-2")
    await subscription.wait_for_change()
    with pytest.raises(aiodiscovery.ExportNotFoundError) as not_found:
        subscription.result(5, raise_on_failure=True)

    assert timeout.value.pending == ("export-2",)
    assert not_found.value.ended == {"export-1": good}
