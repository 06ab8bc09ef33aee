"""The display for a person at a terminal: live tables and bars.

Everything fits the width of the terminal. Live displays also fit its height, because a terminal
cannot redraw what it has scrolled away.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ._bars import Bars
from ._layout import GAP, Column, folded, laid_out, shorten
from ._text import one_line
from ._views import View
from ._words import (
    agent_words,
    clock,
    count,
    counts,
    field,
    remark,
    requested,
    truncated_remark,
    utc_now,
)

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import AgentInfoTypeDef, ExportInfoTypeDef

    from aiodiscovery import DownloadedExport

__all__ = ["TerminalView"]

_STYLES = {
    "IN_PROGRESS": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "HEALTHY": "green",
    "UNHEALTHY": "bold red",
}
#: How many times per second a terminal is redrawn.
_FRAMES = 10
#: The lines of a terminal that a live table takes beside its rows: its head, the counts below it
#: and that of the cursor.
_AROUND_ROWS = 3
#: The least widths of an id in a listing, of an id in a live table, and of a host name.
_LEAST_ID, _LEAST_LIVE_ID, _LEAST_HOST = 24, 12, 12
#: In a narrower terminal, a listing has each id on its own line, so that it can be copied.
_USUAL_WIDTH = 80


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the live table, for an export."""

    export_id: str
    info: "ExportInfoTypeDef | None" = None
    #: How many seconds it ran, once it has ended.
    ran: float | None = None

    @property
    def status(self) -> str:
        return "" if self.info is None else self.info["exportStatus"]

    @property
    def remark(self) -> str:
        return "" if self.info is None else remark(self.info)


class TerminalView(View):
    """Live tables and bars, for a person.

    :param console: the terminal on stdout.
    :param messages_apart: whether messages go to stderr, because that is not a terminal.
    :param seconds: returns the time from which rates are computed.
    """

    def __init__(
        self,
        console: Console,
        *,
        messages_apart: bool = False,
        now: Callable[[], datetime] = utc_now,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(now)
        self._console = console
        self._messages_apart = messages_apart
        self._live: Live | None = None
        self._listed: list[ExportInfoTypeDef] = []
        self._rows: dict[str, _Row] = {}
        self._bars = Bars(console, seconds)

    def message(self, text: str, style: str = "") -> None:
        if self._messages_apart:
            super().message(text)
        else:
            self._console.print(Text(one_line(text), style), soft_wrap=True)

    # Listings

    def agents(self, agents: "Collection[AgentInfoTypeDef]") -> None:
        if agents:
            words = [agent_words(agent, "%Y-%m-%d %H:%M") for agent in agents]
            ids, hosts, health, registered, seen = (
                list(column) for column in zip(*words, strict=True)
            )
            columns = [
                Column("Agent", ids),
                Column("Host", hosts, _LEAST_HOST, "end"),
                Column("Health", health, styles=_styles(health)),
                Column("Since", [time[:10] for time in registered]),
                Column("Last seen (UTC)", seen),
            ]
            self._print_listing(columns)
        self._print_dim(count(len(agents), "agent"))

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        self._listed += infos

    def list_ended(self, resume_token: str | None) -> None:
        infos = self._listed
        if infos:
            ids = [field(info, "exportId") for info in infos]
            statuses = [field(info, "exportStatus") for info in infos]
            remarks = [remark(info) for info in infos]
            columns = [
                Column("Export", ids, _LEAST_ID if self._console.width >= _USUAL_WIDTH else None),
                Column("Status", statuses, styles=_styles(statuses)),
                Column("Requested (UTC)", [requested(info, "%Y-%m-%d %H:%M:%S") for info in infos]),
            ]
            self._print_listing(columns, remarks)
        self._print_dim(_summary(infos))
        super().list_ended(resume_token)

    def _print_listing(self, columns: Sequence[Column], remarks: Sequence[str] = ()) -> None:
        """Print a table, with remarks in it or below it, or row by row in a narrow terminal."""
        if any(remarks) and self._print_table([*columns, Column("Message", remarks)]):
            return
        ids, *others = columns
        if self._print_table(columns):
            for text, more in zip(ids.cells, remarks, strict=False):
                if more:
                    self._print(folded(self._console, f"{text}: {more}", self._width))
            return
        for row, text in enumerate(ids.cells):
            self._console.print(Text(text), soft_wrap=True)  # in full, so that it can be copied
            words = (" " * GAP).join(column.cells[row] for column in others)
            for line in filter(None, (words, *remarks[row : row + 1])):
                for part in Text(line).wrap(self._console, max(8, self._width - GAP)):
                    part.rstrip()
                    self._print([Text(" " * GAP).append_text(part)])

    def _print_table(self, columns: Sequence[Column]) -> bool:
        """Print a table if it fits. Return whether it does."""
        lines = laid_out(columns, self._width)
        self._print(lines or ())
        return lines is not None

    def _print(self, lines: Sequence[Text]) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _print_dim(self, text: str) -> None:
        self._console.print(Text(text, "dim"), soft_wrap=True)

    @property
    def _width(self) -> int:
        return self._console.width

    # Watching

    def started(self, export_id: str) -> None:
        super().started(export_id)
        self._console.print(Text(f"Started {one_line(export_id)}."), soft_wrap=True)

    def watching(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        self._rows = {export_id: _Row(export_id) for export_id in export_ids}
        return self._show(self.table)

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        elapsed = self._elapsed(info)
        self._rows[info["exportId"]] = _Row(info["exportId"], info, elapsed)
        self._draw()

    def table(self) -> RenderableType:
        """Return the table of the watched exports in its current state."""
        rows = list(self._rows.values())
        room = len(rows)
        lives = self._live is not None and self._live.is_started
        if lives:
            room = max(1, self._console.height - _AROUND_ROWS)
        shown = rows
        if len(rows) > room:
            # Running exports are the most interesting, then those that FAILED.
            order = {"SUCCEEDED": 2, "FAILED": 1}
            shown = sorted(rows, key=lambda row: order.get(row.status, 0))[:room]
        lines, ids = self._table_of(shown)
        notes = [counts(row.status for row in rows)]
        if len(rows) > len(shown):
            notes.append(f"{len(rows) - len(shown)} not shown")
        elif ids is not None:
            # The messages that did not fit into the table, as far as there is room.
            folds = [
                folded(self._console, f"{export_id}: {row.remark}", self._width)
                for export_id, row in zip(ids, shown, strict=True)
                if row.remark
            ]
            left = room - len(shown) if lives else None
            hidden = 0
            for fold in folds:
                if left is None or len(fold) <= left:
                    lines += fold
                    left = None if left is None else left - len(fold)
                else:
                    hidden += 1
            if hidden:
                notes.append(f"{count(hidden, 'message')} not shown")
        # Narrower than the terminal, or the echo of Ctrl-C would wrap to another line.
        lines.append(Text(shorten(", ".join(notes), self._width - 3, "end"), "dim"))
        return Group(*lines)

    def _table_of(self, rows: Sequence[_Row]) -> tuple[list[Text], list[str] | None]:
        """Return the lines of a table, and the ids as shown there if its messages do not fit."""
        ids = [one_line(row.export_id) for row in rows]
        statuses = [field(row.info, "exportStatus") if row.info else "..." for row in rows]
        remarks = [row.remark for row in rows]
        status = Column("Status", statuses, styles=_styles(statuses))
        elapsed = Column("Elapsed", [self._elapsed_of(row) for row in rows], right=True)
        if any(remarks):
            columns = [Column("Export", ids), status, elapsed, Column("Message", remarks)]
            lines = laid_out(columns, self._width)
            if lines is not None:
                return lines, None
        for narrow in ((status, elapsed), (status,)):
            lines = laid_out([Column("Export", ids, _LEAST_LIVE_ID), *narrow], self._width)
            if lines is not None:
                width = self._width - sum(column.width + GAP for column in narrow)
                return lines, [shorten(id_, width) for id_ in ids]
        ids = [shorten(id_, self._width) for id_ in ids]
        return [Text(id_) for id_ in ids], ids

    def _elapsed_of(self, row: _Row) -> str:
        if row.info is None:
            return ""
        if row.status in ("SUCCEEDED", "FAILED"):
            return clock(row.ran)
        return clock(self._elapsed(row.info))

    # Downloading

    def downloading(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        self._bars.expect(len(export_ids))
        return self._show(self.bars)

    def bars(self) -> RenderableType:
        """Return the bars of the downloads in their current state."""
        return self._bars.render()

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        self._bars.advance(export_id, done, total)

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        self._bars.remove(export_id, succeeded=True)
        text = f"{export_id}: {done.size:,} bytes in {done.path}"
        if done.truncated:
            text = f"{text}  {truncated_remark(done.truncated)}"
        self._console.print(
            Text(one_line(text), "bold red" if done.truncated else ""), soft_wrap=True
        )

    def not_downloaded(self, export_id: str, reason: str) -> None:
        self._bars.remove(export_id, succeeded=False)
        super().not_downloaded(export_id, reason)

    # Live displays

    @property
    def size(self) -> tuple[int, int]:
        """The number of columns and lines of the terminal."""
        return self._console.width, self._console.height

    def living(self, render: Callable[[], RenderableType]) -> AbstractContextManager[object]:
        return self._show(render)

    async def keep_fresh(self) -> None:
        while True:
            self._draw()
            await anyio.sleep(1 / _FRAMES)

    def _draw(self) -> None:
        if self._live is not None:
            self._live.refresh()

    @contextmanager
    def _show(self, renderable: Callable[[], RenderableType]) -> Iterator[None]:
        # Drawn by keep_fresh(), so that all drawing happens in one thread.
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


def _styles(words: Sequence[str]) -> list[str]:
    return [_STYLES.get(word, "") for word in words]


def _summary(infos: "Sequence[ExportInfoTypeDef]") -> str:
    if not infos:
        return "There are no exports."
    return f"{count(len(infos), 'export')}: {counts(info['exportStatus'] for info in infos)}"
