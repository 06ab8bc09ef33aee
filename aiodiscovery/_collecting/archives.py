"""Getting the archive of a window, and settling the state of the window."""

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.from_thread import check_cancelled
from anyio.to_thread import run_sync

from .._client import CALL_ERRORS, may_pass
from .._exports import download_export
from .._listing import describe_exports
from ..exceptions import DownloadError
from .desk import Desk
from .layout import (
    agent_file,
    arriving_file,
    discard,
    free_name,
    has_arrived,
    incoming_file,
    note_arrived,
    place,
    store,
    summary_file,
)
from .plan import MAX_TRIES, Contents, State, Verdict, assess
from .records import Record
from .results import Results, read_results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["Archives"]

#: How many archives are downloaded at once.
_DOWNLOADS = 4


class Archives:
    """Downloads archives, and settles the states of their windows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._limiter = anyio.CapacityLimiter(_DOWNLOADS)

    async def settle(self, record: Record, info: "ExportInfoTypeDef") -> Record:
        """Get the archive of an export that SUCCEEDED, and note what it means for its window.

        :return: what the ledger then has of the window. It is INTENDED again if the archive is of
            something else, and RUNNING if this collection cannot get it.
        """
        async with self._limiter:
            export_id = info["exportId"]
            directory = self._desk.directory
            path = incoming_file(directory, export_id)
            if not await run_sync(has_arrived, directory, export_id, check_cancelled):
                arriving = await run_sync(arriving_file, directory, export_id)
                failure = await self._download(info, arriving)
                if failure is not None:
                    return await self._not_downloaded(record, failure)
                await run_sync(note_arrived, directory, export_id)
            results = await run_sync(read_results, path, check_cancelled)
            if not results.is_of(record.kind, record.agent_id):
                await run_sync(discard, self._desk.directory, export_id)
                return await self._not_ours(record)
            return await self._keep(record, info, results)

    async def _download(self, info: "ExportInfoTypeDef", path: Any) -> str | None:
        """Download an archive. Return the reason if it cannot be downloaded."""
        desk, export_id = self._desk, info["exportId"]
        # A truncated archive is handled by the plan, and is no reason for a warning.
        source: Any = {**info, "isTruncated": False}
        failures = broken = 0
        while True:
            try:
                await download_export(
                    desk.client,
                    source,
                    path,
                    progress=partial(desk.tell_bytes, export_id),
                    http_client=desk.http_client,
                )
            except DownloadError as error:
                broken += 1
                if broken == MAX_TRIES:
                    return str(error)
                desk.tell(message=f"{error}; it is tried again")
            except CALL_ERRORS as error:
                if not may_pass(error):
                    raise
            else:
                return None
            failures += 1
            await anyio.sleep(desk.delay(failures))
            source = export_id

    async def _not_downloaded(self, record: Record, message: str) -> Record:
        desk = self._desk
        assert record.export_id is not None  # noqa: S101  # there was one to download
        known = await desk.persist(partial(describe_exports, desk.client, [record.export_id]))
        if not known:
            # The service does not keep exports forever.
            return await desk.write(desk.ledger.note_not_started, record)
        record = await desk.ask(desk.ledger.note_message, record, f"not downloaded: {message}")
        desk.book.give_up(record)
        desk.book.put(record)
        desk.tell(record)
        return record

    async def _not_ours(self, record: Record) -> Record:
        ledger = self._desk.ledger
        if record.is_adopted:
            return await self._desk.write(ledger.note_foreign, record, "it is of something else")
        message = f"the archive of export {record.export_id} is of something else"
        return await self._desk.write(ledger.note_failed, record, message)

    async def _keep(self, record: Record, info: "ExportInfoTypeDef", results: Results) -> Record:
        """Note what an archive means for its window, and name the archive if it is kept."""
        desk, export_id = self._desk, info["exportId"]
        path = incoming_file(desk.directory, export_id)
        truncated = results.truncated or bool(info.get("isTruncated"))
        message = None
        if record.agent_id is None:
            verdict = Verdict(State.DONE, None)
            wanted = summary_file(record.kind, _requested(info, record))
            if truncated:
                message = "truncated: the service left data out"
        else:
            window = record.window.range
            verdict = assess(window, Contents(truncated, results.has_data, results.actual))
            wanted = agent_file(record.agent_id, results.actual or verdict.covered or window)
        file = None
        if verdict.state in (State.DONE, State.TRUNCATED):
            name = await run_sync(free_name, desk.directory, wanted, export_id)
            file = await run_sync(store, path, name, check_cancelled)
        record = await desk.ask(
            desk.ledger.settle, record, verdict, actual=results.actual, file=file, message=message
        )
        # If we are killed from here on, the next collection names the archive.
        if file is not None:
            await run_sync(place, desk.directory, export_id, file)
        else:
            await run_sync(discard, desk.directory, export_id)
        desk.book.put(record)
        desk.tell(record)
        return record


def _requested(info: "Mapping[str, Any]", record: Record) -> float:
    """Return when an export was requested."""
    time = info.get("exportRequestTime")
    return time.timestamp() if time is not None else record.requested or 0.0
