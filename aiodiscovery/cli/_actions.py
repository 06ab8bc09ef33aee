"""What the commands do. They tell a view what happens and return the exit status."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import aiodiscovery
from aiodiscovery.exceptions import (
    DownloadError,
    ExportNotFoundError,
    ExportTimeoutError,
    WatchError,
)

from ._errors import DONE, FAILED, explain
from ._run import Work
from ._settings import Delays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["download", "list_exports", "start", "watch"]

#: How many archives to download at the same time.
_DOWNLOADS = 4
#: For how many seconds the service may not know an export that is watched, because somebody has
#: started it just now, and one that was started here.
_UNKNOWN, _UNKNOWN_LOCAL, _UNKNOWN_YET = 10.0, 0.5, 60.0
#: A start that is sent again, because its answer was lost, starts another export.
_ONCE = Config(retries={"total_max_attempts": 1})
#: How many ids a command line that is proposed has at most.
_PROPOSED_IDS = 5


async def list_exports(
    work: Work,
    *,
    export_ids: Sequence[str],
    max_items: int | None,
    page_size: int | None,
    starting_token: str | None,
) -> int:
    """List exports, all or those with these ids."""
    view = work.view
    parameters: dict[str, Any] = {"exportIds": list(export_ids)} if export_ids else {}
    config: Any = {"MaxItems": max_items, "PageSize": page_size, "StartingToken": starting_token}
    pages = aiodiscovery.get_paginator(work.client, "describe_export_tasks").paginate(
        **parameters, PaginationConfig=config
    )
    missing = dict.fromkeys(export_ids)
    can_go_on = False
    try:
        async for page in pages:
            infos = _infos(page)
            for info in infos:
                missing.pop(info["exportId"], None)
            view.listed(infos)
            can_go_on = True
    except BrokenPipeError:
        can_go_on = False
        raise
    finally:
        # After an error and Ctrl-C too: what was shown need not be asked for again.
        if can_go_on:
            view.list_ended(pages.resume_token)
    if missing and pages.resume_token is None and starting_token is None:
        view.message(f"The service does not know {', '.join(missing)}.")
    return DONE


async def watch(
    work: Work,
    *,
    export_ids: Iterable[str],
    timeout: float | None,  # noqa: ASYNC109  # a last poll precedes it
    delays: Delays,
) -> int:
    """Watch exports until they have ended; without ids, those that are in progress."""
    ids = tuple(dict.fromkeys(export_ids)) or await _in_progress(work)
    if not ids:
        work.view.message("No export is in progress.")
        return DONE
    work.advice = lambda: f"The exports go on: {_watch_command(work, ids)}"
    not_found_timeout = _UNKNOWN_LOCAL if work.settings.local else _UNKNOWN
    ended = await _watch(work, ids, timeout, delays, not_found_timeout=not_found_timeout)
    return _status(work, ended, len(ids))


async def start(
    work: Work,
    *,
    parameters: "Mapping[str, Any]",
    wait: bool,
    timeout: float | None,  # noqa: ASYNC109  # a last poll precedes it
    delays: Delays,
    directory: Path | None,
) -> int:
    """Start an export; if asked for, wait for it and download it."""
    work.advice = lambda: f"It may have been started: {work.settings.command('list')}"
    async with aiodiscovery.create_client(**work.client_kwargs, config=_ONCE) as client:
        export_id = await aiodiscovery.start_export(client, **parameters)
    work.advice = lambda: f"Export {export_id} goes on: {_watch_command(work, (export_id,))}"
    work.view.started(export_id)
    if not wait:
        return DONE
    ended = await _watch(work, (export_id,), timeout, delays, not_found_timeout=_UNKNOWN_YET)
    status = _status(work, ended, 1)
    if status == DONE and directory is not None:
        status = await _download(work, ended, directory)
    return status


async def download(work: Work, *, export_ids: Iterable[str], destination: Path) -> int:
    """Download the archives of exports; what fails keeps none of the others back."""
    ids = tuple(dict.fromkeys(export_ids))
    infos = await aiodiscovery.describe_exports(work.client, ids)
    for each in ids:
        if each not in infos:
            work.view.not_downloaded(
                each,
                f"the service does not know it. Those it knows: {work.settings.command('list')}",
            )
    status = await _download(work, infos, destination)
    return status if len(infos) == len(ids) else FAILED


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

    :raises ResponseParserError: if another server than the service has answered. botocore takes
        even HTML for a page, one of nothing.
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
    """Show what becomes of exports, and return those that have ended.

    :raises WatchError: if not all have; those that FAILED have ended.
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
            # What a last poll before the time-out has found.
            if shown.get(export_id) != info["exportStatus"]:
                view.status(info, shown.get(export_id))
    if error is not None:
        raise error
    return ended


def _status(work: Work, ended: "Mapping[str, ExportInfoTypeDef]", count: int) -> int:
    """Return the exit status that ended exports lead to, and say so if it is a bad one."""
    failed = [info for info in ended.values() if info["exportStatus"] != "SUCCEEDED"]
    if not failed:
        return DONE
    first = failed[0]
    text = f"export {first['exportId']}: {first.get('statusMessage', 'no message')}"
    work.view.message(f"Error: {len(failed)} of {count} FAILED, {text}", "bold red")
    return FAILED


def _watch_command(work: Work, export_ids: Sequence[str]) -> str:
    return work.settings.command("watch", *(export_ids if len(export_ids) <= _PROPOSED_IDS else ()))


async def _download(work: Work, infos: "Mapping[str, ExportInfoTypeDef]", destination: Path) -> int:
    view = work.view
    if len(infos) <= _PROPOSED_IDS:
        again = work.settings.command("download", *infos, "--to", str(destination))
    else:
        again = "the same command again"
    work.advice = lambda: f"What has come is kept. Go on with: {again}"
    status = DONE
    limiter = anyio.CapacityLimiter(_DOWNLOADS)

    async def download_one(export_id: str, info: "ExportInfoTypeDef") -> None:
        nonlocal status
        progress = partial(view.progress, export_id)
        async with limiter:
            try:
                done = await aiodiscovery.download_export(
                    work.client, info, destination, progress=progress
                )
            except BrokenPipeError:
                raise
            except (BotoCoreError, ClientError, DownloadError, OSError) as error:
                status = FAILED
                view.not_downloaded(export_id, explain(error)[0])
                return
        view.downloaded(export_id, done)

    with view.downloading(infos.keys()):
        async with anyio.create_task_group() as tasks:
            for export_id, info in infos.items():
                tasks.start_soon(download_one, export_id, info)
    return status
