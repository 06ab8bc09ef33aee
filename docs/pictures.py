"""Make the pictures of the command: the real views, at work on exports of the emulator.

    python docs/pictures.py [FOLDER]    # writes watch.svg and download.svg to docs, or there

Time is made up, so that the pictures are the same each time.
"""

import io
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console, RenderableType

import aiodiscovery
from aiodiscovery.cli import _actions
from aiodiscovery.cli._run import Work
from aiodiscovery.cli._settings import Delays, Settings
from aiodiscovery.cli._terminal import TerminalView
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

#: What a terminal has if nobody makes it wider.
WIDTH = 80
#: When the picture of `watch` is taken.
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
#: How many seconds before that each export began and ended, and the message with which it failed.
EXPORTS: list[tuple[float, float | None, str | None]] = [
    (754, 8, None),
    (731, None, None),
    (688, 4, "The agent stopped sending data."),
    (305, None, None),
    (96, None, None),
    (12, None, None),
]
#: How much of each archive there is after how many seconds.
SHARES, SECONDS = (0.92, 0.61, 0.27), 8
SIZE = 24_000_000


class View(TerminalView):
    """A terminal that nobody sees, in a time that is made up."""

    def __init__(self) -> None:
        console = Console(file=io.StringIO(), force_terminal=True, width=WIDTH)
        self.time = NOON - max(began for began, *_ in EXPORTS)
        self.statuses: dict[str, str] = {}
        self.totals: dict[str, int | None] = {}
        super().__init__(
            console,
            now=lambda: datetime.fromtimestamp(self.time, UTC),
            seconds=lambda: self.time,
        )

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        """Note which exports have ended."""
        super().status(info, previous)
        self.statuses[info["exportId"]] = info["exportStatus"]

    def has_seen(self, count: int) -> bool:
        return len(self.statuses) == count

    def has_seen_end(self, count: int) -> bool:
        return sum(status != "IN_PROGRESS" for status in self.statuses.values()) == count

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        """Note how large an archive is; how fast it comes is not for this machine to say."""
        self.totals[export_id] = total

    def let_time_pass(self) -> None:
        """Let the bytes come."""
        for second in range(SECONDS + 1):
            for (export_id, total), share in zip(self.totals.items(), SHARES, strict=True):
                done = int((total or 0) * share * second / SECONDS)
                super().progress(export_id, done, total)
            self.time += 1


def save(folder: Path, name: str, command: str, picture: RenderableType) -> None:
    """Write the picture of what is on a terminal."""
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=WIDTH,
        record=True,
    )
    console.print(picture)
    svg = console.export_svg(title=f"$ {command}", unique_id=name)
    # rich has the reader's browser load a font: any of fixed width does.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, ", "")
    lines = [line.rstrip() for line in svg.splitlines() if line.strip()]
    (folder / f"{name}.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


async def picture_watch(folder: Path) -> None:
    view = View()
    with Emulator(exports=0, clock=lambda: view.time) as emulator:
        ids = []
        for began, ended, message in EXPORTS:
            view.time = NOON - began
            duration = None if ended is None else began - ended
            ids.append(emulator.add_export(duration=duration, fail_with=message))
        ends = sorted((ended for _, ended, _ in EXPORTS if ended is not None), reverse=True)
        action = partial(_actions.watch, export_ids=ids, timeout=None, delays=Delays(0.02, 0.02))
        async with at_work(emulator, view, action):
            await until(partial(view.has_seen, len(ids)))
            for count, ended in enumerate(ends, 1):
                view.time = NOON - ended
                await until(partial(view.has_seen_end, count))
            view.time = NOON
            save(folder, "watch", "aiodiscovery watch", view.table())


async def picture_download(folder: Path) -> None:
    view = View()
    emulator = Emulator(exports=0, archive_size=SIZE)
    with emulator, tempfile.TemporaryDirectory() as archives:
        ids = emulator.add_exports(len(SHARES))
        emulator.inject_stalled_download(SIZE // 2, calls=None)
        action = partial(_actions.download, export_ids=ids, destination=Path(archives))
        async with at_work(emulator, view, action):
            await until(lambda: len(view.totals) == len(ids))
            view.totals = {export_id: view.totals[export_id] for export_id in ids}
            view.let_time_pass()
            save(folder, "download", "aiodiscovery download ...", view.bars())


@asynccontextmanager
async def at_work(
    emulator: Emulator, view: View, action: Callable[[Work], Coroutine[Any, Any, int]]
) -> AsyncGenerator[None]:
    """Have an action at work within the block."""
    async with (
        aiodiscovery.create_client(**emulator.client_kwargs) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(action, Work(Settings(local=True), view, client, emulator.client_kwargs))
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await anyio.sleep(0.01)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent
    anyio.run(picture_watch, target)
    anyio.run(picture_download, target)
