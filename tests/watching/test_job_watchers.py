"""Import tasks and batch-delete tasks, watched like exports: the same engine, other statuses."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest

import aiodiscovery
from aiodiscovery import BatchDeleteWatcher, ImportWatcher
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

# Delays short enough for a test, which does not depend on timing.
FAST: dict[str, Any] = {"min_delay": 0.02, "max_delay": 0.2, "max_rate": None}


class Kind(NamedTuple):
    watcher: Callable[..., Any]
    add: Callable[[Emulator], str]
    running: str
    done: str
    failed: str


KINDS = {
    "imports": Kind(
        ImportWatcher,
        lambda emulator: emulator.add_import_task(),
        "IMPORT_IN_PROGRESS",
        "IMPORT_COMPLETE",
        "IMPORT_FAILED_SERVER_LIMIT_EXCEEDED",
    ),
    "batch deletes": Kind(
        BatchDeleteWatcher,
        lambda emulator: emulator.add_batch_delete_task(),
        "INITIALIZING",
        "COMPLETED",
        "FAILED",
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(export_duration=None) as running:
        yield running


async def test_a_task_is_watched_from_its_start_to_its_end(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    task_id = kind.add(emulator)
    updates: list[tuple[str, str | None, str]] = []

    async with kind.watcher(client, **FAST) as watcher:
        async for update in watcher.updates([task_id]):
            updates.append((update.job_id, update.previous_status, update.status))
            emulator.set_task_status(task_id, kind.done)

    assert updates == [(task_id, None, kind.running), (task_id, kind.running, kind.done)]


async def test_what_the_service_says_in_the_end_is_returned(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    ids = [kind.add(emulator) for _ in range(3)]
    for task_id in ids:
        emulator.set_task_status(task_id, kind.done)

    async with kind.watcher(client) as watcher:
        found = await watcher.wait_all(ids)
        one = await watcher.wait(ids[1])

    assert list(found) == ids
    assert [task["status"] for task in found.values()] == [kind.done] * 3
    assert one == found[ids[1]]


async def test_a_task_that_fails_is_an_error_that_says_its_status(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    good, bad = kind.add(emulator), kind.add(emulator)
    emulator.set_task_status(good, kind.done)
    emulator.set_task_status(bad, kind.failed)

    async with kind.watcher(client) as watcher:
        with pytest.raises(aiodiscovery.JobFailedError, match=f"{bad} failed: {kind.failed}") as e:
            await watcher.wait_all([good, bad])
        both = await watcher.wait_all([good, bad], raise_on_failure=False)

    assert (list(e.value.failed), list(e.value.succeeded)) == ([bad], [good])
    assert list(both) == [good, bad]


async def test_a_task_that_does_not_end_is_a_time_out(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    task_id = kind.add(emulator)
    async with kind.watcher(client, **FAST) as watcher:
        with pytest.raises(aiodiscovery.JobTimeoutError, match="not ended within") as caught:
            await watcher.wait(task_id, timeout=0.1)
    assert caught.value.pending == (task_id,)


async def test_a_task_that_the_service_does_not_know_is_an_error(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    async with kind.watcher(client, **FAST, not_found_timeout=0.1) as watcher:
        with pytest.raises(aiodiscovery.JobNotFoundError, match="does not know") as caught:
            await watcher.wait("0123abcd-0000-0000-0000-000000000000")
    assert caught.value.job_ids == ("0123abcd-0000-0000-0000-000000000000",)


async def test_a_task_that_was_just_started_may_be_missing_for_a_moment(
    session: Any, anyio_backend: str, kind: Kind
) -> None:
    with Emulator(import_tasks=0, export_duration=0.1, visibility_delay=0.3) as emulator:
        async with (
            aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client,
            kind.watcher(client, **FAST) as watcher,
        ):
            if kind.watcher is ImportWatcher:
                started: Any = await client.start_import_task(name="a", importUrl="s3://a/b.csv")
                task_id = started["task"]["importTaskId"]
            else:
                started = await client.start_batch_delete_configuration_task(
                    configurationType="SERVER", configurationIds=["d-server-1"]
                )
                task_id = started["taskId"]
            assert (await watcher.wait(task_id))["status"] == kind.done


@pytest.mark.parametrize(
    "fault",
    [
        lambda emulator: emulator.inject_throttling(calls=8),
        lambda emulator: emulator.inject_server_error(calls=8),
        lambda emulator: emulator.inject_dropped_connection(calls=8),
    ],
)
async def test_a_wait_outlasts_what_passes(
    client: "Client",
    emulator: Emulator,
    kind: Kind,
    fault: Callable[[Emulator], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.01)  # botocore's own retries, too
    task_id = kind.add(emulator)
    emulator.set_task_status(task_id, kind.done)
    fault(emulator)
    async with kind.watcher(client, **FAST) as watcher:
        assert (await watcher.wait(task_id))["status"] == kind.done


async def test_an_error_that_cannot_get_better_ends_the_wait(
    client: "Client", emulator: Emulator, kind: Kind
) -> None:
    emulator.inject_error("AuthorizationErrorException", "not for you", calls=None)
    async with kind.watcher(client, **FAST) as watcher:
        with pytest.raises(aiodiscovery.PollingError, match=r"tasks: AuthorizationErrorException"):
            await watcher.wait("task-1")


async def test_one_call_asks_for_a_hundred_import_tasks(
    client: "Client", emulator: Emulator
) -> None:
    ids = [emulator.add_import_task(duration=0) for _ in range(150)]
    async with ImportWatcher(client) as watcher, anyio.create_task_group() as tasks:
        for task_id in ids:
            tasks.start_soon(watcher.wait, task_id)

    asked = [request.parameters["filters"][0]["values"] for request in emulator.requests]
    assert sorted(map(len, asked)) == [50, 100]
    assert {task_id for ids in asked for task_id in ids} == set(ids)


async def test_many_tasks_that_wait_for_one_batch_delete_share_its_call(
    client: "Client", emulator: Emulator
) -> None:
    task_id = emulator.add_batch_delete_task(duration=0)
    async with BatchDeleteWatcher(client) as watcher, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(watcher.wait, task_id)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("status", "succeeds"),
    [
        ("IMPORT_COMPLETE_WITH_ERRORS", True),
        ("IMPORT_FAILED", False),
        ("IMPORT_FAILED_SOMEHOW_NEW", False),
        ("INTERNAL_ERROR", False),
        ("DELETE_COMPLETE", False),
        ("DELETE_FAILED_LIMIT_EXCEEDED", False),
    ],
)
async def test_an_import_has_succeeded_only_where_something_was_imported(
    client: "Client", emulator: Emulator, status: str, succeeds: bool
) -> None:
    task_id = emulator.add_import_task(duration=0, outcome=status)
    async with ImportWatcher(client) as watcher:
        if succeeds:
            assert (await watcher.wait(task_id)).get("status") == status
        else:
            with pytest.raises(aiodiscovery.JobFailedError, match=status):
                await watcher.wait(task_id)


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "IMPORT_SOMETHING_NEW"])
async def test_a_status_that_is_not_known_for_an_end_is_none(
    client: "Client", emulator: Emulator, status: str
) -> None:
    task_id = emulator.add_import_task(duration=None)
    emulator.set_task_status(task_id, status)
    async with ImportWatcher(client, **FAST) as watcher:
        seen: list[str] = []
        async for update in watcher.updates([task_id]):
            seen.append(update.status)
            emulator.set_task_status(task_id, "IMPORT_COMPLETE")
    assert seen == [status, "IMPORT_COMPLETE"]


async def test_no_url_of_an_import_is_in_a_repr(client: "Client", emulator: Emulator) -> None:
    task_id = emulator.add_import_task(duration=0)
    async with ImportWatcher(client) as watcher:
        (update,) = [update async for update in watcher.updates([task_id])]
    assert update.info.get("importUrl", "").startswith("s3://")
    assert "s3://" not in repr(update)
    assert repr(update).startswith("JobUpdate(job_id='import-task-")


async def test_bad_ids_are_refused(client: "Client", emulator: Emulator, kind: Kind) -> None:
    async with kind.watcher(client) as watcher:
        with pytest.raises(ValueError, match="task ids are strings of 1 to 200"):
            await watcher.wait("")
        with pytest.raises(ValueError, match="task ids must be several, not one str"):
            await watcher.wait_all("task-1")
    assert not emulator.requests
