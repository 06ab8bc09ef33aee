"""The command ``aiodiscovery tables``."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.export_archives import (
    ACCOUNT,
    AGENT,
    HEADERS,
    RESULTS,
    agent_archive,
    csv_bytes,
    write_zip,
)

pytest.importorskip("pyarrow")
pytest.importorskip("click")
pytest.importorskip("rich")

from aiodiscovery.cli._commands import commands

CONNECTION = [
    *(ACCOUNT, AGENT, "10.0.0.1", "50000", "10.0.0.2", "443", "IPv4", "TCP", "1234"),
    "2026-01-05 08:15:00",
]
LATER = [*CONNECTION[:9], "2026-01-07 23:45:00"]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command, and return its status and its output."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status: int = commands.main(["tables", *map(str, arguments)], standalone_mode=False)
        output = capsys.readouterr()
        return (status, output.out, output.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder


def connections(path: Path, *rows: list[str], **options: Any) -> Path:
    data = csv_bytes(HEADERS["sourceProcessConnection"], rows)
    return agent_archive(path, {"sourceProcessConnection": data}, **options)


def json_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_it_lists_the_tables_of_all_archives(command: Command, folder: Path) -> None:
    connections(folder / "export-1.zip", CONNECTION)
    connections(folder / "export-2.zip", LATER, CONNECTION)

    status, out, err = command(folder)

    assert (status, err) == (0, "")
    assert (
        "outbound_connection_agent  3 rows  10 columns  1 agent  2026-01-05T08:15:00Z  "
        "2026-01-07T23:45:00Z\n" in out
    )
    assert "os_info_agent  0 rows  8 columns  0 agents  -  -\n" in out


def test_the_same_archive_is_listed_once(command: Command, folder: Path) -> None:
    path = connections(folder / "export-1.zip", CONNECTION)
    (folder / "copy.zip").write_bytes(path.read_bytes())

    _, out, _ = command(folder, path)

    assert "outbound_connection_agent  1 row  " in out


def test_it_lists_as_json(command: Command, folder: Path) -> None:
    path = connections(folder / "export-1.zip", CONNECTION)

    _, out, _ = command(path, "--output", "json")

    (listed,) = [table for table in json_lines(out) if table["rows"]]
    assert listed == {
        "table": "outbound_connection_agent",
        "rows": 1,
        "columns": [
            *("account_number", "agent_id", "source_ip", "source_port", "destination_ip"),
            *("destination_port", "ip_version", "transport_protocol"),
            *("agent_assigned_process_id", "agent_creation_date"),
        ],
        "agents": [AGENT],
        "firstTime": "2026-01-05T08:15:00+00:00",
        "lastTime": "2026-01-05T08:15:00+00:00",
        "archives": [str(path)],
    }


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_list_fits_the_terminal(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("aiodiscovery.cli._tables_action._is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    connections(folder / "export-1.zip", *[CONNECTION] * 1_000, LATER)
    server = csv_bytes(
        ["Id", "agentId", "creationTimeStamp"], [["d", AGENT, "2026-01-05 00:00:00"]]
    )
    files = {"Server.csv": server, "ApplicationResourceAssociation.csv": b"configId\n"}
    write_zip(folder / "summary.zip", {f"{ACCOUNT}_{name}": data for name, data in files.items()})

    _, out, _ = command(folder)

    assert out.startswith("Table ")
    assert all(len(line) <= width for line in out.splitlines())
    assert "1,001" in out
    if width == 120:
        assert "2026-01-05 08:15:00  2026-01-07 23:45:00" in out
    if width >= 80:
        assert "application_resource_association" in out


def test_it_shows_the_first_rows(command: Command, folder: Path) -> None:
    connections(folder / "export-1.zip", CONNECTION)
    connections(folder / "export-2.zip", LATER, [*LATER[:8], "\x1b[2J", LATER[9]], LATER)

    _, out, _ = command(folder, "--head", "3")

    assert out.count("outbound_connection_agent, row") == 3
    assert "  source_port                50000\n" in out
    assert "  agent_creation_date        2026-01-07 23:45:00\n" in out
    assert "\x1b" not in out


def test_it_shows_rows_as_json(command: Command, folder: Path) -> None:
    odd = [*CONNECTION[:3], "http", *CONNECTION[4:9], ""]
    path = connections(folder / "export-1.zip", odd, LATER)

    _, out, _ = command(folder, "--head", "1", "--output", "json")

    (line,) = json_lines(out)
    row = line.pop("row")
    assert line == {"table": "outbound_connection_agent", "archive": str(path)}
    assert row["source_port"] is None
    assert row["source_port_text"] == "http"
    assert row["agent_creation_date"] is None
    assert "destination_port_text" not in row


def test_it_writes_parquet_once(command: Command, folder: Path, tmp_path: Path) -> None:
    connections(folder / "export-1.zip", CONNECTION)
    connections(folder / "export-2.zip", LATER, CONNECTION)
    target = tmp_path / "deep" / "tables"

    _, first, _ = command(folder, "--to", target)
    _, second, _ = command(folder, "--to", target, "--output", "json")

    assert "outbound_connection_agent  3 rows  2 files  2 new\n" in first
    lines = json_lines(second)
    assert {line["event"] for line in lines} == {"kept"}
    assert all(Path(line["path"]).is_file() for line in lines)


def test_what_was_written_fits_the_terminal(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiodiscovery.cli._tables_action._is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    connections(folder / "export-1.zip", CONNECTION)

    _, out, _ = command(folder, "--to", tmp_path / "tables")

    assert out.splitlines()[0].split() == ["Table", "Rows", "Files", "New"]
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("options", [[], ["--head", "1"], ["--to", "{}"]])
def test_a_bad_archive_is_told_and_the_others_are_done(
    command: Command, folder: Path, tmp_path: Path, options: list[str]
) -> None:
    connections(folder / "a.zip", ["1"])
    connections(folder / "b.zip", CONNECTION)

    status, out, err = command(folder, *[option.format(tmp_path / "tables") for option in options])

    assert status == 1
    assert err == (
        f"Error: {folder / 'a.zip'}: {ACCOUNT}_sourceProcessConnection.csv, line 2: "
        "the row has 1 cells, and the header 10\n"
    )
    assert "outbound_connection_agent" in out


def test_a_truncated_export_is_told(command: Command, folder: Path) -> None:
    summary = {"ExportSummary": {"isTruncated": True}}
    connections(folder / "export-1.zip", CONNECTION, results=RESULTS | summary)

    for options in ([], ["--to", folder / "tables"]):
        status, _, err = command(folder, *options)
        assert status == 0
        assert "export-1.zip is truncated: the service left data out" in err


def test_a_truncated_export_that_another_one_goes_on_with_is_not_told(
    command: Command, folder: Path
) -> None:
    truncated = {"isTruncated": True, "ActualEndTime": "2026-01-06 12:00:00"}
    first = RESULTS | {"ExportSummary": RESULTS["ExportSummary"] | truncated}
    second = RESULTS | {"RequestedStartTime": "2026-01-06 12:00:00"}
    for number, results in enumerate((first, second)):
        connections(folder / f"export-{number}.zip", CONNECTION, results=results)

    for options in ([], ["--to", folder / "tables"], ["--to", folder / "json", "--output", "json"]):
        status, _, err = command(folder, *options)
        assert (status, err) == (0, "")


def test_a_folder_without_archives_is_told(command: Command, folder: Path) -> None:
    status, out, err = command(folder)

    assert (status, out) == (1, "")
    assert err == f"Error: there is no archive (*.zip) in {folder}\n"


def test_a_target_that_cannot_be_written_is_told(command: Command, folder: Path) -> None:
    connections(folder / "export-1.zip", CONNECTION)
    (folder / "file").write_bytes(b"")

    status, _, err = command(folder, "--to", folder / "file" / "tables")

    assert status == 1
    assert err.startswith("Error: Not a directory: ")


MISSING = """
import sys
sys.modules["pyarrow"] = None
from aiodiscovery.cli._commands import commands
sys.exit(commands.main(["tables", *sys.argv[1:]], standalone_mode=False))
"""


def test_without_the_extra_one_line_says_what_to_install(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSING, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        'Error: aiodiscovery.tables needs pyarrow: pip install "aiodiscovery[tables]"\n'
    )


HELP = """
import sys
from aiodiscovery.cli._commands import commands
commands.main(["tables", "--help"], standalone_mode=False)
assert not {"pyarrow", "rich"} & set(sys.modules)
"""


def test_help_needs_nothing_that_takes_long_to_import() -> None:
    subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True)
