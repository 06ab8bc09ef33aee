"""``aiodiscovery watch``: what it shows of exports, and the exit statuses."""

import signal
import sys

import pytest
from support.command import Running, json_lines, run

from aiodiscovery.emulator import Emulator

FAST = ("--min-delay", "0.05", "--max-delay", "0.1")

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def test_it_watches_what_is_in_progress_until_all_have_ended(emulator: Emulator) -> None:
    first, second = emulator.add_export(), emulator.add_export()

    with Running(emulator, "watch", *FAST) as command:
        command.read_until(f"{first}  IN_PROGRESS", f"{second}  IN_PROGRESS")
        emulator.finish_export(first)
        command.read_until(f"{first}  SUCCEEDED")
        emulator.fail_export(second, "The bucket is full.")
        status = command.wait()

    assert status == 1
    lines = command.stdout.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith(f"{second}  FAILED       0:00:0")
    assert lines[-1].endswith("  The bucket is full.")
    assert command.stderr == f"Error: 1 of 2 exports failed: {second}: The bucket is full.\n"


def test_json_is_an_object_for_each_status_and_nothing_else(emulator: Emulator) -> None:
    export_id = emulator.add_export()

    with Running(emulator, "watch", export_id, *FAST, "--output", "json") as command:
        command.read_until("IN_PROGRESS")
        # A temporary failure is a warning, and does not go to stdout.
        emulator.inject_throttling()
        command.read_until("Warning: asking for 1 exports failed")
        emulator.finish_export(export_id, truncated=True)
        assert command.wait() == 0

    before, after = json_lines(command.stdout)
    assert (before["event"], before["exportId"]) == ("status", export_id)
    assert (before["previousStatus"], before["exportStatus"]) == (None, "IN_PROGRESS")
    assert (after["previousStatus"], after["exportStatus"]) == ("IN_PROGRESS", "SUCCEEDED")
    assert after["isTruncated"] is True
    assert after["elapsedSeconds"] >= before["elapsedSeconds"] >= 0
    assert "configurationsDownloadUrl" not in after
    assert all(line.startswith("Warning: ") for line in command.stderr.splitlines())


def test_with_nothing_in_progress_it_says_so(emulator: Emulator) -> None:
    done = run(emulator, "watch")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "No export is in progress.\n"


def test_a_time_out_is_status_3_and_tells_what_has_not_ended(emulator: Emulator) -> None:
    ended, running = emulator.add_export(duration=0), emulator.add_export()

    done = run(emulator, "watch", ended, running, *FAST, "--timeout", "1")

    assert done.returncode == 3
    assert f"{ended}  SUCCEEDED" in done.stdout
    assert done.stderr == (
        f"Error: {running} has not ended in time, 1 has. "
        f"To wait longer: aiodiscovery watch {running}\n"
    )


def test_an_unknown_id_is_an_error_once_the_others_have_ended() -> None:
    with Emulator() as like_local:
        known = like_local.export_ids[0]

    done = run(None, "watch", "--local", "export-unknown", known)

    assert done.returncode == 1
    # It had ended before it was seen, so its end is not known.
    assert done.stdout.split() == [known, "SUCCEEDED", "-"]
    assert done.stderr.startswith("Error: the service does not know export-unknown.")
    assert done.stderr.count("\n") == 1


@needs_signals
@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "Interrupted."), (signal.SIGTERM, "Terminated.")]
)
def test_a_signal_ends_it_cleanly(emulator: Emulator, number: signal.Signals, word: str) -> None:
    export_id = emulator.add_export()

    with Running(emulator, "watch", *FAST, "--region", "us-east-1") as command:
        command.read_until(export_id)
        status = command.stop(number)

    assert status == 128 + number
    assert command.stderr == (
        f"{word} The exports keep running: aiodiscovery watch {export_id} --region us-east-1\n"
    )


@needs_terminals
def test_a_terminal_gets_a_table_that_lives(emulator: Emulator) -> None:
    ids = [emulator.add_export() for _ in range(40)]

    with Running(emulator, "watch", *FAST, terminal=True) as command:
        command.read_until("40 in progress, 13 not shown")
        emulator.inject_throttling()
        command.read_until("Warning: asking for 40 exports failed")
        for export_id in ids[:-1]:
            emulator.finish_export(export_id)
        command.read_until("1 in progress, 39 succeeded")
        emulator.fail_export(ids[-1], "The bucket is full.")
        assert command.wait() == 1

    # In the end it shows all rows, with nothing hidden and the cursor back.
    final = command.text[command.text.rindex("Export  ") :]
    head, *rows, counts, error = final.splitlines()
    assert head.split() == ["Export", "Status", "Elapsed", "Message"]
    assert [row.split()[0] for row in rows] == ids
    assert counts == "39 succeeded, 1 failed"
    assert error.startswith("Error: 1 of 40 exports failed")
    assert command.stdout.rfind("\x1b[?25h") > command.stdout.rfind("\x1b[?25l") > -1


@needs_terminals
def test_an_id_stands_in_the_table_as_it_is(emulator: Emulator) -> None:
    with Running(emulator, "watch", "[/bold]", *FAST, "--timeout", "0.5", terminal=True) as command:
        assert command.wait() == 3

    assert "[/bold]  ..." in command.text


@needs_terminals
def test_ctrl_c_leaves_the_terminal_as_it_was(emulator: Emulator) -> None:
    export_id = emulator.add_export()

    with Running(emulator, "watch", *FAST, terminal=True) as command:
        command.read_until(export_id, "1 in progress")
        status = command.stop()

    assert status == 130
    assert command.text.splitlines()[-1].startswith("Interrupted. The exports keep running:")
    assert command.stdout.rfind("\x1b[?25h") > command.stdout.rfind("\x1b[?25l") > -1


@pytest.mark.long
def test_it_can_be_tried_without_an_account() -> None:
    done = run(None, "watch", "--local")

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len({line.split()[0] for line in lines}) == 6
    assert sum(" SUCCEEDED " in line for line in lines) == 6
