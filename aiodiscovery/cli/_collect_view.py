"""The display of a collection while it runs."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ._layout import shorten
from ._run import Work
from ._terminal import TerminalView
from ._text import one_line
from ._views import View, write
from ._words import clock, joined

if TYPE_CHECKING:
    from aiodiscovery import CollectedWindow, CollectionProgress

__all__ = ["Watched", "watch_collection"]

_LONG, _SHORT = "%Y-%m-%dT%H:%M:%SZ", "%m-%d %H:%M"
#: The states of a window, in words.
_STATES = {
    "planned": "to be started again",
    "intended": "starting",
    "running": "running",
    "done": "done",
    "empty": "no data",
    "split": "truncated, asked for in halves",
    "truncated": "TRUNCATED at the smallest size",
    "failed": "FAILED",
    "reopened": "asked for with a different range",
}
#: The states in which a window has ended, for scripts and logs.
_ENDED = ("done", "empty", "split", "truncated", "failed")
_HOUR = 3600


class Watched:
    """Receives the progress of a collection. This class shows messages only.

    :param view: where messages go.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._message: str | None = None

    def progress(self, progress: "CollectionProgress") -> None:
        """Receive a change."""
        # The same refusal is not shown twice in a row.
        if progress.message is not None and progress.message != self._message:
            self._view.message(progress.message, "yellow")
        if progress.message is not None:
            self._message = progress.message
        if progress.window is not None:
            self.window(progress.window, progress)

    def window(self, window: "CollectedWindow", progress: "CollectionProgress") -> None:
        """Receive the new state of a window."""


class JsonWatched(Watched):
    """Prints a line of JSON for each window that has ended."""

    def window(self, window: "CollectedWindow", progress: "CollectionProgress") -> None:
        if window.state not in _ENDED:
            return
        times = {
            "startTime": window.start,
            "endTime": window.end,
            "actualStartTime": window.actual_start,
            "actualEndTime": window.actual_end,
        }
        value = {
            "event": "window",
            "agentId": window.agent_id,
            **{name: time and time.isoformat() for name, time in times.items()},
            "state": window.state,
            "exportId": window.export_id,
            "path": window.path and str(window.path),
            "size": window.size,
            "message": window.message,
        }
        write(sys.stdout, json.dumps(value))


class PlainWatched(Watched):
    """Prints a line for each window that has ended, with the overall progress."""

    def window(self, window: "CollectedWindow", progress: "CollectionProgress") -> None:
        if window.state in _ENDED:
            self._view.message(
                joined(
                    f"{_percent(progress)} %",
                    *_words(window, _LONG),
                    _STATES[window.state],
                    *([] if window.size is None else [f"{window.size:,} bytes"]),
                    one_line(window.message or ""),
                )
            )


class TerminalWatched(Watched):
    """Draws the progress of a collection, what runs, and the time left."""

    def __init__(self, view: View, width: Callable[[], int], height: Callable[[], int]) -> None:
        super().__init__(view)
        self._width = width
        self._height = height
        self._latest: CollectionProgress | None = None
        self._since: dict[tuple[str | None, str | None], float] = {}

    def progress(self, progress: "CollectionProgress") -> None:
        self._latest = progress
        now = time.monotonic()
        keys = [(window.agent_id, window.export_id) for window in progress.running]
        self._since = {key: self._since.get(key, now) for key in keys}
        super().progress(progress)

    def window(self, window: "CollectedWindow", progress: "CollectionProgress") -> None:
        if window.state in ("failed", "truncated"):
            text = joined(*_words(window, _LONG), _STATES[window.state], window.message or "")
            self._view.message(text, "bold red")

    def render(self) -> RenderableType:
        """Return the current display, in lines that fit."""
        progress, width = self._latest, self._width() - 1
        if progress is None:
            return Text("Asking for the agents ...", "dim")
        room = max(1, self._height() - 5)
        lines: list[RenderableType] = [
            Text(shorten(line, width, "end"))
            for line in (
                f"{progress.agents_done:,} of {progress.agents:,} agents done",
                f"{_hours(progress.seconds_covered)} of {_hours(progress.seconds)} hours collected"
                + _missing(progress),
            )
        ]
        bar = Table.grid(expand=False, padding=(0, 1))
        bar.add_row(
            ProgressBar(
                total=max(1, progress.seconds),
                completed=progress.seconds_covered + progress.seconds_missing,
                width=max(10, min(60, width - 8)),
            ),
            f"{_percent(progress)} %",
        )
        lines.append(bar)
        now = time.monotonic()
        for window in progress.running[:room]:
            since = self._since.get((window.agent_id, window.export_id), now)
            words = joined(*_words(window, _SHORT), _STATES[window.state], clock(now - since))
            lines.append(Text(shorten(f"  {words}", width, "end"), "cyan"))
        lines.append(Text(shorten(_rest(progress), width, "end"), "dim"))
        return Group(*lines)


def _hours(seconds: int) -> str:
    return f"{seconds / _HOUR:,.0f}"


def _missing(progress: "CollectionProgress") -> str:
    missing = progress.seconds_missing
    return f", {_hours(missing)} unavailable" if missing else ""


def _percent(progress: "CollectionProgress") -> int:
    done = progress.seconds_covered + progress.seconds_missing
    return 100 * done // progress.seconds if progress.seconds else 100


def _rest(progress: "CollectionProgress") -> str:
    left = progress.seconds_left
    text = f"{decimal(progress.bytes_downloaded)} downloaded"
    if progress.seconds_covered + progress.seconds_missing >= progress.seconds:
        return text
    return f"{text}, about {clock(left)} left" if left is not None else text


def _words(window: "CollectedWindow", form: str) -> list[str]:
    if window.start is None or window.end is None:
        return ["summary"]
    start, end = window.actual_start or window.start, window.actual_end or window.end
    return [one_line(window.agent_id or "", 200), f"{start:{form}} to {end:{form}}"]


@contextmanager
def watch_collection(work: Work) -> Iterator[Watched]:
    """Show a collection within the block."""
    view = work.view
    if work.settings.json:
        yield JsonWatched(view)
    elif isinstance(view, TerminalView):
        watched = TerminalWatched(view, lambda: view.size[0], lambda: view.size[1])
        with view.living(watched.render):
            yield watched
    else:
        yield PlainWatched(view)
