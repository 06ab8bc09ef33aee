"""Only the service's own answers count, wherever the service is asked.

The kind of fault: an answer from elsewhere is taken for the service's. A portal's page, an empty
body, half a document or another server's JSON come with status 200. They were taken for an empty
page or "not found", or raised an unexpected exception. Every place that asks the service, and what
must happen there:

- ``get_paginator()``: pages, ``items()``, ``search()``, ``build_full_result()``, ``prefetch()`` of
  one listing, and of several requests for many ids: an error, and the page is still to come;
- ``describe_exports()``, with one request and with several: an error, never fewer exports;
- ``ExportWatcher``: ``wait()``, ``wait_all()``, ``updates()``; ``wait_for_exports()``;
  ``ImportWatcher``; ``BatchDeleteWatcher``: asked again, never "not found";
- ``start_export()``: an error, never a ``KeyError``;
- ``download_export()``: describing the export, and renewing its URL: an error;
- the command: an error and exit status 1;
- Airflow, which does all of this with the above: in ``tests/with_airflow``.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from support.clients import Maker
from support.command import environment
from support.downloads import names

import aiodiscovery
from aiodiscovery import BatchDeleteWatcher, ExportWatcher, ImportWatcher
from aiodiscovery._client import Backoff, error_code
from aiodiscovery.emulator import Emulator, ForeignKind

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

#: The answers with status 200.
FOREIGN: list[ForeignKind] = [
    "portal",
    "empty",
    "half",
    "bom",
    "object",
    "error",
    "null",
    "null-item",
    "array",
    "bytes",
]
#: One of each: not JSON, the beginning of JSON, JSON of something else, one bad item.
SOME: list[ForeignKind] = ["portal", "half", "object", "null-item"]
SHORT: dict[str, Any] = {"min_delay": 0.01, "max_delay": 0.02, "max_rate": None}


def listing(client: "Client") -> Any:
    paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
    return paginator.paginate(PaginationConfig={"PageSize": 10})


def ids_of(infos: Any) -> list[str]:
    return [export["exportId"] for export in infos]


async def the_pages(client: "Client", pages: Any) -> list[str]:
    return [export_id async for page in pages for export_id in ids_of(page["exportsInfo"])]


# Listings


@pytest.mark.parametrize("kind", FOREIGN)
async def test_in_place_of_a_page_it_is_an_error_and_the_page_is_still_the_next(
    any_client: "Client", emulator: Emulator, kind: ForeignKind
) -> None:
    emulator.inject_foreign_answer(kind, after=1)
    pages = listing(any_client)
    iterator = aiter(pages)
    first = await anext(iterator)
    token = pages.resume_token

    with pytest.raises(ResponseParserError):
        await anext(iterator)

    assert pages.resume_token == token == first["NextToken"]
    rest = [export_id async for page in iterator for export_id in ids_of(page["exportsInfo"])]
    assert ids_of(first["exportsInfo"]) + rest == list(emulator.export_ids)


async def collect_items(pages: Any) -> list[str]:
    return ids_of([item async for item in pages.items()])


async def collect_search(pages: Any) -> list[str]:
    return [export_id async for export_id in pages.search("exportsInfo[].exportId")]


async def collect_full(pages: Any) -> list[str]:
    return ids_of((await pages.build_full_result())["exportsInfo"])


async def collect_ahead(pages: Any) -> list[str]:
    async with pages.prefetch(3) as ahead:
        return ids_of([item async for item in ahead.items()])


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("collect", [collect_items, collect_search, collect_full, collect_ahead])
async def test_however_a_listing_is_read_it_does_not_end_there(
    any_client: "Client",
    emulator: Emulator,
    collect: Callable[[Any], Awaitable[list[str]]],
    kind: ForeignKind,
) -> None:
    emulator.inject_foreign_answer(kind, after=1)
    pages = listing(any_client)

    with pytest.raises(ResponseParserError):
        await collect(pages)

    assert pages.resume_token is not None
    assert await collect(pages) == list(emulator.export_ids)


async def test_items_go_on_where_they_stopped(any_client: "Client", emulator: Emulator) -> None:
    emulator.inject_foreign_answer("portal", after=1)
    items = listing(any_client).items()
    seen = [await anext(items) for _ in range(10)]

    with pytest.raises(ResponseParserError):
        await anext(items)

    assert ids_of(seen) + ids_of([item async for item in items]) == list(emulator.export_ids)


@pytest.mark.parametrize(
    "operation",
    [
        "describe_agents",
        "describe_continuous_exports",
        "describe_export_configurations",
        "describe_export_tasks",
        "describe_import_tasks",
        "describe_tags",
        "list_configurations",
    ],
)
@pytest.mark.parametrize("kind", ["portal", "object", "error"])
async def test_every_operation_is_listed_with_the_same_care(
    any_client: "Client", emulator: Emulator, operation: Any, kind: ForeignKind
) -> None:
    parameters: dict[str, Any] = {}
    if operation == "list_configurations":
        parameters["configurationType"] = "SERVER"
    pages: Any = aiodiscovery.get_paginator(any_client, operation).paginate(**parameters)
    whole = await pages.build_full_result()
    emulator.inject_foreign_answer(kind)

    with pytest.raises(ResponseParserError):
        await pages.build_full_result()

    (items,) = (value for value in whole.values() if isinstance(value, list))
    (again,) = (value for value in (await pages.build_full_result()).values())
    assert len(again) == len(items)


# Many exports


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("count", [50, 250])
async def test_describing_many_gives_all_or_an_error(
    maker: Maker, kind: ForeignKind, count: int
) -> None:
    with Emulator(exports=count) as emulator:
        async with maker.open(emulator) as client:
            emulator.inject_foreign_answer(kind, after=count // 100)

            with pytest.raises(ResponseParserError):
                await aiodiscovery.describe_exports(client, emulator.export_ids)

            found = await aiodiscovery.describe_exports(client, emulator.export_ids)
            assert list(found) == list(emulator.export_ids)


@pytest.mark.parametrize(
    "info", ["{}", '{"exportId": null}', '{"exportId": 7}', '{"exportId": ["export-1"]}']
)
async def test_an_export_without_an_id_is_not_another_that_is_missing(
    any_client: "Client", emulator: Emulator, info: str
) -> None:
    emulator.inject_foreign_answer(body=f'{{"exportsInfo": [{info}]}}', headers=AWS_JSON)

    with pytest.raises(ResponseParserError, match="something without exportId"):
        await aiodiscovery.describe_exports(any_client, ["export-1"])


AWS_JSON = {"Content-Type": "application/x-amz-json-1.1"}


# Waiting


async def by_wait(client: "Client", export_id: str) -> str:
    async with ExportWatcher(client, **SHORT) as watcher:
        return (await watcher.wait(export_id))["exportStatus"]


async def by_wait_all(client: "Client", export_id: str) -> str:
    async with ExportWatcher(client, **SHORT) as watcher:
        return (await watcher.wait_all([export_id]))[export_id]["exportStatus"]


async def by_updates(client: "Client", export_id: str) -> str:
    async with ExportWatcher(client, **SHORT) as watcher:
        return [update.status async for update in watcher.updates([export_id])][-1]


async def by_function(client: "Client", export_id: str) -> str:
    return (await aiodiscovery.wait_for_exports(client, [export_id], **SHORT))[export_id][
        "exportStatus"
    ]


@pytest.mark.parametrize("kind", [*SOME, "unavailable", "redirect"])
@pytest.mark.parametrize("wait", [by_wait, by_wait_all, by_updates, by_function])
async def test_a_wait_asks_again(
    any_client: "Client",
    emulator: Emulator,
    wait: Callable[..., Awaitable[str]],
    kind: ForeignKind,
) -> None:
    export_id = emulator.add_export(duration=0)
    emulator.inject_foreign_answer(kind, calls=3)

    assert await wait(any_client, export_id) == "SUCCEEDED"
    assert len(emulator.requests) >= 4


@pytest.mark.parametrize("status", [301, 302, 303, 304, 305, 307, 308, 399])
async def test_a_redirect_is_not_the_service_s_even_with_the_header_of_its_answers(
    any_client: "Client", emulator: Emulator, status: int
) -> None:
    export_id = emulator.add_export(duration=0)
    emulator.inject_foreign_answer("redirect", status=status, request_id=True, calls=3)

    assert await by_wait(any_client, export_id) == "SUCCEEDED"


@pytest.mark.parametrize("kind", [*SOME, "unavailable", "redirect"])
async def test_a_wait_for_an_import_asks_again(
    any_client: "Client", emulator: Emulator, kind: ForeignKind
) -> None:
    task_id = emulator.add_import_task(duration=0)
    emulator.inject_foreign_answer(kind, calls=3)

    async with ImportWatcher(any_client, **SHORT) as watcher:
        task = await watcher.wait(task_id)

    assert task.get("status") == "IMPORT_COMPLETE"


@pytest.mark.parametrize("kind", [*SOME, "unavailable", "redirect"])
async def test_a_wait_for_a_batch_delete_asks_again(
    any_client: "Client", emulator: Emulator, kind: ForeignKind
) -> None:
    task_id = emulator.add_batch_delete_task(duration=0)
    # This answer has no list to put a null in.
    emulator.inject_foreign_answer("portal" if kind == "null-item" else kind, calls=3)

    async with BatchDeleteWatcher(any_client, **SHORT) as watcher:
        task = await watcher.wait(task_id)

    assert task.get("status") == "COMPLETED"


WITHOUT_IDS = ["{}", '{"ID": null}', '{"ID": 7}', '{"ID": ["a"]}', '{"ID": {}}']


@pytest.mark.parametrize("item", WITHOUT_IDS)
async def test_an_export_without_an_id_makes_no_other_unknown(
    any_client: "Client", emulator: Emulator, item: str
) -> None:
    export_id = emulator.add_export(duration=0)
    body = f'{{"exportsInfo": [{item.replace("ID", "exportId")}]}}'
    emulator.inject_foreign_answer(body=body, headers=AWS_JSON, calls=3)

    assert await by_wait(any_client, export_id) == "SUCCEEDED"


@pytest.mark.parametrize("item", WITHOUT_IDS)
async def test_an_import_without_an_id_makes_no_other_unknown(
    any_client: "Client", emulator: Emulator, item: str
) -> None:
    task_id = emulator.add_import_task(duration=0)
    body = f'{{"tasks": [{item.replace("ID", "importTaskId")}]}}'
    emulator.inject_foreign_answer(body=body, headers=AWS_JSON, calls=3)

    async with ImportWatcher(any_client, **SHORT) as watcher:
        assert (await watcher.wait(task_id)).get("status") == "IMPORT_COMPLETE"


@pytest.mark.parametrize("body", ["{}", '{"exportsInfo": null}'])
async def test_an_empty_answer_of_the_service_is_that_it_does_not_know_an_export(
    any_client: "Client", emulator: Emulator, body: str
) -> None:
    export_id = emulator.add_export(duration=0)
    emulator.inject_foreign_answer(body=body, headers=AWS_JSON, request_id=True, calls=None)

    assert await aiodiscovery.describe_exports(any_client, [export_id]) == {}
    async with ExportWatcher(any_client, **SHORT, not_found_timeout=0.1) as watcher:
        with pytest.raises(aiodiscovery.ExportNotFoundError):
            await watcher.wait(export_id)


# Starting and downloading


@pytest.mark.parametrize("kind", SOME)
async def test_a_start_without_an_answer_is_an_error(
    any_client: "Client", emulator: Emulator, kind: ForeignKind
) -> None:
    emulator.inject_foreign_answer("portal" if kind == "null-item" else kind)

    with pytest.raises(ResponseParserError):
        await aiodiscovery.start_export(any_client)


@pytest.mark.parametrize("text", ["{}", '{"exportId": ""}', '{"exportId": 7}'])
async def test_a_start_without_an_id_is_an_error(
    any_client: "Client", emulator: Emulator, text: str
) -> None:
    emulator.inject_foreign_answer(body=text, headers=AWS_JSON, request_id=True)

    with pytest.raises(ResponseParserError, match="it has no exportId"):
        await aiodiscovery.start_export(any_client)


@pytest.mark.parametrize("kind", SOME)
async def test_a_download_whose_export_cannot_be_described_is_an_error(
    any_client: "Client", emulator: Emulator, tmp_path: Path, kind: ForeignKind
) -> None:
    pytest.importorskip("httpx2")
    export_id = emulator.add_export(duration=0)
    emulator.inject_foreign_answer(kind)

    with pytest.raises(ResponseParserError):
        await aiodiscovery.download_export(any_client, export_id, tmp_path)

    assert names(tmp_path) == []
    assert (await aiodiscovery.download_export(any_client, export_id, tmp_path)).size


@pytest.mark.parametrize("kind", ["portal", "object"])
async def test_a_download_waits_out_what_comes_in_place_of_a_fresh_url(
    any_client: "Client",
    emulator: Emulator,
    tmp_path: Path,
    kind: ForeignKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("httpx2")
    monkeypatch.setattr("aiodiscovery._exports.transfer._BACKOFF", Backoff(0.001, 0.001))
    export_id = emulator.add_export(duration=0)
    info = (await aiodiscovery.describe_exports(any_client, [export_id]))[export_id]
    emulator.inject_expired_url()
    emulator.inject_foreign_answer(kind)

    download = await aiodiscovery.download_export(any_client, info, tmp_path)

    assert download.path.read_bytes() == emulator.archive(export_id)


# Errors


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unavailable", None, "503"),
        ("redirect", None, "302"),
        ("portal", 403, "403"),
        ("portal", 511, "511"),
        ("bytes", 502, "502"),
        ("null", 500, "500"),
        ("array", 400, "400"),
        ("empty", 404, "404"),
    ],
)
async def test_an_error_of_another_server_has_its_status_for_a_code_and_none_of_its_text(
    any_client: "Client", emulator: Emulator, kind: ForeignKind, status: int | None, code: str
) -> None:
    emulator.inject_foreign_answer(kind, status=status, after=1)
    pages = listing(any_client)

    with pytest.raises(ClientError) as caught:
        await pages.build_full_result()

    assert error_code(caught.value) == code
    assert "guest network" not in str(caught.value)
    assert ids_of((await pages.build_full_result())["exportsInfo"]) == list(emulator.export_ids)


async def test_a_page_of_a_proxy_that_says_503_is_tried_again(
    anyio_backend: str, emulator: Emulator, session: AioSession
) -> None:
    emulator.inject_foreign_answer("unavailable", calls=2)

    async with aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client:
        found = await listing(client).build_full_result()

    assert ids_of(found["exportsInfo"]) == list(emulator.export_ids)


# The command


@pytest.mark.parametrize("kind", ["portal", "object", "error", "bytes"])
@pytest.mark.parametrize(
    "arguments", [("list",), ("start",), ("download", "export-1")], ids=" ".join
)
def test_the_command_says_that_something_else_answers(
    emulator: Emulator,
    kind: ForeignKind,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli = pytest.importorskip("aiodiscovery.cli")
    emulator.inject_foreign_answer(kind, calls=None)
    for name, value in environment(emulator).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["aiodiscovery", *arguments])

    status = cli.main()

    output, errors = capsys.readouterr()
    assert (status, output) == (1, "")
    assert "is not from the Application Discovery Service" in errors
