"""Draw what the watcher's options achieve: mean delay against calls, beside two other ways to wait.

Writes watcher.svg beside this file: a thousand log-normal exports that begin together, both axes
logarithmic. The figures are those of watcher_simulation.py. Takes some minutes.
"""

import argparse
import math
import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from watcher_simulation import Case, fixed_rounds, simulate, waiters

EXPORTS = 1000
WIDTH, HEIGHT, MARGIN = 800, 520, 64
DELAYS = (1.0, 200.0)
CALLS = (100.0, 1_000_000.0)

#: The options of each of the watcher's lines, and the labels of its points.
LINES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ExportWatcher, relative_delay": [
        (f"{100 * value:g} %", {"relative_delay": value}) for value in (0.0, 0.01, 0.03, 0.1)
    ],
    "ExportWatcher, min_delay": [
        (f"{value:g} s", {"min_delay": value, "max_rate": None})
        for value in (5.0, 10.0, 30.0, 100.0)
    ],
}
FIXED_DELAYS = (2.5, 5.0, 10.0, 30.0, 100.0, 300.0)
COLORS = ("#0b6e99", "#c2570c", "#555555", "#999999")


class Point(NamedTuple):
    """A way to wait: its mean delay and its number of calls."""

    label: str
    delay: float
    calls: float


def measure_watcher(draws: int, jobs: int | None) -> dict[str, list[Point]]:
    """Simulate the watcher with each of the options."""
    options = {
        (line, label): Case("log-normal", EXPORTS, draws=draws, options=tuple(given.items()))
        for line, points in LINES.items()
        for label, given in points
    }
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as processes:
        measured = dict(zip(options, processes.map(simulate, options.values()), strict=True))
    return {
        line: [
            Point(label, measured[line, label].mean_delay, measured[line, label].calls)
            for label, _ in points
        ]
        for line, points in LINES.items()
    }


def compute(what: Callable[[Sequence[Any], float], tuple[int, float]], draws: int) -> list[Point]:
    """Compute the results of another way to wait, for each of the delays."""
    points = []
    for delay in FIXED_DELAYS:
        found = [what(Case("log-normal", EXPORTS).exports_of(draw), delay) for draw in range(draws)]
        calls, late = zip(*found, strict=True)
        points.append(Point(f"{delay:g} s", statistics.median(late), statistics.median(calls)))
    return points


def scale(value: float, bounds: tuple[float, float], start: float, end: float) -> float:
    """Return where a value lies on a logarithmic axis."""
    low, high = map(math.log, bounds)
    return start + (math.log(value) - low) / (high - low) * (end - start)


def place(calls: float, delay: float) -> tuple[float, float]:
    """Return the position of a point in the picture."""
    x = scale(calls, CALLS, MARGIN, WIDTH - 40)
    return round(x, 1), round(scale(delay, DELAYS, HEIGHT - MARGIN, 24), 1)


def text(x: float, y: float, what: str, *, anchor: str = "middle", more: str = "") -> str:
    """Write text into the picture."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(what)}</text>'


def ticks(bounds: tuple[float, float]) -> Iterable[float]:
    """Return 1, 2, 5, 10 ... within the bounds."""
    for power in range(math.floor(math.log10(bounds[0])), math.ceil(math.log10(bounds[1])) + 1):
        for first in (1, 2, 5):
            if bounds[0] <= first * 10.0**power <= bounds[1]:
                yield first * 10.0**power


def draw_axes() -> Iterable[str]:
    """Draw the axes, their grid and their names."""
    (left, bottom), (right, top) = place(CALLS[0], DELAYS[0]), place(CALLS[1], DELAYS[1])
    for calls in ticks(CALLS):
        x, _ = place(calls, DELAYS[0])
        yield f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{top}" class="grid"/>'
        if f"{calls:.0f}".startswith("1"):
            yield text(x, bottom + 18, f"{calls:,.0f}")
    for delay in ticks(DELAYS):
        _, y = place(CALLS[0], delay)
        yield f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" class="grid"/>'
        yield text(left - 8, y + 4, f"{delay:g}", anchor="end")
    yield text((left + right) / 2, HEIGHT - 14, f"calls for {EXPORTS:,} exports, in all")
    turn = f' transform="rotate(-90 16 {(top + bottom) / 2})"'
    yield text(
        16, (top + bottom) / 2, "mean delay from an end to its report, in seconds", more=turn
    )


def draw(lines: dict[str, list[Point]]) -> str:
    """Draw the picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Mean delay against calls, for the watcher, fixed rounds and waiters</title>",
        "<style>text { font: 12px sans-serif; fill: #222 } .grid { stroke: #ddd }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *draw_axes(),
    ]
    for number, ((name, points), color) in enumerate(zip(lines.items(), COLORS, strict=True)):
        places = [place(point.calls, point.delay) for point in points]
        path = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for (x, y), point in zip(places, points, strict=True):
            parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{color}"/>')
            to_the_left, below = number < 2, number == 1
            parts.append(
                text(
                    x - 7 if to_the_left else x + 7,
                    y + 15 if below else y - 6,
                    point.label,
                    anchor="end" if to_the_left else "start",
                    more=f' style="fill: {color}"',
                )
            )
        y = 44 + 20 * number
        parts.append(f'<rect x="{WIDTH - 300}" y="{y - 9}" width="14" height="6" fill="{color}"/>')
        parts.append(text(WIDTH - 278, y, name, anchor="start"))
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description="Draw what the watcher's options achieve.")
    parser.add_argument("--draws", type=int, default=5, help="draws of durations (default: 5)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    arguments = parser.parse_args()
    lines = measure_watcher(arguments.draws, arguments.jobs)
    lines["all exports, every ..."] = compute(fixed_rounds, arguments.draws)
    lines["a waiter for each export, every ..."] = compute(waiters, arguments.draws)
    Path(__file__).with_name("watcher.svg").write_text(draw(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
