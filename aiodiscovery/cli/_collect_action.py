"""The work of ``aiodiscovery collect``, with a client."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from anyio import from_thread
from anyio.to_thread import run_sync

import aiodiscovery
from aiodiscovery.exceptions import ArchiveError, CollectionTimeoutError

from ._collect_report import show_report
from ._collect_view import watch_collection
from ._errors import DONE, FAILED, TIMED_OUT
from ._run import Work
from ._settings import Settings
from ._words import count

__all__ = ["collect"]


async def collect(
    work: Work, *, directory: Path, tables: Path | None, options: Mapping[str, Any]
) -> int:
    """Collect into a directory, show what is there, and write the tables if asked for.

    :param options: further arguments of ``collect_exports``.
    """
    work.advice = lambda: (
        f"What has arrived is kept. To continue: {_again(work.settings, directory)}"
    )
    with watch_collection(work) as watched:
        try:
            report = await aiodiscovery.collect_exports(
                work.client, directory, progress=watched.progress, **options
            )
            timed_out = None
        except CollectionTimeoutError as error:
            report, timed_out = error.report, error
    show_report(work.view, report, as_json=work.settings.json)
    if timed_out is not None:
        work.view.message(
            f"Error: {timed_out}. To continue: {_again(work.settings, directory)}", "bold red"
        )
        return TIMED_OUT
    status = DONE if report.is_complete else FAILED
    if tables is not None and not await _write_tables(work, directory, tables):
        status = FAILED
    return status


def _again(settings: Settings, directory: Path) -> str:
    return settings.command("collect", str(directory))


async def _write_tables(work: Work, directory: Path, tables: Path) -> bool:
    """Write the tables of all archives. Return whether all could be written."""
    from aiodiscovery.tables import write_parquet  # noqa: PLC0415  # it needs the extra

    def check(done: int, total: int) -> None:
        from_thread.check_cancelled()

    try:
        files = await run_sync(partial(write_parquet, directory, tables, progress=check))
    except ArchiveError as error:
        for text in (str(error), *getattr(error, "__notes__", ())):
            work.view.message(f"Error: {text}", "bold red")
        return False
    written = sum(file.written for file in files)
    rows = sum({file.path: file.rows for file in files}.values())
    work.view.message(
        f"{count(rows, 'row')} in {count(len({file.path for file in files}), 'Parquet file')} "
        f"in {tables}, {written:,} of them new"
    )
    return True
