"""One caller's trouble is its own: what ends or misleads one wait leaves the others alone.

The places that are affected:

- an id that the service refuses, for ``wait``, ``wait_all`` and ``updates``, and for tasks that
  share a call with it,
- errors that concern all waits, whose reason is not looked for among the ids,
- a watcher that is used from another event loop or thread: ``wait``, ``updates`` and the block,
- an export whose description cannot be decoded, once or for good.

See test_patience for the clock and the credentials, test_time_outs_explain for time-outs.
"""

import json
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.to_thread import run_sync
from botocore.exceptions import ParamValidationError
from support.scripted import EVENT
from support.virtual import Call, VirtualService, collect, run_virtual, service_error

import aiodiscovery
from aiodiscovery import ExportUpdate, ExportWatcher
from aiodiscovery._client.answers import UndecodableAnswerError
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

virtual_only = pytest.mark.usefixtures("longest_delays")


def refusing(*bad: str, error: Exception | None = None) -> Callable[[Call], Exception | None]:
    """Refuse calls that ask for one of some ids."""
    refusal = error or service_error("InvalidParameterValueException")
    return lambda call: refusal if not set(bad).isdisjoint(call.ids) else None


# An id that the service refuses


@virtual_only
@pytest.mark.parametrize(
    "error",
    [
        service_error("InvalidParameterValueException"),
        service_error("InvalidParameterException"),
        service_error("ResourceNotFoundException"),
        service_error("SerializationException"),
        service_error("SomethingNew"),
        ParamValidationError(report="not an id"),
    ],
    ids=lambda error: str(error)[-40:],
)
def test_only_the_wait_for_what_is_refused_ends(error: Exception) -> None:
    caught: list[aiodiscovery.PollingError] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(250, duration=100)
        virtual.failing = refusing("no-id", error=error)

        async def wait_in_vain() -> None:
            with pytest.raises(aiodiscovery.PollingError, match="no-id") as raised:
                await watcher.wait("no-id")
            caught.append(raised.value)

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(wait_in_vain)
            for export_id in ids:
                tasks.start_soon(watcher.wait, export_id)

    run_virtual(scenario)
    assert [refused.job_ids for refused in caught] == [("no-id",)]
    assert caught[0].__cause__ is error


@virtual_only
def test_the_others_hear_as_early_as_without_it() -> None:
    def ends(*bad: str) -> dict[str, float]:
        found: dict[str, float] = {}

        async def scenario(client: Any, virtual: VirtualService) -> None:
            ids = virtual.add_exports(99, duration=40)
            virtual.failing = refusing(*bad)

            async def wait(export_id: str) -> None:
                await watcher.wait(export_id)
                found[export_id] = anyio.current_time()

            async def wait_in_vain(job_id: str) -> None:
                with pytest.raises(aiodiscovery.PollingError):
                    await watcher.wait(job_id)

            async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
                for export_id in ids:
                    tasks.start_soon(wait, export_id)
                for job_id in bad:
                    tasks.start_soon(wait_in_vain, job_id)

        run_virtual(scenario)
        return found

    assert ends("no-id", "nor-this") == ends()


@virtual_only
def test_finding_one_of_a_hundred_takes_few_calls() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(99, duration=0)
        virtual.failing = refusing("no-id")
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait_all, ids)
            with pytest.raises(aiodiscovery.PollingError):
                await watcher.wait("no-id")

    # Halves of halves: 100, 50, 25, 12, 6, 3, 1, and the rest of each.
    assert len(run_virtual(scenario).calls) <= 20


@virtual_only
def test_a_wait_for_several_names_the_one_that_is_refused() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(3)
        virtual.failing = refusing("no-id")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="for export no-id: Inv") as raised:
                await watcher.wait_all([*ids, "no-id"])
            assert raised.value.job_ids == ("no-id",)

    run_virtual(scenario)


@virtual_only
def test_an_iteration_goes_on_with_the_others() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good = virtual.add_export(duration=50)
        virtual.failing = refusing("no-id")
        seen: list[ExportUpdate] = []
        async with ExportWatcher(client) as watcher:
            updates = watcher.updates(["no-id", good])
            with pytest.raises(aiodiscovery.PollingError, match="no-id"):
                await collect(updates, seen)
            await collect(updates, seen)
        assert [update.status for update in seen] == ["IN_PROGRESS", "SUCCEEDED"]

    run_virtual(scenario)


@virtual_only
def test_what_concerns_everybody_is_not_searched_for_among_the_ids() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(100)
        virtual.failing = lambda call: service_error("AuthorizationErrorException")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError) as raised:
                await watcher.wait_all(ids)
            assert raised.value.job_ids == ()

    assert len(run_virtual(scenario).calls) == 1


def test_the_home_region_is_explained() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: service_error("HomeRegionNotSetException")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="home region; use that as region"):
                await watcher.wait("export-1")

    run_virtual(scenario)


@pytest.mark.anyio
async def test_on_each_event_loop_a_refusal_ends_one_wait_only(
    client: "Client", emulator: Emulator
) -> None:
    ids = emulator.add_exports(5, status="IN_PROGRESS", duration=None)

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if "no-id" in json.loads(params["body"]).get("exportIds", ()):
            raise service_error("InvalidParameterValueException")

    client.meta.events.register_first(EVENT, refuse)
    async with ExportWatcher(client, min_delay=0.02) as watcher, anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.wait_all, ids)
        with pytest.raises(aiodiscovery.PollingError, match="no-id"):
            await watcher.wait("no-id")
        for export_id in ids:
            emulator.finish_export(export_id)


# Another event loop or thread


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(exports=0, export_duration=None) as running:
        yield running


@pytest.mark.anyio
async def test_another_event_loop_is_refused_and_the_own_goes_on(
    client: "Client", emulator: Emulator, anyio_backend: str
) -> None:
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)

    def elsewhere() -> None:
        async def use() -> None:
            with pytest.raises(RuntimeError, match="another one, or another thread"):
                await watcher.wait(export_id)
            with pytest.raises(RuntimeError, match="another one, or another thread"):
                watcher.updates([export_id])
            with pytest.raises(RuntimeError, match="another one, or another thread"):
                await anext(begun)
            with pytest.raises(RuntimeError, match="another one, or another thread"):
                await begun.aclose()
            with pytest.raises(RuntimeError, match="another one, or another thread"):
                await watcher.__aexit__(None, None, None)

        anyio.run(use, backend=anyio_backend)

    async with ExportWatcher(client, min_delay=0.02) as watcher:
        begun = watcher.updates([export_id])
        assert (await anext(begun)).status == "IN_PROGRESS"
        await run_sync(elsewhere)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, export_id)
            emulator.finish_export(export_id)
        assert (await anext(begun)).status == "SUCCEEDED"


@pytest.mark.anyio
async def test_a_thread_without_an_event_loop_is_refused(client: "Client") -> None:
    async with ExportWatcher(client) as watcher:
        with pytest.raises(RuntimeError, match="event loop"):
            await run_sync(watcher.updates, ["export-1"])


# An export whose description cannot be decoded


@virtual_only
@pytest.mark.parametrize("until", [30, math.inf])
def test_an_export_that_cannot_be_decoded_harms_no_other(until: float) -> None:
    ends: dict[str, float | None] = {}
    named: list[Any] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(100, duration=40)
        bad = ids[42]
        error = UndecodableAnswerError("the answer cannot be used")
        virtual.failing = lambda call: error if bad in call.ids and call.time < until else None

        async def wait(export_id: str) -> None:
            try:
                await watcher.wait(export_id)
            except aiodiscovery.PollingError as caught:
                named.append((caught.job_ids, caught.__cause__))
                ends[export_id] = None
            else:
                ends[export_id] = anyio.current_time()

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for export_id in ids:
                tasks.start_soon(wait, export_id)
        assert named == ([] if until == 30 else [((bad,), error)])
        # It is asked for again for as long as an export that is not found.
        assert anyio.current_time() >= 60 or until == 30
        assert (ends.pop(bad) is None) == (until == math.inf)

    run_virtual(scenario)
    assert len(ends) == 99
    assert all(end is not None and end <= 51 for end in ends.values())
