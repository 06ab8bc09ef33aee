"""Choosing what to list, and passing ids from one command to the next."""

import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support import processes
from support.command import MODULE, environment, json_lines

from aiodiscovery.emulator import Emulator

Main = Callable[..., int]
List = Callable[..., list[str]]


@pytest.fixture
def list_ids(main: Main, capsys: pytest.CaptureFixture[str]) -> List:
    """List ids with options."""

    def run(*options: str) -> list[str]:
        assert main("list", "--quiet", *options) == 0
        return capsys.readouterr().out.split()

    return run


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Have standard input hold something."""

    def hold(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return hold


def test_status_and_since_choose(aws: Emulator, list_ids: List) -> None:
    running, failed = aws.add_export(), aws.add_export(status="FAILED")
    old = list(aws.export_ids[:12])

    assert list_ids("--status", "IN_PROGRESS") == [running]
    assert list_ids("--since", "1h") == [running, failed]
    assert list_ids("--since", "1h", "--status", "failed") == [failed]
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert list_ids("--since", yesterday) == [running, failed]
    assert list_ids("--since", "2000-01-01T00:00:00+14:00") == [*old, running, failed]
    both = list_ids("--status", "FAILED", "--status", "IN_PROGRESS")
    assert both[-2:] == [running, failed]


def test_an_agent_chooses(aws: Emulator, list_ids: List) -> None:
    agent = aws.agent_ids[0]
    export_id = aws.add_export(agent_id=agent)

    assert list_ids("--agent-id", agent, "--since", "1h") == [export_id]


def test_max_items_counts_what_was_chosen_and_the_token_goes_on_behind_it(
    aws: Emulator, main: Main, list_ids: List, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [aws.add_export() for _ in range(5)]

    assert main("list", "-q", "--status", "IN_PROGRESS", "--max-items", "2") == 0
    output, errors = capsys.readouterr()
    token = errors.rpartition(" ")[2].strip()

    assert output.split() == chosen[:2]
    rest = list_ids("--status", "IN_PROGRESS", "--starting-token", token, "--page-size", "1")
    assert rest == chosen[2:]


def test_sorting_takes_all_and_then_the_first(
    aws: Emulator, main: Main, list_ids: List, capsys: pytest.CaptureFixture[str]
) -> None:
    running = aws.add_export()
    main("list", "--output", "json")
    infos = json_lines(capsys.readouterr().out)
    oldest = sorted(infos, key=lambda info: info["exportRequestTime"])

    ids = [info["exportId"] for info in oldest]
    assert list_ids("--sort", "oldest") == ids
    assert list_ids("--sort", "newest", "--max-items", "3") == ids[:-4:-1]
    by_status = list_ids("--sort", "status")
    statuses = {info["exportId"]: info["exportStatus"] for info in infos}
    assert by_status[0] == running
    assert [statuses[status] for status in by_status] == sorted(
        statuses.values(), key=["IN_PROGRESS", "FAILED", "SUCCEEDED"].index
    )


def test_ids_that_are_not_known_are_status_1_in_all_commands(
    aws: Emulator, main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = aws.add_export(status="SUCCEEDED")

    for command in (
        ("list", known, "export-nope"),
        ("agents", "o-00000000000000000"),
        ("watch", "export-nope", "--local"),
        ("download", known, "export-nope", "--to", str(tmp_path)),
    ):
        assert main(*command) == 1
        errors = capsys.readouterr().err
        assert errors.count("Error: ") == 1
        assert "export-nope" in errors or "o-00000000000000000" in errors
        assert "export export" not in errors


def test_an_id_that_cannot_be_one_is_wrong_use(
    aws: Emulator, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("agents", "o-nope") == 2

    errors = capsys.readouterr().err
    assert errors.startswith("Error: the service does not accept this value: ")
    assert "agentIds" in errors
    assert aws.requests == ()


def test_agents_have_what_start_needs(
    aws: Emulator, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    first = aws.agent_ids[0]

    assert main("agents") == 0
    lines = capsys.readouterr().out.splitlines()
    assert main("agents", "-q") == 0
    ids = capsys.readouterr().out.split()
    assert main("agents", first, "--output", "json") == 0
    (agent,) = json_lines(capsys.readouterr().out)
    assert main("agents", "--health", agent["health"], "-q") == 0
    alike = capsys.readouterr().out.split()

    assert ids == [line.split()[0] for line in lines] == list(aws.agent_ids)
    assert agent["agentId"] == first
    assert lines[0].split()[1:4] == [
        agent["health"],
        agent["registeredTime"],
        agent["lastHealthPingTime"],
    ]
    assert lines[0].endswith(agent["hostName"])
    assert first in alike


@pytest.mark.parametrize(
    "data", [b"{0}\n{1}\n", b"{0} {1}", b"\xef\xbb\xbf{0}\r\n{1}\r\n\r\n", b"{0}\t{0}\n{1} {0}"]
)
def test_ids_come_from_standard_input(
    aws: Emulator,
    main: Main,
    typed: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
    data: bytes,
) -> None:
    ids = aws.export_ids[:2]
    for index, export_id in enumerate(ids):
        data = data.replace(b"{%d}" % index, export_id.encode())

    typed(data)
    assert main("list", "-") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*ids]

    typed(data)
    assert main("list", aws.export_ids[5], "-", ids[1], "-q") == 0
    assert set(capsys.readouterr().out.split()) == {aws.export_ids[5], *ids}


@pytest.mark.parametrize("command", ["list", "watch", "download", "agents"])
def test_no_ids_on_standard_input_are_not_all_ids(
    aws: Emulator,
    main: Main,
    typed: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    aws.add_export()
    typed(b" \n")

    assert main(command, "-") == 0

    output, errors = capsys.readouterr()
    assert (output, errors) == ("", "Standard input has no ids.\n")
    assert aws.requests == ()


@pytest.mark.parametrize("data", [b"\x00\xff\n", b"x" * 300, "\u202e".encode()])
def test_what_is_no_id_on_standard_input_is_wrong_use(
    aws: Emulator,
    main: Main,
    typed: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
    data: bytes,
) -> None:
    typed(data)

    assert main("watch", "-", "--timeout", "0.1") in (1, 2, 3)

    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.rstrip("\n").isprintable()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell")
def test_one_command_hands_ids_to_the_next(emulator: Emulator, tmp_path: Path) -> None:
    archives = [emulator.add_export(status="SUCCEEDED") for _ in range(3)]
    processes.write_script(tmp_path / "aiodiscovery", *MODULE)

    done = subprocess.run(
        "./aiodiscovery list -q --since 1h | ./aiodiscovery watch - --download archives",
        shell=True,
        cwd=tmp_path,
        env=environment(emulator),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "archives").iterdir()} == {
        f"{name}.zip" for name in archives
    }


def test_watching_downloads_what_succeeded_whatever_became_of_the_rest(
    aws: Emulator, main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = aws.add_export(status="SUCCEEDED")
    failed = aws.add_export(status="FAILED", message="The bucket is full.")
    running = aws.add_export()
    target = tmp_path / "new" / "folder"

    assert main("watch", good, failed, "--download", str(target)) == 1
    assert [path.name for path in target.iterdir()] == [f"{good}.zip"]
    (target / f"{good}.zip").unlink()
    assert main("watch", good, running, "--timeout", "0.3", "--download", str(target)) == 3

    assert [path.name for path in target.iterdir()] == [f"{good}.zip"]
    errors = capsys.readouterr().err
    assert f"Error: 1 of 2 exports failed: {failed}: The bucket is full.\n" in errors
    assert f"{running} has not ended in time, 1 has." in errors
