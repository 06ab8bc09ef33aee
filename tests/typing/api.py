"""The public interface under mypy and pyright. This module is checked, never run.

A line that must be refused says why, for each of the two. If it is no longer refused, that is an
error itself.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_type

import httpx2
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient
from types_aiobotocore_discovery.literals import ExportStatusType
from types_aiobotocore_discovery.type_defs import (
    AgentInfoTypeDef,
    BatchDeleteConfigurationTaskTypeDef,
    ConfigurationTagTypeDef,
    ContinuousExportDescriptionTypeDef,
    ExportInfoTypeDef,
    ImportTaskTypeDef,
    PaginatorConfigTypeDef,
)

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def clients() -> None:
    async with aiodiscovery.create_client(
        session=get_session(), config=AioConfig(read_timeout=5), region_name="us-west-2"
    ) as client:
        assert_type(client, ApplicationDiscoveryServiceClient)


async def pages(client: ApplicationDiscoveryServiceClient) -> None:
    exports = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(
        exportIds=["export-1"],
        filters=[{"name": "agentIds", "values": ["o-1"], "condition": "EQUALS"}],
        PaginationConfig={"MaxItems": 250, "PageSize": 100, "StartingToken": "token"},
    )
    async for page in exports:
        assert_type(page["exportsInfo"], list[ExportInfoTypeDef])
        assert_type(page.get("NextToken"), str | None)
    assert_type(exports.resume_token, str | None)
    result = await exports.build_full_result()
    assert_type(result["exportsInfo"], list[ExportInfoTypeDef])
    assert_type(result.get("NextToken"), str | None)
    async for found in exports.search("exportsInfo[].exportId"):
        assert_type(found, Any)


async def items(client: ApplicationDiscoveryServiceClient) -> None:
    get = aiodiscovery.get_paginator
    exports = get(client, "describe_export_tasks").paginate().items()
    assert_type(exports, aiodiscovery.ResumableIterator[ExportInfoTypeDef])
    assert_type(exports.resume_token, str | None)
    async for agent in get(client, "describe_agents").paginate(agentIds=["o-1"]).items():
        assert_type(agent, AgentInfoTypeDef)
    async for continuous in get(client, "describe_continuous_exports").paginate().items():
        assert_type(continuous, ContinuousExportDescriptionTypeDef)
    async for old in get(client, "describe_export_configurations").paginate().items():
        assert_type(old, ExportInfoTypeDef)
    async for task in get(client, "describe_import_tasks").paginate().items():
        assert_type(task, ImportTaskTypeDef)
    async for tag in get(client, "describe_tags").paginate().items():
        assert_type(tag, ConfigurationTagTypeDef)
    servers = get(client, "list_configurations").paginate(configurationType="SERVER")
    async for server in servers.items():
        assert_type(server, dict[str, str])


async def slices(client: ApplicationDiscoveryServiceClient) -> None:
    paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
    token: str | None = None
    while True:
        pages = paginator.paginate(PaginationConfig={"MaxItems": 10, "StartingToken": token})
        async for _ in pages.items():
            pass
        token = pages.resume_token
        if token is None:
            break
    paginator.paginate(PaginationConfig={"MaxItems": None, "PageSize": None})
    botocores: PaginatorConfigTypeDef = {"PageSize": 10}
    paginator.paginate(PaginationConfig=botocores)


async def results(client: ApplicationDiscoveryServiceClient) -> None:
    get = aiodiscovery.get_paginator
    agents = await get(client, "describe_agents").paginate().build_full_result()
    assert_type(agents["agentsInfo"], list[AgentInfoTypeDef])
    continuous = await get(client, "describe_continuous_exports").paginate().build_full_result()
    assert_type(continuous["descriptions"], list[ContinuousExportDescriptionTypeDef])
    old = await get(client, "describe_export_configurations").paginate().build_full_result()
    assert_type(old["exportsInfo"], list[ExportInfoTypeDef])
    imports = await get(client, "describe_import_tasks").paginate().build_full_result()
    assert_type(imports["tasks"], list[ImportTaskTypeDef])
    tags = await get(client, "describe_tags").paginate().build_full_result()
    assert_type(tags["tags"], list[ConfigurationTagTypeDef])
    listing = get(client, "list_configurations").paginate(configurationType="SERVER")
    async with listing.prefetch() as ahead:
        servers = await ahead.build_full_result()
        assert_type(servers["configurations"], list[dict[str, str]])


async def one_of_several_operations(
    client: ApplicationDiscoveryServiceClient,
    operation: Literal["describe_tags", "describe_agents"],
) -> None:
    paginator: aiodiscovery.Paginator = aiodiscovery.get_paginator(client, operation)
    pages = paginator.paginate(filters=[])
    assert_type(pages.resume_token, str | None)


async def ahead(client: ApplicationDiscoveryServiceClient) -> None:
    exports = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate()
    async with exports.prefetch(pages=3) as ahead:
        async for page in ahead:
            assert_type(page["exportsInfo"], list[ExportInfoTypeDef])
        async for export in ahead.items():
            assert_type(export, ExportInfoTypeDef)
    described = await aiodiscovery.describe_exports(client, ["export-1"], max_concurrency=2)
    assert_type(described, dict[str, ExportInfoTypeDef])


def annotated(client: ApplicationDiscoveryServiceClient) -> aiodiscovery.Paginator:
    return aiodiscovery.get_paginator(client, "describe_export_tasks")


async def as_generator(client: ApplicationDiscoveryServiceClient) -> None:
    exports = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate()
    generator: AsyncGenerator[ExportInfoTypeDef, None] = exports.items()
    async with aclosing(generator) as closing:
        await anext(closing)


async def waiting(client: ApplicationDiscoveryServiceClient) -> None:
    async with aiodiscovery.ExportWatcher(
        client, min_delay=1, max_delay=60.0, max_concurrency=2, not_found_timeout=30
    ) as watcher:
        assert_type(watcher, aiodiscovery.ExportWatcher)
        assert_type(await watcher.wait("export-1", timeout=3600), ExportInfoTypeDef)
        assert_type(
            await watcher.wait_all(["export-1"], raise_on_failure=False),
            dict[str, ExportInfoTypeDef],
        )
        async for update in watcher.updates(iter(["export-1"])):
            assert_type(update, aiodiscovery.ExportUpdate)
            assert_type(update.status, ExportStatusType | str)
            assert_type(update.previous_status, ExportStatusType | str | None)
            assert_type(update.info, ExportInfoTypeDef)
    try:
        ended = await aiodiscovery.wait_for_exports(client, ["export-1"], 60, min_delay=1)
        assert_type(ended, dict[str, ExportInfoTypeDef])
    except aiodiscovery.ExportFailedError as error:
        assert_type(error.failed, Mapping[str, ExportInfoTypeDef])
    except aiodiscovery.ExportTimeoutError as error:
        assert_type(error.pending, Sequence[str])


async def waiting_for_other_jobs(client: ApplicationDiscoveryServiceClient) -> None:
    async with aiodiscovery.ImportWatcher(client) as imports:
        assert_type(await imports.wait("import-task-1"), ImportTaskTypeDef)
        async for update in imports.updates(["import-task-1"]):
            assert_type(update, aiodiscovery.JobUpdate[ImportTaskTypeDef])
            assert_type(update.job_id, str)
            assert_type(update.info, ImportTaskTypeDef)
    async with aiodiscovery.BatchDeleteWatcher(client, max_delay=30) as deletes:
        assert_type(await deletes.wait_all(["1"]), dict[str, BatchDeleteConfigurationTaskTypeDef])
    try:
        raise NotImplementedError
    except aiodiscovery.JobFailedError as error:
        assert_type(error.failed, Mapping[str, Any])
    except aiodiscovery.JobNotFoundError as error:
        assert_type(error.job_ids, Sequence[str])


async def starting_and_downloading(client: ApplicationDiscoveryServiceClient) -> None:
    export_id = await aiodiscovery.start_export(
        client,
        agent_id="o-1",
        start_time=datetime(2026, 1, 5, tzinfo=UTC),
        end_time="2026-01-06T00:00:00Z",
        preferences={"ec2RecommendationsPreferences": {"enabled": True}},
    )
    assert_type(export_id, str)
    info = (await aiodiscovery.wait_for_exports(client, [export_id]))[export_id]
    async with httpx2.AsyncClient(proxy="http://proxy.example") as http_client:
        done = await aiodiscovery.download_export(
            client, info, Path("exports"), progress=print, http_client=http_client
        )
    assert_type(done, aiodiscovery.DownloadedExport)
    assert_type(done.path, Path)
    assert_type(done.size, int)
    assert_type(done.truncated, bool)
    try:
        await aiodiscovery.download_export(client, export_id, "exports")
    except aiodiscovery.ExportNotSucceededError as error:
        assert_type(error.export_status, str)
    except aiodiscovery.DownloadError as error:
        assert_type(error.status_code, int | None)


def wrong(client: ApplicationDiscoveryServiceClient, operation: str) -> None:
    tasks = aiodiscovery.get_paginator(client, "describe_export_tasks")
    tasks.paginate(exportIDs=["export-1"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    tasks.paginate(PaginationConfig={"StartingToken": 7})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
    tasks.paginate(nextToken="token")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    aiodiscovery.get_paginator(client, "describe_nonsense")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    aiodiscovery.get_paginator(client, "start_export_task")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    aiodiscovery.get_paginator(client, operation)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    aiodiscovery.ExportWatcher(client, delay=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    tasks.paginate(PaginationConfig={"maxItems": 1})  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportArgumentType]


async def wrong_tokens(client: ApplicationDiscoveryServiceClient) -> None:
    tasks = aiodiscovery.get_paginator(client, "describe_export_tasks")
    async for page in tasks.paginate():
        page["nextToken"]  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues]
        token = page.get("nextToken")
        tasks.paginate(PaginationConfig={"StartingToken": token})  # type: ignore[typeddict-item]


def emulator() -> None:
    with Emulator(exports=3) as running:
        assert_type(running.endpoint_url, str)
        aiodiscovery.create_client(**running.client_kwargs)
