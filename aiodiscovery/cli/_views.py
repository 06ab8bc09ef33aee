"""What is printed: an action tells a view what happened, and the view has a form for that.

``JsonView`` and ``PlainView`` are for scripts and logs, ``TerminalView`` for a person. Results go
to stdout, messages to stderr. Nothing here shows a download URL, but a listing as JSON.
"""

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from ._errors import one_line

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

    from aiodiscovery import DownloadedExport

__all__ = ["JsonView", "PlainView", "TerminalView", "View"]

_STYLES = {"IN_PROGRESS": "cyan", "SUCCEEDED": "green", "FAILED": "bold red"}
#: How often a second a terminal is drawn anew.
_FRAMES = 10
#: The lines of a terminal that a live table takes beside its rows: its head, the counts below it
#: and where the cursor is.
_AROUND_ROWS = 3
#: How wide the remarks in a table of a listing are at least, if they are not shorter.
_LEAST_REMARK = 20


def _now() -> datetime:
    return datetime.now(UTC)


class View:
    """What an action tells. This one shows messages only.

    :param now: gives the time, which exports' elapsed times are counted by.
    """

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        # Of which exports it is known when they ended: no status says that.
        self._seen_running: set[str] = set()

    def message(self, text: str, style: str = "") -> None:
        """Say something that is no result."""
        # Where nobody can hear it, the action goes on all the same.
        with suppress(OSError):
            _write(sys.stderr, one_line(text))

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        """Show exports of a listing, which follow the ones before."""

    def list_ended(self, resume_token: str | None) -> None:
        """Show what a listing has left, and the token to go on with if that is anything."""
        if resume_token is not None:
            _write(sys.stderr, f"Go on with: --starting-token {resume_token}")

    def started(self, export_id: str) -> None:
        """Show the id of an export that was started."""
        self._seen_running.add(export_id)

    def watching(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        """Show statuses within the block."""
        return nullcontext()

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        """Show a status that an export has, and the one it had before."""

    def downloading(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        """Show downloads within the block."""
        return nullcontext()

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        """Show how many bytes there are, of how many."""

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        """Show what was downloaded."""

    def not_downloaded(self, export_id: str, reason: str) -> None:
        """Show why something was not downloaded."""
        self.message(f"Error: export {export_id} was not downloaded: {reason}", "bold red")

    async def keep_fresh(self) -> None:
        """Draw what changes as time goes by, until this is cancelled."""

    def _elapsed(self, info: "ExportInfoTypeDef") -> float | None:
        """Return for how many seconds an export has run; None where it ended before it was seen."""
        if info["exportStatus"] not in ("SUCCEEDED", "FAILED"):
            self._seen_running.add(info["exportId"])
        if info["exportId"] not in self._seen_running:
            return None
        # The clock here may be behind that of the service.
        return max(0.0, (self._now() - info["exportRequestTime"]).total_seconds())


class JsonView(View):
    """An object a line, in the service's names, and nothing else on stdout."""

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        for info in infos:
            _write_json(info)

    def list_ended(self, resume_token: str | None) -> None:
        if resume_token is not None:
            _write_json({"NextToken": resume_token})

    def started(self, export_id: str) -> None:
        super().started(export_id)
        _write_json({"event": "started", "exportId": export_id})

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        fields = {
            name: value for name, value in info.items() if name != "configurationsDownloadUrl"
        }
        elapsed = self._elapsed(info)
        _write_json(
            {
                "event": "status",
                **fields,
                "previousStatus": previous,
                "elapsedSeconds": None if elapsed is None else round(elapsed, 1),
            }
        )

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        _write_json(
            {
                "event": "downloaded",
                "exportId": export_id,
                "path": str(done.path),
                "size": done.size,
                "isTruncated": done.truncated,
            }
        )

    def not_downloaded(self, export_id: str, reason: str) -> None:
        super().not_downloaded(export_id, reason)
        _write_json({"event": "notDownloaded", "exportId": export_id, "reason": one_line(reason)})


class PlainView(View):
    """Lines of text: results on stdout, how far a download is on stderr."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        super().__init__(now)
        self._tenths: dict[str, int] = {}

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        for info in infos:
            _write(sys.stdout, _line(info))

    def started(self, export_id: str) -> None:
        super().started(export_id)
        _write(sys.stdout, export_id)

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        elapsed = _clock(self._elapsed(info))
        _write_words(info["exportId"], f"{info['exportStatus']:<11}", elapsed, _remark(info))

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        tenths = 10 * done // total if total else 0
        if self._tenths.get(export_id) != tenths:
            self._tenths[export_id] = tenths
            whole = "?" if total is None else f"{total:,}"
            self.message(f"{export_id}  {done:,} of {whole} bytes")

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        _write_words(export_id, f"{done.size:,} bytes", str(done.path), _truncated(done.truncated))


@dataclass(frozen=True, slots=True)
class _Row:
    """What the live table shows of an export."""

    export_id: str
    info: "ExportInfoTypeDef | None" = None
    #: How long it ran, once it has ended.
    ran: float | None = None

    @property
    def status(self) -> str:
        return "" if self.info is None else self.info["exportStatus"]


class TerminalView(View):
    """Tables and bars that live, for a person.

    :param console: the terminal that is stdout.
    :param messages_apart: whether messages go to stderr, because that is no terminal.
    :param seconds: gives the time that rates are counted by.
    """

    def __init__(
        self,
        console: Console,
        *,
        messages_apart: bool = False,
        now: Callable[[], datetime] = _now,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(now)
        self._console = console
        self._messages_apart = messages_apart
        self._seconds = seconds
        self._live: Live | None = None
        self._listed: list[ExportInfoTypeDef] = []
        self._rows: dict[str, _Row] = {}
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def message(self, text: str, style: str = "") -> None:
        if self._messages_apart:
            super().message(text)
        else:
            self._console.print(Text(one_line(text), style), soft_wrap=True)

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        self._listed += infos

    def list_ended(self, resume_token: str | None) -> None:
        rows = [
            (
                info["exportId"],
                info["exportStatus"],
                f"{info['exportRequestTime']:%Y-%m-%d %H:%M:%S}",
                _remark(info),
            )
            for info in self._listed
        ]
        if not rows:
            self._console.print("There are no exports.")
        elif _room_for(rows) <= self._console.width:
            self._console.print(_table("Requested (UTC)", rows))
        else:
            # The terminal breaks them, and cuts nothing off.
            for info in self._listed:
                self._console.print(Text(_line(info)), soft_wrap=True)
        super().list_ended(resume_token)

    def started(self, export_id: str) -> None:
        super().started(export_id)
        self._console.print(Text(f"Started {export_id}."))

    def watching(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        self._rows = {each: _Row(each) for each in export_ids}
        return self._show(self.table)

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        elapsed = self._elapsed(info)
        self._rows[info["exportId"]] = _Row(info["exportId"], info, elapsed)
        self._draw()

    def table(self) -> RenderableType:
        """Return the table of the exports that are watched, as it is now."""
        rows = list(self._rows.values())
        statuses = [row.status for row in rows]
        room = len(rows)
        if self._live is not None and self._live.is_started:
            room = max(1, self._console.height - _AROUND_ROWS)
        # Those that go on are of most interest, then those that FAILED.
        order = {"SUCCEEDED": 2, "FAILED": 1}
        shown = rows
        if len(rows) > room:
            shown = sorted(rows, key=lambda row: order.get(row.status, 0))[:room]
        table = _table(
            "Elapsed",
            [
                (
                    row.export_id,
                    row.status or "...",
                    self._elapsed_of(row),
                    "" if row.info is None else _remark(row.info),
                )
                for row in shown
            ],
        )
        counts = [
            f"{statuses.count(status)} {words}"
            for status, words in (
                ("IN_PROGRESS", "in progress"),
                ("SUCCEEDED", "succeeded"),
                ("FAILED", "failed"),
            )
            if status in statuses
        ]
        if len(rows) > len(shown):
            counts.append(f"{len(rows) - len(shown)} not shown")
        return Group(table, Text(", ".join(counts), "dim"))

    def _elapsed_of(self, row: _Row) -> str:
        if row.info is None:
            return ""
        if row.status in ("SUCCEEDED", "FAILED"):
            return _clock(row.ran)
        return _clock(self._elapsed(row.info))

    def downloading(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            auto_refresh=False,
            expand=True,
            get_time=self._seconds,
        )
        self._tasks = {
            each: self._bars.add_task(each, start=False, total=None) for each in export_ids
        }
        return self._show(self.bars)

    def bars(self) -> RenderableType:
        """Return the bars of the downloads, as they are now."""
        assert self._bars is not None  # noqa: S101  # it is asked for after downloading()
        return self._bars.get_renderable()

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        assert self._bars is not None  # noqa: S101  # it is said within downloading()
        task = self._tasks[export_id]
        known = self._bars.tasks[task]
        if known.start_time is None or done < known.completed:
            # What was there already has taken no time, and does not count for the rate.
            self._bars.reset(task, completed=done, total=total)
        self._bars.update(task, completed=done, total=total)

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        if done.truncated:
            style, words = "bold red", _truncated(done.truncated)
        else:
            style, words = "", ""
        text = f"{export_id}: {done.size:,} bytes in {done.path}"
        self._console.print(Text(one_line(f"{text}  {words}"), style), soft_wrap=True)

    async def keep_fresh(self) -> None:
        while True:
            self._draw()
            await anyio.sleep(1 / _FRAMES)

    def _draw(self) -> None:
        if self._live is not None:
            self._live.refresh()

    @contextmanager
    def _show(self, renderable: Callable[[], RenderableType]) -> Iterator[None]:
        # Drawn by keep_fresh(), so that all of it happens in one thread.
        self._live = Live(
            get_renderable=renderable,
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with self._live:
                yield
        finally:
            self._live = None


def _table(time: str, rows: Sequence[tuple[str, str, str, str]]) -> Table:
    """Make a table of ids, statuses, times and remarks, the last only if there are any."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    has_remarks = any(remark for *_, remark in rows)
    # In one line: an id is there to be copied.
    table.add_column("Export", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column(time, justify="right", no_wrap=True)
    if has_remarks:
        table.add_column("Message")
    for export_id, status, text, remark in rows:
        cells = [Text(export_id), Text(status, _STYLES.get(status, "")), Text(text)]
        table.add_row(*cells, *([Text(remark)] if has_remarks else []))
    return table


def _room_for(rows: Sequence[tuple[str, str, str, str]]) -> int:
    """Return how wide a terminal must be for a table of these."""
    *widths, remark = (max(map(len, column)) for column in zip(*rows, strict=True))
    return sum(widths) + 2 * len(widths) + min(remark, _LEAST_REMARK)


def _line(info: "ExportInfoTypeDef") -> str:
    """Return an export of a listing as a line."""
    requested = f"{info['exportRequestTime']:%Y-%m-%dT%H:%M:%SZ}"
    return _words(info["exportId"], f"{info['exportStatus']:<11}", requested, _remark(info))


def _remark(info: "ExportInfoTypeDef") -> str:
    """Return what there is to say of an export beside its status."""
    if info["exportStatus"] == "FAILED":
        return one_line(info.get("statusMessage", ""))
    return _truncated(info.get("isTruncated", False))


def _truncated(truncated: bool) -> str:
    return "TRUNCATED: the service left data out" if truncated else ""


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _words(*words: str) -> str:
    return "  ".join(words).rstrip()


def _write_words(*words: str) -> None:
    _write(sys.stdout, _words(*words))


def _write_json(value: Mapping[str, Any]) -> None:
    _write(sys.stdout, json.dumps(value, default=_iso))


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
