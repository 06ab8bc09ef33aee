"""One caller's trouble is his own: what ends or misleads one wait leaves the others alone.

The places that this touches:

- an id that the service refuses, for ``wait``, ``wait_all`` and ``updates``, and for tasks that
  share a call with it,
- errors that concern everybody, which are not searched for among the ids,
- a clock that was wrong once, or stays so,
- credentials that cannot be obtained for a while, or at all,
- a watcher that is used from another event loop or thread: ``wait``, ``updates`` and the block,
- a time-out while nobody answers: calls that fail, calls that hang,
- a process that was stopped when a last poll was due,
- an export whose description cannot be decoded, once or for good.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.to_thread import run_sync
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ParamValidationError,
)
from support.scripted import EVENT
from support.virtual import (
    Call,
    VirtualService,
    collect,
    fail_until,
    run_virtual,
    service_error,
)

import aiodiscovery
from aiodiscovery import BatchDeleteWatcher, ExportUpdate, ExportWatcher
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

    # Halves of halves: 100, 50, 25, 12, 6, 3, 1, and what is left over of each.
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


# The clock, and credentials


def signed_at_a_wrong_time(code: str, message: str) -> ClientError:
    error = service_error(code, 403)
    error.response["Error"]["Message"] = message
    return error


WRONG_TIMES = [
    signed_at_a_wrong_time("InvalidSignatureException", "Signature expired: 1 is now earlier than"),
    signed_at_a_wrong_time("InvalidSignatureException", "Signature not yet current: 9 is still"),
    signed_at_a_wrong_time("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"),
    signed_at_a_wrong_time("RequestExpired", "Request has expired."),
    signed_at_a_wrong_time("RequestTimeTooSkewed", "The difference is too large."),
]


@virtual_only
@pytest.mark.parametrize("error", WRONG_TIMES, ids=str)
def test_a_clock_that_was_wrong_once_ends_no_wait(error: ClientError) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = lambda call: error if 20 < call.time < 60 else None
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize("error", WRONG_TIMES, ids=str)
def test_a_clock_that_stays_wrong_is_named(error: ClientError) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = lambda call: error
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="clock of this machine"):
                await watcher.wait(export_id)
        assert 60 <= anyio.current_time() < 300

    run_virtual(scenario)


CREDENTIALS = CredentialRetrievalError(provider="custom-process", error_msg="secret")


@virtual_only
def test_credentials_that_are_away_for_a_while_end_no_wait() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = fail_until(1800, CREDENTIALS)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
def test_credentials_that_stay_away_are_explained() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: CREDENTIALS
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="credential_process") as raised:
                await watcher.wait("export-1")
        assert "secret" not in str(raised.value)
        assert anyio.current_time() >= 3600

    run_virtual(scenario)


UNREACHABLE = EndpointConnectionError(endpoint_url="https://discovery.invalid")


@virtual_only
@pytest.mark.parametrize("error", [WRONG_TIMES[0], CREDENTIALS], ids=["clock", "credentials"])
@pytest.mark.parametrize("before", [UNREACHABLE, service_error("ServiceUnavailable", 503)], ids=str)
def test_how_long_calls_failed_for_another_reason_does_not_count(
    error: Exception, before: Exception
) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        failures = iter([error])
        virtual.failing = lambda call: before if call.time < 5000 else next(failures, None)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize("error", [WRONG_TIMES[0], CREDENTIALS], ids=["clock", "credentials"])
def test_a_time_in_which_nobody_waited_does_not_count(error: Exception) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        failures = iter([error] * 3)
        virtual.failing = lambda call: next(failures, None)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=0.1)
            await anyio.sleep(86400)
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize(
    ("error", "advice"),
    [(WRONG_TIMES[0], "clock of this machine"), (CREDENTIALS, "credential_process")],
    ids=["clock", "credentials"],
)
def test_what_stays_ends_the_waits_for_what_is_asked_for_alone_too(
    error: Exception, advice: str
) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        undecodable = UndecodableAnswerError("what")
        virtual.failing = lambda call: undecodable if call.time < 20 else error
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match=advice):
                await watcher.wait(export_id, timeout=10_000)

    run_virtual(scenario)


@virtual_only
def test_without_patience_for_what_is_unknown_a_wrong_clock_is_waited_out_too() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = fail_until(20, WRONG_TIMES[0])
        async with ExportWatcher(client, not_found_timeout=0) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


def of_a_role(code: str, status: int = 400) -> ClientError:
    """Make an error of what credentials are asked for."""
    error = service_error(code, status)
    return ClientError(error.response, "AssumeRole")


@virtual_only
@pytest.mark.parametrize("code", ["ValidationError", "ResourceNotFoundException", "PackedPolicy"])
def test_what_the_source_of_the_credentials_refuses_is_no_id(code: str) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: of_a_role(code)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="credentials come from") as raised:
                await watcher.wait_all(["export-1", "export-2"])
        assert raised.value.job_ids == ()

    assert len(run_virtual(scenario).calls) == 1


@pytest.mark.anyio
async def test_what_the_source_of_the_credentials_does_not_know_is_no_task(
    client: "Client",
) -> None:
    def refuse(**_: Any) -> None:
        raise of_a_role("ResourceNotFoundException")

    client.meta.events.register(EVENT, refuse)

    async with BatchDeleteWatcher(client, not_found_timeout=0) as watcher:
        with pytest.raises(aiodiscovery.PollingError, match="credentials come from"):
            await watcher.wait("1")


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


# Time-outs while nobody answers


@virtual_only
def test_a_time_out_says_since_when_calls_fail_and_how() -> None:
    error = EndpointConnectionError(endpoint_url="http://virtual.invalid")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        virtual.failing = lambda call: error if call.time > 30 else None
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        message = str(raised.value)
        assert message.startswith(f"{export_id} has not ended within 100 s; calls have failed for ")
        assert "EndpointConnectionError" in message
        assert raised.value.__cause__ is error

    run_virtual(scenario)


@virtual_only
def test_a_time_out_says_that_nobody_has_answered() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError, match="has not answered yet"):
                await watcher.wait("export-1", timeout=100)

    run_virtual(scenario, latency=1000)


@virtual_only
def test_a_time_out_says_since_when_nobody_answers() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()

        async def wait(timeout: float, seconds: float) -> None:
            silence = f"the service has not answered for {seconds:.0f} s"
            with pytest.raises(aiodiscovery.ExportTimeoutError, match=silence):
                await watcher.wait(export_id, timeout)

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as group:
            group.start_soon(wait, 1000, 989.5)
            await anyio.sleep(5)
            virtual.latency = math.inf
            await anyio.sleep(500)
            group.start_soon(wait, 100, 594.5)  # it never was answered, as far as this one knows

    run_virtual(scenario)


@virtual_only
def test_a_last_poll_that_is_under_way_is_no_silence() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        assert str(raised.value) == f"{export_id} has not ended within 100 s"

    run_virtual(scenario, latency=3)


@virtual_only
def test_a_time_out_while_the_service_answers_says_nothing_of_that() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        virtual.failing = fail_until(10, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        assert str(raised.value) == f"{export_id} has not ended within 100 s"
        assert raised.value.__cause__ is None

    run_virtual(scenario)


# A process that was stopped


@pytest.mark.anyio
async def test_a_process_that_was_stopped_looks_once_more(
    client: "Client", emulator: Emulator
) -> None:
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)

    async with ExportWatcher(client, min_delay=0.1) as watcher:
        updates = watcher.updates([export_id])

        async def stop() -> None:
            # As SIGSTOP does: nothing of the process runs until all deadlines are over.
            await anext(updates)
            emulator.finish_export(export_id)
            time.sleep(1.0)  # noqa: ASYNC251  # on purpose

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            found = await watcher.wait(export_id, timeout=0.5)

    assert found["exportStatus"] == "SUCCEEDED"


@pytest.mark.anyio
async def test_after_that_look_it_times_out_as_ever(client: "Client", emulator: Emulator) -> None:
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)

    async with ExportWatcher(client, min_delay=0.1) as watcher:
        updates = watcher.updates([export_id])

        async def stop() -> None:
            await anext(updates)
            time.sleep(1.0)  # noqa: ASYNC251  # on purpose

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=0.5)


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
        # It is asked for again for as long as one that is not found.
        assert anyio.current_time() >= 60 or until == 30
        assert (ends.pop(bad) is None) == (until == math.inf)

    run_virtual(scenario)
    assert len(ends) == 99
    assert all(end is not None and end <= 51 for end in ends.values())
