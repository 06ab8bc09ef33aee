"""The command ``aiodiscovery`` in a separate process, with a terminal and without one."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from aiodiscovery.emulator import Emulator
from support import processes

__all__ = ["COMMAND", "LINES", "MODULE", "Running", "environment", "json_lines", "run"]

#: What runs the command, for ``support.processes``.
MODULE = ("-m", "aiodiscovery.cli")
#: The command in a new Python.
COMMAND = (sys.executable, "-W", "error", *MODULE)
#: How long anything may take before a test gives up, in seconds.
_LONG = 60.0
#: How high a terminal is.
LINES = 30
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def environment(emulator: Emulator | None) -> dict[str, str]:
    """Return the environment of a process for which the emulator is AWS."""
    if emulator is None:
        return {**os.environ}
    return os.environ | {
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_MAX_ATTEMPTS": "1",
    }


def run(emulator: Emulator | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a terminal."""
    done = processes.run(*MODULE, *arguments, env=environment(emulator))
    assert "Traceback" not in done.stderr
    assert "Signature=" not in done.stderr
    return done


def json_lines(output: str) -> list[dict[str, Any]]:
    """Read what ``--output json`` printed: each line must be an object."""
    values = [json.loads(line) for line in output.splitlines()]
    assert all(isinstance(value, dict) for value in values)
    return values


class Running:
    """The command while it runs. It is killed at the end of the block.

    :param terminal: whether its output is a terminal, or a pipe for each of stdout and stderr.
    :param columns: how wide the terminal is.
    """

    def __init__(
        self,
        emulator: Emulator | None,
        *arguments: str,
        terminal: bool = False,
        columns: int = 120,
    ) -> None:
        self._env = environment(emulator)
        self._arguments = arguments
        self._terminal = terminal
        self._columns = columns
        self._output: dict[int, bytes] = {}
        self._open: set[int] = set()

    def __enter__(self) -> Self:
        if self._terminal:
            import pty  # noqa: PLC0415  # not on Windows

            ours, its = pty.openpty()
            out = err = its
            self._out = self._err = ours
            self._env |= {
                "TERM": "xterm-256color",
                "COLUMNS": str(self._columns),
                "LINES": str(LINES),
            }
        else:
            self._out, out = os.pipe()
            self._err, err = os.pipe()
        # A terminal of its own, so that typed text reaches it.
        self.process = processes.start(
            *(*MODULE, *self._arguments),
            stdout=out,
            stderr=err,
            env=self._env,
            terminal=self._terminal,
        )
        for descriptor in {out, err}:
            os.close(descriptor)
        self._open = {self._out, self._err}
        self._output = dict.fromkeys(self._open, b"")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in self._output:
            os.close(descriptor)

    @property
    def stdout(self) -> str:
        """The output on stdout so far, or on the terminal, including control codes."""
        return self._output[self._out].decode()

    @property
    def stderr(self) -> str:
        """What came on stderr so far."""
        return self._output[self._err].decode()

    @property
    def text(self) -> str:
        """The output on stdout so far, without control codes."""
        return _CONTROL.sub("", self.stdout)

    def type(self, keys: bytes) -> None:
        """Press keys at the terminal."""
        os.write(self._out, keys)

    def screen(self) -> list[str]:
        """The lines on the terminal, without blanks at the ends."""
        import pyte  # noqa: PLC0415  # seldom needed

        screen = pyte.Screen(self._columns, LINES)
        pyte.ByteStream(screen).feed(self._output[self._out])
        return [line.rstrip() for line in screen.display]

    def read_until(self, *texts: str) -> None:
        """Wait until all of these have been printed, on stdout or stderr."""
        while not all(text in self.stdout + self.stderr for text in texts):
            assert self._read(), f"it ended without {texts}: {self.stdout} {self.stderr}"

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Read all its output and return its exit status."""
        while self._read():
            pass
        return self.process.wait(_LONG)

    def _read(self) -> bool:
        """Read the output that has arrived. Return False at the end."""
        if not self._open:
            return False
        ready, _, _ = select.select(self._open, [], [], _LONG)
        assert ready, "nothing came for long"
        for descriptor in ready:
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # what a terminal says when the last process that had it open has gone
                data = b""
            self._output[descriptor] += data
            if not data:
                self._open.discard(descriptor)
        return True
