"""Signals and closed pipes, from the first moment on."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import processes
from support.command import COMMAND, MODULE, Running, environment

from aiodiscovery.emulator import Emulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

FAST = ("--min-delay", "0.05", "--max-delay", "0.1")
CLOSED_PIPE = 128 + signal.SIGPIPE if sys.platform != "win32" else 0

#: Runs the command as its script does, with a module whose import interrupts it.
INTERRUPTED = """
import os, signal, sys

module = sys.argv[1]

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from _aiodiscovery_command import main
sys.argv[:] = ["aiodiscovery", "list", "--local"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module", ["aiodiscovery", "botocore.client", "asyncio", "click", "rich.live", "aiohttp.web"]
)
def test_ctrl_c_while_python_imports_is_one_line(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_the_parent_ignores_stays_ignored(
    emulator: Emulator, number: signal.Signals
) -> None:
    export_id = emulator.add_export()
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Running(emulator, "watch", export_id, *FAST) as command:
            signal.signal(number, before)
            command.read_until("IN_PROGRESS")
            command.process.send_signal(number)
            emulator.finish_export(export_id)
            status = command.wait()
    finally:
        signal.signal(number, before)

    assert (status, command.stderr) == (0, "")


def test_an_emulator_in_the_background_ignores_ctrl_c() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Running(None, "emulate", "--port", "0") as command:
            signal.signal(signal.SIGINT, before)
            command.read_until("Stop it with Ctrl-C.")
            command.process.send_signal(signal.SIGINT)
            found = re.search(r"http://\S+", command.stdout)
            assert found is not None
            listed = processes.run(
                *(*MODULE, "list", "--endpoint-url", found[0], "--region", "us-west-2"),
                env=environment(None) | {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
            )
            assert listed.returncode == 0
            assert command.stop(signal.SIGTERM) == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "command", ["--help", "list --help", "--version", "completion bash", "emulate --port 0", ""]
)
def test_output_that_nobody_reads_is_status_141(command: str) -> None:
    """As of a program that SIGPIPE ends."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with processes.start(
            *(*MODULE, *shlex.split(command)), stdout=writer, stderr=subprocess.PIPE
        ) as process:
            _, errors = process.communicate(timeout=60)
    finally:
        os.close(writer)

    assert (process.returncode, errors) == (CLOSED_PIPE, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_background_job_of_a_script_goes_on_after_ctrl_c(
    emulator: Emulator, tmp_path: Path
) -> None:
    export_id = emulator.add_export()
    output = tmp_path / "output"
    line = shlex.join([*COMMAND, "watch", export_id, *FAST])
    script = f"{line} > {shlex.quote(str(output))} 2>&1 & echo started; wait $!; exit $?"
    with subprocess.Popen(
        ["bash", "-c", script],
        stdout=subprocess.PIPE,
        env=environment(emulator),
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        while not (output.exists() and "IN_PROGRESS" in output.read_text()):
            assert shell.poll() is None
            time.sleep(0.02)
        # What a terminal sends on Ctrl-C. The shell itself ends by it.
        os.killpg(shell.pid, signal.SIGINT)
        emulator.finish_export(export_id)
        while "SUCCEEDED" not in output.read_text():
            time.sleep(0.02)

    assert "Interrupted" not in output.read_text()
