"""``aiodiscovery collect``: everything into a directory, and the report on it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Running, json_lines, run

from aiodiscovery.emulator import Emulator

from .conftest import Main

QUICK = ("--min-delay", "0.02", "--max-delay", "0.1", "--not-found-timeout", "0.3")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(
        agents=4, agent_days=4, exports=2, connections=0.1, export_duration=0.05
    ) as running:
        yield running


@pytest.fixture
def agent_ids(emulator: Emulator) -> list[str]:
    return [agent_id for agent_id in emulator.agent_ids if agent_id not in emulator.connector_ids]


def test_everything_is_collected_and_said_to_be_there(
    main: Main,
    aws: Emulator,
    agent_ids: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main("collect", str(tmp_path / "new" / "data"), *QUICK) == 0

    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(agent_ids)
    assert all("  0.0 missing  " in line for line in lines)
    assert re.search(r"Everything is there: 3 agents, \d archives, [\d,]+ bytes in ", output.err)
    assert re.search(r"100 % \S+ \S+Z to \S+Z done [\d,]+ bytes", output.err)
    assert list((tmp_path / "new" / "data" / "agents").iterdir())


def test_a_second_time_starts_nothing(main: Main, aws: Emulator, tmp_path: Path) -> None:
    assert main("collect", str(tmp_path), *QUICK) == 0
    before = aws.export_ids

    assert main("collect", str(tmp_path), *QUICK) == 0

    assert aws.export_ids == before


def test_json_has_a_line_for_each_window_and_the_report(
    main: Main,
    aws: Emulator,
    agent_ids: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main("collect", str(tmp_path), *QUICK, "--output", "json") == 0

    output = capsys.readouterr()
    values = json_lines(output.out)
    windows = [value for value in values if value["event"] == "window"]
    assert {window["agentId"] for window in windows} == {*agent_ids, None}
    assert all(window["state"] in ("done", "empty") for window in windows)
    assert all(Path(window["path"]).is_file() for window in windows if window["state"] == "done")
    assert [value["event"] for value in values[-4:]] == ["agent"] * 3 + ["report"]
    assert values[-1]["isComplete"] is True
    assert output.err == ""


def test_what_is_missing_is_said_with_its_reason(
    main: Main,
    aws: Emulator,
    agent_ids: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(3):
        aws.plan_export(fail_with="Too much.")

    agent_id = agent_ids[0]
    status = main("collect", str(tmp_path), *QUICK, "--agent-id", agent_id, "--no-summary")

    assert status == 1
    assert f"{agent_id}: missing " in capsys.readouterr().err
    assert main("collect", str(tmp_path), "--report") == 1
    assert ", failed: Too much." in capsys.readouterr().err


def test_the_report_needs_no_service_and_finds_what_was_changed(
    main: Main, aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("collect", str(tmp_path), *QUICK) == 0
    capsys.readouterr()
    aws.clear_requests()
    assert main("collect", str(tmp_path), "--report") == 0
    assert "Everything is there" in capsys.readouterr().err
    path = next(tmp_path.glob("agents/*/*.zip"))
    path.write_bytes(b"x" * path.stat().st_size)

    assert main("collect", str(tmp_path), "--report", "--output", "json") == 1

    *agents, _ = json_lines(capsys.readouterr().out)
    (missing,) = (missing for agent in agents for missing in agent["missing"])
    assert missing["reason"] == "file changed"
    assert path.name in missing["message"]
    assert aws.requests == ()


def test_a_timeout_says_how_to_go_on(
    main: Main, aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.inject_error(
        "OperationNotPermittedException", "Not today.", calls=None, operation="StartExportTask"
    )

    assert main("collect", str(tmp_path), *QUICK, "--timeout", "0.5") == 3

    error = capsys.readouterr().err
    assert "not everything was collected within 0.5 seconds" in error
    assert f"To continue: aiodiscovery collect {tmp_path}" in error
    # Each refusal is shown once.
    assert error.count("Not today.") == 1


def test_only_what_is_asked_for_is_collected(
    main: Main, aws: Emulator, agent_ids: list[str], tmp_path: Path
) -> None:
    options = ("--agent-id", agent_ids[1], "--start-time", "2025-05-31T00:00:00Z", "--no-summary")

    assert main("collect", str(tmp_path), *QUICK, *options) == 0

    (path,) = tmp_path.glob("*/*/*.zip")
    assert path.parent.name == agent_ids[1]
    assert path.name.startswith("20250531T")


def test_tables_are_written_from_what_was_collected(
    main: Main, aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    data, tables = tmp_path / "data", tmp_path / "tables"

    assert main("collect", str(data), *QUICK, "--tables", str(tables)) == 0

    assert re.search(r"[\d,]+ rows in \d+ Parquet files in ", capsys.readouterr().err)
    assert list(tables.glob("sys_performance_agent/*.parquet"))


def test_a_directory_without_a_collection_has_no_report(
    main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("collect", str(tmp_path), "--report") == 1
    assert "nothing has been collected into" in capsys.readouterr().err


def test_a_report_takes_no_options_of_a_collection(
    main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("collect", str(tmp_path), "--report", "--agent-id", "o-1") == 2
    assert "--report collects nothing" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_how_far_it_is_in_eighty_columns(tmp_path: Path) -> None:
    with (
        Emulator(
            agents=8, agent_days=9, exports=0, connections=0.1, export_duration=0.4
        ) as emulator,
        Running(emulator, "collect", str(tmp_path), *QUICK, terminal=True, columns=80) as command,
    ):
        command.read_until("hours collected", "running", "agents done", "downloaded")
        assert command.wait() == 0

    text = command.text
    assert "Everything is there: 7 agents" in text
    assert "Missing" in text
    # Lines that the terminal wraps would be redrawn in the wrong place.
    for line in re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]+", command.stdout):
        assert len(line) <= 80 or "Everything is there" in line


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_ctrl_c_says_how_to_go_on(emulator: Emulator, tmp_path: Path) -> None:
    emulator.plan_export(duration=None)
    with Running(emulator, "collect", str(tmp_path), *QUICK) as command:
        command.read_until(" % ")
        assert command.stop() == 130

    assert f"To continue: aiodiscovery collect {tmp_path}" in command.stderr


def test_it_can_be_tried_without_an_account(tmp_path: Path) -> None:
    done = run(None, "collect", str(tmp_path / "data"), "--local", "--agent-id", "o-unknown")

    assert done.returncode == 1
    assert "o-unknown: the service does not know this agent" in done.stderr
