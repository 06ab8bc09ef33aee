"""The display at terminals of any width: nothing that matters is cut off."""

import io
import re
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.command import Running
from support.processes import has_size, wait_until

from aiodiscovery import DownloadedExport
from aiodiscovery.emulator import Emulator

pytest.importorskip("rich")

from rich.cells import cell_len
from rich.console import Console, RenderableType

from aiodiscovery.cli._terminal import TerminalView  # the width of a pty is tested below

if TYPE_CHECKING:
    from types_aiobotocore_discovery.literals import ExportStatusType
    from types_aiobotocore_discovery.type_defs import AgentInfoTypeDef, ExportInfoTypeDef

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MESSAGE = "The agent stopped sending data at 11:45, and nothing has been heard of it since then."

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


def export_id(number: int) -> str:
    return f"export-{number:08x}-1111-4222-8333-444455556666"


def info(number: int, status: "ExportStatusType", **fields: Any) -> "ExportInfoTypeDef":
    export: ExportInfoTypeDef = {
        "exportId": export_id(number),
        "exportStatus": status,
        "statusMessage": "",
        "exportRequestTime": NOON - timedelta(hours=11, minutes=7),
    }
    return cast("ExportInfoTypeDef", export | fields)


INFOS = [
    info(1, "IN_PROGRESS"),
    info(2, "SUCCEEDED", isTruncated=True),
    info(3, "FAILED", statusMessage=MESSAGE),
    info(4, "IN_PROGRESS"),
]


class Screen:
    """A terminal that nobody sees."""

    def __init__(self, width: int, height: int = 30) -> None:
        self.console = Console(file=io.StringIO(), width=width, height=height)
        self.seconds = 0.0
        self.view = TerminalView(self.console, now=lambda: NOON, seconds=lambda: self.seconds)

    def lines_of(self, renderable: RenderableType) -> list[str]:
        # Messages, apart from what is live on the console itself.
        console = Console(file=io.StringIO(), width=self.console.width, height=self.console.height)
        with console.capture() as capture:
            console.print(renderable)
        return capture.get().splitlines()

    def printed(self, show: Callable[[], object]) -> list[str]:
        with self.console.capture() as capture:
            show()
        return capture.get().splitlines()

    def table(self, *infos: "ExportInfoTypeDef", ids: list[str] | None = None) -> list[str]:
        with self.view.watching(ids or [export["exportId"] for export in infos]):
            for export in infos:
                self.view.status(export, None)
            lines = self.lines_of(self.view.table())
            self.console.file = io.StringIO()
        return lines

    def download(self, number: int, share: float, total: int | None = 24_000_000) -> None:
        for step in range(9):
            self.seconds += 1
            self.view.progress(export_id(number), int(24_000_000 * share * step / 8), total)


def fits(lines: list[str], width: int) -> bool:
    return all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [80, 100, 120, 250])
def test_a_usual_terminal_has_a_line_for_each_export_with_its_whole_id(width: int) -> None:
    lines = Screen(width).table(*INFOS)

    assert fits(lines, width)
    assert lines[0].split()[:3] == ["Export", "Status", "Elapsed"]
    for line, export in zip(lines[1:5], INFOS, strict=True):
        assert line.split()[:2] == [export["exportId"], export["exportStatus"]]
    assert lines[1].split()[2] == "11:07:00"
    assert MESSAGE in " ".join(" ".join(lines).split())
    assert lines[-1] == "2 in progress, 1 succeeded, 1 failed"


@pytest.mark.parametrize("width", range(30, 80))
def test_a_narrow_terminal_shortens_ids_and_nothing_else(width: int) -> None:
    lines = Screen(width).table(*INFOS)

    assert fits(lines, width)
    for line, export in zip(lines[1:5], INFOS, strict=True):
        words = line.split()
        beginning, _, end = words[0].partition("…")
        assert export["exportId"].startswith(beginning)
        assert export["exportId"].endswith(end)
        assert words[1] == export["exportStatus"]
    if width >= 40:
        assert lines[1].split()[2] == "11:07:00"
    # Words are only split if a line cannot hold one.
    assert "nothing has been heard" in " ".join(" ".join(lines[5:-1]).split())
    assert lines[-1].startswith("2 in progress")


@pytest.mark.parametrize("width", [1, 2, 5, 10, 20])
def test_no_terminal_is_too_narrow_to_go_on(width: int) -> None:
    screen = Screen(width)
    screen.table(*INFOS)
    screen.download(1, 0.5)
    screen.printed(lambda: screen.console.print(screen.view.bars()))
    screen.view.listed(INFOS)
    screen.printed(lambda: screen.view.list_ended("token"))


def test_what_no_answer_has_come_for_yet_is_counted_too() -> None:
    lines = Screen(80).table(info(1, "IN_PROGRESS"), ids=[export_id(1), export_id(2)])

    assert lines[2].split() == [export_id(2), "..."]
    assert lines[-1] == "1 in progress, 1 not seen yet"


@pytest.mark.parametrize("height", range(5, 40))
def test_a_table_that_lives_fits_the_height_and_counts_what_it_leaves_out(height: int) -> None:
    screen = Screen(60, height)
    infos = [info(number, "FAILED", statusMessage=MESSAGE) for number in range(5)]
    infos += [info(number, "IN_PROGRESS") for number in range(5, 15)]
    screen.console = Console(file=io.StringIO(), width=60, height=height, force_terminal=True)
    screen.view = TerminalView(screen.console, now=lambda: NOON)
    with screen.view.watching([export["exportId"] for export in infos]):
        for export in infos:
            screen.view.status(export, None)
        lines = screen.lines_of(screen.view.table())

    assert len(lines) <= height - 1
    assert lines[-1].startswith("10 in progress, 5 failed")
    shown = sum(" IN_PROGRESS " in line or " FAILED " in line for line in lines)
    hidden = re.search(r"(\d+) not shown", lines[-1])
    assert shown == min(15, height - 3)
    assert (int(hidden[1]) if hidden else 0) == 15 - shown
    # Running exports are shown first.
    assert sum(" IN_PROGRESS " in line for line in lines) == min(10, shown)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_bar_is_a_line_with_bytes_rate_and_time_left(width: int) -> None:
    screen = Screen(width)
    screen.view.downloading([export_id(number) for number in range(5)])
    screen.download(1, 0.9)
    screen.download(2, 0.5)
    screen.download(3, 0.2, total=None)

    *bars, count = screen.lines_of(screen.view.bars())

    assert fits(bars, width)
    assert len(bars) == 3
    assert re.search(r"━+[━╸ ]+21\.6/24\.0 MB +2\.7 MB/s 0:00:01$", bars[0])
    assert re.search(r"━+[━╸ ]+12\.0/24\.0 MB +1\.5 MB/s 0:00:08$", bars[1])
    assert re.search(r"━+ +4\.8/\? MB +600\.0 kB/s$", bars[2].rstrip())
    assert count == "0 of 5 downloaded"


def test_what_has_ended_has_no_bar() -> None:
    screen = Screen(80)
    screen.view.downloading([export_id(number) for number in range(3)])
    for number in range(3):
        screen.download(number, 1.0 if number == 0 else 0.5)
    done = DownloadedExport(Path("archives") / "export.zip", 24_000_000, truncated=False)

    succeeded = screen.printed(lambda: screen.view.downloaded(export_id(0), done))
    failed = screen.printed(lambda: screen.view.not_downloaded(export_id(1), "it is gone"))

    assert succeeded == [f"{export_id(0)}: 24,000,000 bytes in archives/export.zip"]
    assert failed == [f"Error: {export_id(1)} was not downloaded: it is gone"]
    *bars, count = screen.lines_of(screen.view.bars())
    assert len(bars) == 1
    assert "12.0/24.0 MB" in bars[0]
    assert count == "1 of 3 downloaded, 1 failed"


@pytest.mark.parametrize("width", [80, 120])
def test_a_listing_has_a_line_for_each_export_and_messages_below(width: int) -> None:
    screen = Screen(width)
    screen.view.listed(INFOS)

    lines = screen.printed(lambda: screen.view.list_ended(None))

    assert fits(lines, width)
    for line, export in zip(lines[1:5], INFOS, strict=True):
        assert line.split() == [
            export["exportId"],
            export["exportStatus"],
            "2026-01-05",
            "00:53:00",
        ]
    assert MESSAGE in " ".join(" ".join(lines[5:]).split())
    assert lines[-1] == "4 exports: 2 in progress, 1 succeeded, 1 failed"


@pytest.mark.parametrize("width", [25, 40, 60, 79])
def test_a_narrow_listing_has_whole_ids_to_be_copied(width: int) -> None:
    screen = Screen(width)
    screen.view.listed(INFOS)

    lines = screen.printed(lambda: screen.view.list_ended(None))

    text = "\n".join(lines)
    for export in INFOS:
        assert re.search(rf"^{export['exportId']}", text, re.MULTILINE)
        assert export["exportStatus"] in text
    assert MESSAGE in " ".join(text.split())


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_agents_come_with_whole_ids(width: int) -> None:
    agents: list[AgentInfoTypeDef] = [
        {
            "agentId": "o-e4fa73126dd9c2e85",
            "hostName": "ip-10-0-0-1.us-west-2.compute.internal",
            "health": "UNHEALTHY",
            "registeredTime": "2025-11-09T00:00:00Z",
            "lastHealthPingTime": "2026-01-04T23:55:14Z",
        },
        {"agentId": "o-f4fa73126dd9c2e85", "registeredTime": "some day"},
    ]
    screen = Screen(width)

    lines = screen.printed(lambda: screen.view.agents(agents))

    assert fits(lines, width)
    text = "\n".join(lines)
    assert all(re.search(rf"^{agent.get('agentId')}", text, re.MULTILINE) for agent in agents)
    assert "UNHEALTHY" in text
    assert "2026-01-04 23:55" in " ".join(text.split())
    assert lines[-1] == "2 agents"


@needs_terminals
@pytest.mark.parametrize("command", ["watch", "download"])
def test_ctrl_c_leaves_what_was_there_once(tmp_path: Path, command: str) -> None:
    """The terminal shows ``^C`` at the cursor, which must not push anything away."""
    with Emulator(exports=0, archive_size=2_000_000) as emulator:
        running = emulator.add_export(duration=None)
        done = emulator.add_export(status="SUCCEEDED")
        emulator.inject_stalled_download(1_000_000)
        shown = running if command == "watch" else done
        arguments = () if command == "watch" else ("--to", str(tmp_path))
        with Running(emulator, command, shown, *arguments, terminal=True, columns=80) as terminal:
            if command == "watch":
                terminal.read_until("1 in progress")
            else:
                part = tmp_path / f"{done}.zip.part"
                wait_until(partial(has_size, part, 1_000_000), terminal.process)
                terminal.read_until("1.0/2.")
            terminal.type(b"\x03")
            status = terminal.wait()

    assert status == 128 + signal.SIGINT
    screen = terminal.screen()
    kept = [line for line in screen if line.startswith("export-")]
    assert len(kept) == 1
    assert sum("Interrupted." in line for line in screen) == 1
