"""``aiodiscovery start``: an export started, and the whole job in one command."""

import signal
import sys
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from support.command import Running, json_lines, run

from aiodiscovery.emulator import Emulator

FAST = ("--min-delay", "0.05", "--max-delay", "0.1")

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def test_it_prints_the_id_alone(emulator: Emulator) -> None:
    with closing(boto3.client("discovery", **emulator.client_kwargs)) as client:
        agent_id = client.describe_agents()["agentsInfo"][0].get("agentId", "")
    emulator.clear_requests()

    done = run(
        emulator,
        *("start", "--agent-id", agent_id, "--ec2-recommendations"),
        *("--start-time", "2026-01-05T08:00:00+02:00", "--end-time", "2026-01-06T08:00:00Z"),
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{emulator.export_ids[-1]}\n"
    (request,) = emulator.requests
    assert request.parameters == {
        "filters": [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}],
        "startTime": 1767592800,
        "endTime": 1767686400,
        "preferences": {"ec2RecommendationsPreferences": {"enabled": True}},
    }


def test_it_is_sent_once_whatever_becomes_of_the_answer(emulator: Emulator) -> None:
    emulator.inject_server_error(calls=None, operation="StartExportTask")

    done = run(emulator, "start")

    assert (done.returncode, done.stdout) == (1, "")
    assert "To see whether it has started the export nevertheless: " in done.stderr
    assert len(emulator.requests) == 1


def test_it_does_the_whole_job(emulator: Emulator, tmp_path: Path) -> None:
    with Running(
        emulator, "start", "--download", str(tmp_path), *FAST, "--output", "json"
    ) as command:
        command.read_until('"started"', "IN_PROGRESS")
        export_id = emulator.export_ids[-1]
        emulator.finish_export(export_id)
        assert command.wait() == 0

    assert command.stderr == ""
    started, *statuses, downloaded = json_lines(command.stdout)
    assert started == {"event": "started", "exportId": export_id}
    assert [status["exportStatus"] for status in statuses] == ["IN_PROGRESS", "SUCCEEDED"]
    assert downloaded["path"] == str(tmp_path / f"{export_id}.zip")
    assert (tmp_path / f"{export_id}.zip").read_bytes() == emulator.archive(export_id)


@pytest.mark.long
def test_it_can_be_tried_without_an_account(tmp_path: Path) -> None:
    done = run(None, "start", "--local", "--wait", "--download", str(tmp_path))

    assert done.returncode == 0
    (path,) = tmp_path.iterdir()
    first, *_, last = done.stdout.splitlines()
    assert path == tmp_path / f"{first}.zip"
    assert last == f"{first}  {path.stat().st_size:,} bytes  {path}"


def test_one_that_failed_is_not_downloaded(emulator: Emulator, tmp_path: Path) -> None:
    emulator.plan_export(duration=0, fail_with="The bucket is full.")

    done = run(emulator, "start", "--download", str(tmp_path), *FAST)

    assert done.returncode == 1
    assert done.stderr.endswith("The bucket is full.\n")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@needs_signals
def test_ctrl_c_says_how_to_go_on(emulator: Emulator) -> None:
    with Running(emulator, "start", "--wait", *FAST) as command:
        command.read_until("IN_PROGRESS")
        status = command.stop(signal.SIGINT)

    export_id = emulator.export_ids[-1]
    assert status == 130
    assert command.stderr == (
        f"Interrupted. {export_id} keeps running: aiodiscovery watch {export_id}\n"
    )
