"""The work and the output of ``aiodiscovery tables``."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from aiodiscovery.exceptions import ArchiveError

from ._errors import DONE, FAILED, explain
from ._layout import Column, laid_out
from ._logs import logger, logs_to
from ._settings import Settings
from ._text import one_line
from ._views import View, write
from ._words import count, joined

if TYPE_CHECKING:
    from aiodiscovery.tables import Archive, ArchivedExport, TableFile

__all__ = ["run"]

#: The formats of times, from the longest to the shortest. The last is for narrow terminals.
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
#: The least width of the names of tables.
_LEAST_NAME = 12


def run(
    paths: Sequence[Path], *, head: int | None, directory: Path | None, as_json: bool, debug: bool
) -> int:
    """Do the work of the command and return the exit status."""
    view = View()
    with logs_to(view, debug):
        try:
            with _ending_when_terminated():
                from aiodiscovery import tables  # noqa: PLC0415  # it needs the extra

                archives = tables.find_archives(paths)
                if not archives:
                    where = ", ".join(map(str, paths))
                    view.message(f"Error: there is no archive (*.zip) in {where}")
                    return FAILED
                if directory is not None:
                    return _write(view, archives, directory, as_json=as_json)
                if head is not None:
                    return _show_rows(view, archives, head, as_json=as_json)
                return _list(view, archives, as_json=as_json)
        except _TerminatedError:
            view.message("Terminated.")
            return 128 + signal.SIGTERM
        except (ImportError, OSError, ArchiveError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            logger.debug("details:", exc_info=error)
            text, status = _said(error)
            view.message(f"Error: {text}", "bold red")
            return status


def _said(error: Exception) -> tuple[str, int]:
    if isinstance(error, ImportError):
        return str(error), FAILED
    return explain(error, Settings())


class _TerminatedError(BaseException):
    """SIGTERM. Half-written files are removed on the way out, as on Ctrl-C."""


@contextmanager
def _ending_when_terminated() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise _TerminatedError

    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Work:
    """Archives that are processed one after the other, with a bar on a terminal."""

    def __init__(self, view: View, archives: Sequence[Path], doing: str) -> None:
        self._view = view
        self._archives = archives
        self._sizes = [path.stat().st_size for path in archives]
        self._doing = doing
        self.status = DONE
        #: Called with the number of bytes of the archive that are done.
        self.progress: Callable[[int, int], object] = lambda done, total: None

    def __iter__(self) -> Iterator[Path]:
        with self.bar() as update:
            before = 0
            for path, size in zip(self._archives, self._sizes, strict=True):
                self.progress = _moving(update, before)
                yield path
                before += size
                update(before)

    @contextmanager
    def bar(self) -> Iterator[Callable[[int], object]]:
        """Show a bar within the block, which is called with the number of bytes that are done."""
        console = Console(stderr=True)
        shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not shown,
            transient=True,
            expand=True,
        ) as bars:
            task = bars.add_task(self._doing, total=sum(self._sizes))
            yield lambda done: bars.update(task, completed=done)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Report what is wrong with archives, and continue."""
        try:
            yield
        except ArchiveError as error:
            for text in (str(error), *getattr(error, "__notes__", ())):
                self._view.message(f"Error: {text}", "bold red")
            self.status = FAILED


def _moving(update: Callable[[int], object], before: int) -> Callable[[int, int], object]:
    return lambda done, total: update(before + done)


# Listing


@dataclass(slots=True)
class _Listed:
    """The rows of a table in all archives."""

    rows: int = 0
    columns: dict[str, None] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    archives: list[str] = field(default_factory=list)


def _list(view: View, archives: Sequence[Path], *, as_json: bool) -> int:
    from aiodiscovery.tables import open_archive  # noqa: PLC0415

    found: dict[str, _Listed] = {}
    seen: set[str] = set()
    exports: dict[Path, ArchivedExport] = {}
    work = _Work(view, archives, "Reading")
    for path in work:
        with work.failing(), open_archive(path) as archive:
            digest = archive.sha256()
            if digest not in seen:
                seen.add(digest)
                exports[path] = archive.export
                _remark(archive, view)
                _count(archive, found, work)
    for path, export in exports.items():
        if export.lacks_data(exports.values()):
            view.message(f"Warning: {path} is truncated: the service left data out", "yellow")
    if as_json:
        for name, listed in found.items():
            _print_json(
                {
                    "table": name,
                    "rows": listed.rows,
                    "columns": list(listed.columns),
                    "agents": sorted(listed.agents),
                    "firstTime": listed.first,
                    "lastTime": listed.last,
                    "archives": listed.archives,
                }
            )
    elif found:
        _print_list(found)
    return work.status


def _remark(archive: "Archive", view: View) -> None:
    if archive.unread:
        names = ", ".join(archive.unread)
        view.message(f"Warning: {archive.path} has files that are not tables: {names}", "yellow")


def _count(archive: "Archive", found: dict[str, _Listed], work: _Work) -> None:
    """Count the rows of an archive, all of them or none."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    mine: dict[str, _Listed] = {}
    size = archive.path.stat().st_size
    for number, (name, table) in enumerate(archive.tables.items()):
        listed = mine[name] = _Listed()
        listed.columns = dict.fromkeys(table.columns)
        if table.member is not None:
            listed.archives.append(str(archive.path))
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        for batch in archive.batches(name):
            listed.rows += batch.num_rows
            if "agent_id" in table.columns:
                agents = pc.unique(batch.column("agent_id")).to_pylist()
                listed.agents.update(agent for agent in agents if agent is not None)
            for time in times:
                ends: Any = pc.min_max(batch.column(time)).as_py()
                _widen(listed, ends["min"], ends["max"])
        work.progress(size * (number + 1) // len(archive.tables), size)
    for name, listed in mine.items():
        _add(found.setdefault(name, _Listed()), listed)


def _widen(listed: _Listed, first: datetime | None, last: datetime | None) -> None:
    listed.first = min((time for time in (listed.first, first) if time), default=None)
    listed.last = max((time for time in (listed.last, last) if time), default=None)


def _add(whole: _Listed, part: _Listed) -> None:
    whole.rows += part.rows
    whole.columns |= part.columns
    whole.agents |= part.agents
    whole.archives += part.archives
    _widen(whole, part.first, part.last)


def _print_list(found: Mapping[str, _Listed]) -> None:
    if not _is_terminal():
        for name, listed in found.items():
            write(sys.stdout, _plain(name, listed))
        return
    console = Console(highlight=False)
    # Times are shortened before a name is.
    for form, least in [*((form, None) for form in _FORMS), (_FORMS[-1], _LEAST_NAME)]:
        lines = laid_out(_list_columns(found, form, least), console.width)
        if lines is not None:
            for line in lines:
                console.print(line)
            return
    for name, listed in found.items():
        console.print(Text(_plain(name, listed)), soft_wrap=True)


def _list_columns(found: Mapping[str, _Listed], form: str, least: int | None) -> list[Column]:
    tables = found.values()
    return [
        Column("Table", list(found), least=least),
        Column("Rows", [f"{table.rows:,}" for table in tables], right=True),
        Column("Columns", [f"{len(table.columns)}" for table in tables], right=True),
        Column("Agents", [f"{len(table.agents):,}" for table in tables], right=True),
        Column("From (UTC)", [_moment(table.first, form) for table in tables]),
        Column("To", [_moment(table.last, form) for table in tables]),
    ]


def _plain(name: str, listed: _Listed) -> str:
    form = "%Y-%m-%dT%H:%M:%SZ"
    return joined(
        name,
        count(listed.rows, "row"),
        count(len(listed.columns), "column"),
        count(len(listed.agents), "agent"),
        _moment(listed.first, form),
        _moment(listed.last, form),
    )


def _moment(time: datetime | None, form: str) -> str:
    return "-" if time is None else f"{time.astimezone(UTC):{form}}"


# Rows


def _show_rows(view: View, archives: Sequence[Path], head: int, *, as_json: bool) -> int:
    from aiodiscovery.tables import open_archive  # noqa: PLC0415

    left: dict[str, int] = {}
    status = DONE
    for path in archives:
        try:
            with open_archive(path) as archive:
                for name in archive.tables:
                    left.setdefault(name, head)
                    for row in _first_rows(archive, name, left[name]):
                        left[name] -= 1
                        number = head - left[name]
                        if as_json:
                            _print_json({"table": name, "archive": str(path), "row": row})
                        else:
                            _print_row(f"{name}, row {number}", row)
        except ArchiveError as error:
            view.message(f"Error: {error}", "bold red")
            status = FAILED
    return status


def _first_rows(archive: "Archive", name: str, most: int) -> Iterable[dict[str, Any]]:
    if most <= 0:
        return
    with archive.batches(name) as reader:
        for batch in reader:
            for row in batch.slice(0, most).to_pylist():
                yield {
                    column: value
                    for column, value in row.items()
                    if value is not None or column in archive.tables[name].columns
                }
            most -= batch.num_rows
            if most <= 0:
                return


def _print_row(title: str, row: Mapping[str, Any]) -> None:
    """Print a row with a line for each cell, because most tables have too many for columns."""
    console = Console(highlight=False) if _is_terminal() else None
    names = [one_line(name, 60) for name in row]
    width = max(map(cell_len, names))
    lines = [Text(title, "bold")]
    for name, value in zip(names, row.values(), strict=True):
        padded = name + " " * (width - cell_len(name))
        lines.append(Text(f"  {padded}  {_cell(value)}".rstrip()))
    lines.append(Text())
    for line in lines:
        if console is None:
            write(sys.stdout, line.plain)
        else:
            console.print(line, soft_wrap=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _moment(value, "%Y-%m-%d %H:%M:%S") + (f".{value:%f}" if value.microsecond else "")
    return one_line(value)


# Parquet


def _write(view: View, archives: Sequence[Path], directory: Path, *, as_json: bool) -> int:
    # Not an archive at a time, because one may have the data that another one lacks.
    from aiodiscovery.tables import write_parquet  # noqa: PLC0415

    files: dict[str, list[TableFile]] = {}
    work = _Work(view, archives, "Writing")

    def note(file: "TableFile") -> None:
        files.setdefault(file.table, []).append(file)
        if as_json:
            _print_json(
                {
                    "event": "written" if file.written else "kept",
                    "table": file.table,
                    "path": str(file.path),
                    "rows": file.rows,
                    "archive": str(file.archive),
                }
            )

    with work.bar() as update, work.failing():
        write_parquet(archives, directory, progress=lambda done, total: update(done), on_file=note)
    if files and not as_json:
        _print_written(files)
    return work.status


def _print_written(files: "Mapping[str, Sequence[TableFile]]") -> None:
    # The same archive may exist under two names, and has one file.
    rows = [sum({file.path: file.rows for file in found}.values()) for found in files.values()]
    paths = [len({file.path for file in found}) for found in files.values()]
    new = [sum(file.written for file in found) for found in files.values()]
    if not _is_terminal():
        for name, *numbers in zip(files, rows, paths, new, strict=True):
            words = [count(numbers[0], "row"), count(numbers[1], "file"), f"{numbers[2]:,} new"]
            write(sys.stdout, joined(name, *words))
        return
    columns = [Column("Table", list(files), least=_LEAST_NAME)] + [
        Column(title, [f"{number:,}" for number in numbers], right=True)
        for title, numbers in (("Rows", rows), ("Files", paths), ("New", new))
    ]
    console = Console(highlight=False)
    for line in laid_out(columns, console.width) or ():
        console.print(line)


# Output


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _print_json(value: Mapping[str, Any]) -> None:
    write(sys.stdout, json.dumps(value, default=_iso))


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
