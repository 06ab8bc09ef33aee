"""Odd answers of the service: a wait outlasts them, whatever kind of job it is for.

The places: the content of a listing (no list, an item without an id, an id that is not text, a
token that is not text), the description of a single task, and the date of an answer.
"""

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from aiodiscovery import BatchDeleteWatcher, ExportWatcher, ImportWatcher, PollingError
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

SHORT: dict[str, Any] = {"min_delay": 0.01, "max_delay": 0.02, "max_rate": None}
AWS_JSON = {"Content-Type": "application/x-amz-json-1.1"}


def answer(emulator: Emulator, body: str, *, calls: int | None = 4, **headers: str) -> None:
    """Have the next calls answered with this, as the service would."""
    emulator.inject_foreign_answer(
        "empty", body=body, calls=calls, headers=AWS_JSON | headers, request_id=True
    )


LISTS = [
    "{}",
    '{"LIST": null}',
    '{"nextToken": "a"}',
    '{"LIST": [], "nextToken": 5}',
    '{"LIST": [{}]}',
    '{"LIST": [{"ID": null}]}',
    '{"LIST": [{"ID": 7}]}',
    '{"LIST": [{"ID": ["a"]}]}',
    '{"LIST": [{"ID": {"a": 1}}]}',
]


@pytest.mark.parametrize("body", LISTS)
async def test_a_wait_for_an_export_outlasts_an_odd_list(
    client: "Client", emulator: Emulator, body: str
) -> None:
    export_id = emulator.add_export(duration=0)
    answer(emulator, body.replace("LIST", "exportsInfo").replace("ID", "exportId"))

    with anyio.fail_after(10):
        async with ExportWatcher(client, **SHORT) as watcher:
            export = await watcher.wait(export_id)

    assert export["exportStatus"] == "SUCCEEDED"


@pytest.mark.parametrize("body", LISTS)
async def test_a_wait_for_an_import_outlasts_an_odd_list(
    client: "Client", emulator: Emulator, body: str
) -> None:
    task_id = emulator.add_import_task(duration=0)
    answer(emulator, body.replace("LIST", "tasks").replace("ID", "importTaskId"))

    with anyio.fail_after(10):
        async with ImportWatcher(client, **SHORT) as watcher:
            task = await watcher.wait(task_id)

    assert task.get("status") == "IMPORT_COMPLETE"


@pytest.mark.parametrize("body", ["{}", '{"task": null}', '{"task": {"taskId": "another"}}'])
async def test_a_wait_for_a_batch_delete_outlasts_an_odd_task(
    client: "Client", emulator: Emulator, body: str
) -> None:
    task_id = emulator.add_batch_delete_task(duration=0)
    answer(emulator, body.replace("}}", ', "status": "COMPLETED"}}'))

    with anyio.fail_after(10):
        async with BatchDeleteWatcher(client, **SHORT) as watcher:
            task = await watcher.wait(task_id)

    assert task.get("taskId") == task_id


async def test_an_export_without_an_id_is_not_another_that_is_unknown(
    client: "Client", emulator: Emulator
) -> None:
    export_id = emulator.add_export(duration=0)
    answer(emulator, '{"exportsInfo": [{"exportId": null}]}', calls=None)

    with anyio.fail_after(10):
        async with ExportWatcher(client, **SHORT, not_found_timeout=0.1) as watcher:
            with pytest.raises(PollingError, match="something without exportId") as caught:
                await watcher.wait(export_id)

    assert caught.value.job_ids == (export_id,)


@pytest.mark.parametrize("more", [', {"exportId": null}], "nextToken": "a"', '], "nextToken": 5'])
async def test_what_else_is_odd_withholds_no_export_that_came(
    client: "Client", emulator: Emulator, more: str
) -> None:
    answer(emulator, f'{{"exportsInfo": [{INFO}{more}}}', calls=None)

    with anyio.fail_after(10):
        async with ExportWatcher(client, **SHORT) as watcher:
            export = await watcher.wait("export-1")

    assert export["exportStatus"] == "SUCCEEDED"
    assert len(emulator.requests) == 1


INFO = json.dumps(
    {
        "exportId": "export-1",
        "exportStatus": "SUCCEEDED",
        "statusMessage": "",
        "exportRequestTime": 1.7e9,
    }
)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "today",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 99999999999999999999999 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
async def test_a_date_that_cannot_be_read_ends_no_wait(
    client: "Client", emulator: Emulator, date: str
) -> None:
    answer(emulator, f'{{"exportsInfo": [{INFO}]}}', Date=date)

    async with ExportWatcher(client, **SHORT) as watcher:
        export = await watcher.wait("export-1")

    assert export["exportStatus"] == "SUCCEEDED"


async def test_what_one_caller_does_to_an_answer_is_not_seen_by_another(
    client: "Client", emulator: Emulator
) -> None:
    task_id = emulator.add_batch_delete_task(duration=0)
    tasks: list[Any] = []

    async def wait() -> None:
        tasks.append(await watcher.wait(task_id))

    async with BatchDeleteWatcher(client, **SHORT) as watcher, anyio.create_task_group() as group:
        group.start_soon(wait)
        group.start_soon(wait)

    one, other = tasks
    lists = [name for name, value in one.items() if isinstance(value, list)]
    assert lists
    for name in lists:
        one[name].append("more")
        assert "more" not in other[name]
