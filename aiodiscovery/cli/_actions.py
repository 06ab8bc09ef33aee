"""The work of the commands. They tell a view what happens, and return the exit status."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from botocore.parsers import ResponseParserError

import aiodiscovery
from aiodiscovery.exceptions import (
    ExportNotFoundError,
    ExportTimeoutError,
    WatchError,
)

from ._errors import DONE, FAILED, explain_download, leaf
from ._logs import logger
from ._run import Work
from ._settings import Delays
from ._words import field, remark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["download", "start", "watch"]

#: How many archives to download at the same time.
_DOWNLOADS = 4
#: How many seconds the service may not know an export: one that is watched, because it may have
#: been started just now, and one that was started here.
_UNKNOWN, _UNKNOWN_LOCAL, _UNKNOWN_YET = 10.0, 0.5, 60.0
#: How many ids a suggested command line has at most.
_PROPOSED_IDS = 5


async def watch(
    work: Work,
    *,
    export_ids: Sequence[str] | None,
    timeout: float | None,  # noqa: ASYNC109  # a last poll precedes it
    delays: Delays,
    directory: Path | None = None,
) -> int:
    """Watch exports until they have ended. Without ids, watch those that are in progress.

    With a directory, then download those that SUCCEEDED, even if others failed.
    """
    ids = tuple(await _in_progress(work) if export_ids is None else export_ids)
    if not ids:
        what = "No export is in progress." if export_ids is None else "Standard input has no ids."
        work.view.message(what)
        return DONE
    work.seen_exports += ids
    work.advice = lambda: f"The exports keep running: {_watch_command(work, ids)}"
    not_found_timeout = _UNKNOWN_LOCAL if work.settings.local else _UNKNOWN
    error: WatchError | None = None
    try:
        ended = await _watch(work, ids, timeout, delays, not_found_timeout=not_found_timeout)
    except (ExportNotFoundError, ExportTimeoutError) as caught:
        error, ended = caught, dict(caught.ended)
    status = _status(work, ended, len(ids))
    if directory is not None:
        succeeded = {export_id: info for export_id, info in ended.items() if _has_succeeded(info)}
        if succeeded and await _download(work, succeeded, directory) != DONE:
            status = FAILED
    if error is not None:
        raise error
    return status


async def start(
    work: Work,
    *,
    parameters: "Mapping[str, Any]",
    wait: bool,
    timeout: float | None,  # noqa: ASYNC109  # a last poll precedes it
    delays: Delays,
    directory: Path | None,
) -> int:
    """Start an export. If asked for, wait for it and download it."""
    newest = work.settings.command("list", "--sort", "newest", "--max-items", "5")
    work.advice = lambda: f"It may have been started: {newest}"
    export_id = await aiodiscovery.start_export(work.client, **parameters)
    work.seen_exports.append(export_id)
    work.advice = lambda: f"{export_id} keeps running: {_watch_command(work, (export_id,))}"
    work.view.started(export_id)
    if not wait:
        return DONE
    ended = await _watch(work, (export_id,), timeout, delays, not_found_timeout=_UNKNOWN_YET)
    status = _status(work, ended, 1)
    if status == DONE and directory is not None:
        status = await _download(work, ended, directory)
    return status


async def download(work: Work, *, export_ids: Sequence[str] | None, destination: Path) -> int:
    """Download the archives of exports. A failure does not keep the others back."""
    if not export_ids:
        work.view.message("Standard input has no ids.")
        return DONE
    infos = await aiodiscovery.describe_exports(work.client, export_ids)
    work.seen_exports += infos
    status = DONE if len(infos) == len(export_ids) else FAILED
    for export_id in export_ids:
        if export_id not in infos:
            known = work.settings.command("list")
            work.view.not_downloaded(
                export_id, f"the service does not know it. To see the exports it knows: {known}"
            )
    if infos and await _download(work, infos, destination) != DONE:
        status = FAILED
    return status


async def _in_progress(work: Work) -> tuple[str, ...]:
    pages = aiodiscovery.get_paginator(work.client, "describe_export_tasks").paginate()
    running = [
        info["exportId"]
        async for page in pages
        for info in _infos(page)
        if info["exportStatus"] == "IN_PROGRESS"
    ]
    return tuple(running)


def _infos(page: "Mapping[str, Any]") -> "list[ExportInfoTypeDef]":
    """Return the exports of a page.

    :raises ResponseParserError: if something other than the service has answered. botocore takes
        even HTML for an empty page.
    """
    if "exportsInfo" not in page:
        raise ResponseParserError("there is no exportsInfo in the answer")
    infos: list[ExportInfoTypeDef] = page["exportsInfo"]
    return infos


async def _watch(
    work: Work,
    export_ids: Sequence[str],
    timeout: float | None,  # noqa: ASYNC109  # a last poll precedes it
    delays: Delays,
    *,
    not_found_timeout: float,
) -> "dict[str, ExportInfoTypeDef]":
    """Show the statuses of exports, and return those that have ended.

    :raises WatchError: if not all have ended. Exports that FAILED have ended.
    """
    view = work.view
    shown: dict[str, str] = {}

    async def show(watcher: aiodiscovery.ExportWatcher) -> None:
        updates = watcher.updates(export_ids)
        while True:
            try:
                async for update in updates:
                    view.status(update.info, shown.get(update.export_id))
                    shown[update.export_id] = update.status
            except ExportNotFoundError:
                continue  # with the others
            except WatchError:
                pass  # the wait raises it too
            return

    error: WatchError | None = None
    ended: dict[str, ExportInfoTypeDef] = {}
    with view.watching(export_ids):
        async with (
            aiodiscovery.ExportWatcher(
                work.client,
                min_delay=delays.shortest,
                max_delay=delays.longest,
                # Only this process calls its own emulator, so calls need not be limited.
                max_rate=None if work.settings.local else 1.0,
                not_found_timeout=not_found_timeout,
            ) as watcher,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(show, watcher)
            try:
                ended = await watcher.wait_all(export_ids, timeout, raise_on_failure=False)
            except ExportTimeoutError as caught:
                error, ended = caught, dict(caught.ended)
                tasks.cancel_scope.cancel()
            except WatchError as caught:
                error = caught
        for export_id, info in ended.items():
            # Ended according to the last poll before the time-out.
            if shown.get(export_id) != info["exportStatus"]:
                view.status(info, shown.get(export_id))
    if error is not None:
        raise error
    return ended


def _has_succeeded(info: "ExportInfoTypeDef") -> bool:
    return info["exportStatus"] == "SUCCEEDED"


def _status(work: Work, ended: "Mapping[str, ExportInfoTypeDef]", total: int) -> int:
    """Return the exit status for ended exports, and report failures."""
    failed = [info for info in ended.values() if not _has_succeeded(info)]
    if not failed:
        return DONE
    first = failed[0]
    text = f"{field(first, 'exportId')}: {remark(first) or 'no reason given'}"
    if total == 1:
        work.view.message(f"Error: the export failed: {text}", "bold red")
    else:
        work.view.message(f"Error: {len(failed)} of {total} exports failed: {text}", "bold red")
    return FAILED


def _watch_command(work: Work, export_ids: Sequence[str]) -> str:
    return work.settings.command("watch", *(export_ids if len(export_ids) <= _PROPOSED_IDS else ()))


async def _download(work: Work, infos: "Mapping[str, ExportInfoTypeDef]", destination: Path) -> int:
    view = work.view
    if len(infos) <= _PROPOSED_IDS:
        again = work.settings.command("download", *infos, "--to", str(destination))
    else:
        again = "the same command again"
    work.advice = lambda: f"What has arrived is kept. To continue: {again}"
    status = DONE
    limiter = anyio.CapacityLimiter(_DOWNLOADS)

    async def download_one(export_id: str, info: "ExportInfoTypeDef") -> None:
        nonlocal status
        progress = partial(view.progress, export_id)
        reason = _no_archive(work, info)
        if reason is None:
            async with limiter:
                try:
                    done = await aiodiscovery.download_export(
                        work.client, info, destination, progress=progress
                    )
                except BrokenPipeError:
                    raise
                except Exception as error:  # noqa: BLE001  # an error of one export only
                    logger.debug("details:", exc_info=error)
                    reason = explain_download(leaf(error), export_id, work.settings)
                else:
                    view.downloaded(export_id, done)
                    return
        status = FAILED
        view.not_downloaded(export_id, reason)

    with view.downloading(infos.keys()):
        async with anyio.create_task_group() as tasks:
            for export_id, info in infos.items():
                tasks.start_soon(download_one, export_id, info)
    return status


def _no_archive(work: Work, info: "ExportInfoTypeDef") -> str | None:
    """Return why an export has no archive; None if it should have one."""
    match info["exportStatus"]:
        case "SUCCEEDED":
            return None
        case "FAILED":
            return f"the export failed: {remark(info) or 'no reason given'}"
        case "IN_PROGRESS":
            again = work.settings.command("watch", info["exportId"])
            return f"it is still in progress. To wait for it: {again}"
    return f"its status is {field(info, 'exportStatus')}"
