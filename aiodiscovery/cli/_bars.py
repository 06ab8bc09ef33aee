"""The bars of downloads: one line each, and below them the number that is done."""

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.progress import (
    DownloadColumn,
    Progress,
    Task,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ._layout import shorten
from ._text import one_line

__all__ = ["Bars"]

#: The least width of numbers, so that the columns do not move: "999.9/999.9 MB", "999.9 MB/s"
#: and "0:00:00".
_BYTES, _RATE, _LEFT = 14, 10, 7
#: The least widths of an id and a bar, and the width of a bar from which it is worth showing.
_LEAST_ID, _LEAST_BAR, _GOOD_BAR = 12, 6, 16
#: The lines of a terminal that are taken beside the bars: the count, and that of the cursor.
_AROUND_BARS = 2


class Bars:
    """The downloads that are under way, and the numbers of those that have ended.

    :param seconds: returns the time from which rates are computed.
    """

    def __init__(self, console: Console, seconds: Callable[[], float] | None) -> None:
        self._console = console
        # It only counts. The drawing is done here.
        self._progress = Progress(console=console, auto_refresh=False, get_time=seconds)
        self._tasks: dict[str, TaskID] = {}
        self._expected = self._succeeded = self._failed = 0

    def expect(self, number: int) -> None:
        """Start over, with a number of downloads to come."""
        self._expected, self._succeeded, self._failed = number, 0, 0

    def advance(self, export_id: str, done: int, total: int | None) -> None:
        """Note the number of bytes that have arrived, and the total."""
        task = self._tasks.get(export_id)
        if task is None:
            task = self._progress.add_task(one_line(export_id), start=False, total=None)
            self._tasks[export_id] = task
        known = self._task(task)
        if known.start_time is None or done < known.completed:
            # Bytes that were already there took no time, and do not count for the rate.
            self._progress.reset(task, completed=done, total=total)
        self._progress.update(task, completed=done, total=total)

    def remove(self, export_id: str, *, succeeded: bool) -> None:
        """Note that a download has ended."""
        if succeeded:
            self._succeeded += 1
        else:
            self._failed += 1
        task = self._tasks.pop(export_id, None)
        if task is not None:
            self._progress.remove_task(task)

    def render(self) -> RenderableType:
        """Return the bars in their current state."""
        room = max(1, self._console.height - _AROUND_BARS)
        tasks = [self._task(task_id) for task_id in list(self._tasks.values())[:room]]
        text = f"{self._succeeded} of {self._expected} downloaded"
        if self._failed:
            text += f", {self._failed} failed"
        # Narrower than the terminal, or the echo of Ctrl-C would wrap to another line.
        summary = Text(shorten(text, self._console.width - 3, "end"), "dim")
        return Group(self._grid(tasks), summary) if tasks else summary

    def _task(self, task_id: TaskID) -> Task:
        return next(task for task in self._progress.tasks if task.id == task_id)

    def _grid(self, tasks: list[Task]) -> Table:
        cells = [
            (
                DownloadColumn().render(task),
                TransferSpeedColumn().render(task),
                TimeRemainingColumn().render(task),
            )
            for task in tasks
        ]
        widths = [
            max(least, *(cell_len(row[index].plain) for row in cells))
            for index, least in enumerate((_BYTES, _RATE, _LEFT))
        ]
        width = self._console.width
        names = max(cell_len(task.description) for task in tasks)
        # In a narrow terminal the bar goes first, then the rate, then the time left.
        shown, has_bar = [0, 1, 2], True
        left = width - sum(widths[index] + 1 for index in shown)
        if left < _LEAST_ID + 1 + _LEAST_BAR:
            has_bar = False
        for dropped in (1, 2):
            if left < _LEAST_ID:
                shown.remove(dropped)
                left += widths[dropped] + 1
        bar = min(_GOOD_BAR, left - 1 - _LEAST_ID) if has_bar else 0
        name = max(1, min(names, left - (bar + 1 if has_bar else 0)))
        if has_bar:
            bar = left - 1 - name
        grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        grid.add_column(width=name, no_wrap=True)
        if has_bar:
            grid.add_column(width=bar, no_wrap=True)
        for index in shown:
            grid.add_column(width=widths[index], justify="right", no_wrap=True)
        for task, row in zip(tasks, cells, strict=True):
            begun = [Text(shorten(task.description, name))]
            bars = [ProgressBar(task.total, task.completed, bar, pulse=task.total is None)]
            grid.add_row(*begun, *(bars if has_bar else ()), *(row[index] for index in shown))
        return grid
