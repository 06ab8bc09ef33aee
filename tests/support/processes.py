"""Programs of Python in separate processes, and waiting for what they do."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from support.fork_client import ask

__all__ = ["Process", "forks_end_here", "has_size", "run", "start", "wait_until", "write_script"]

#: How long a program may take before a test gives up, in seconds.
_LONG = 120.0
_SUPPORT = Path(__file__).parent
#: What an interpreter reads when it starts, or a module when it is imported.
_READ_AT_START = re.compile("PYTHON|LC_|LANG|SSL_CERT|HOME$")

#: Makes stdout the terminal that controls the process, and then becomes the command.
_WITH_TERMINAL = (
    *(sys.executable, "-I", "-S", "-c"),
    "import fcntl, os, sys, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])",
)


class _Server:
    """The process that forks others, see ``fork_server.py``."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp()
        self.address = str(Path(self._folder) / "socket")
        self._environment = _read_at_start(os.environ)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(100)
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-W", "error"),
                    *(str(_SUPPORT / "fork_server.py"), str(listener.fileno())),
                ],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Say whether a fork can do without what is only read at the start."""
        return _read_at_start(environment) == self._environment

    def close(self) -> None:
        with self._process:
            pass  # this closes stdin
        shutil.rmtree(self._folder)


_servers: list[_Server] = []


def _server() -> _Server | None:
    """Return the server, started on first use, or None where there can be none."""
    if sys.platform != "linux":
        return None
    if not _servers:
        _servers.append(_Server())
    return _servers[0]


@contextlib.contextmanager
def forks_end_here() -> Iterator[None]:
    """End the server of forks, if there is one, when the block is left."""
    try:
        yield
    finally:
        while _servers:
            _servers.pop().close()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _READ_AT_START.match(name)}


class _Fork:
    """A process of the server, with what tests use of ``subprocess.Popen``."""

    def __init__(
        self, connection: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._connection = connection
        self._lines = connection.makefile("r")
        self.pid = int(self._lines.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            ready, _, _ = select.select([self._connection], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        def read(stream: IO[str] | None) -> str:
            if stream is None:
                return ""
            with stream:
                return stream.read()

        with ThreadPoolExecutor(2) as threads:
            outputs = threads.map(read, (self.stdout, self.stderr))
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            output, errors = outputs
        return output, errors


Process = subprocess.Popen[str] | _Fork


def start(
    *command: str,
    stdout: int | None = None,
    stderr: int | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    terminal: bool = False,
) -> Process:
    """Start ``python -W error``, with no input.

    :param command: what follows in the command line: ``-m`` and a module, or a file; and arguments
    :param stdout: a descriptor, ``subprocess.PIPE``, or None for that of this process
    :param stderr: the same
    :param terminal: whether stdout is a terminal that is to control the process
    """
    env = os.environ if env is None else env
    server = _server()
    if server is not None and server.fits(env):
        return _fork(server, command, stdout, stderr, env, cwd, terminal=terminal)
    return subprocess.Popen(
        [*(_WITH_TERMINAL if terminal else ()), sys.executable, "-W", "error", *command],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=env,
        cwd=cwd,
        text=True,
        start_new_session=terminal,
    )


def _fork(
    server: _Server,
    command: tuple[str, ...],
    stdout: int | None,
    stderr: int | None,
    env: Mapping[str, str],
    cwd: Path | None,
    *,
    terminal: bool,
) -> _Fork:
    request = {
        "command": command,
        "cwd": os.fspath(cwd or Path.cwd()),
        "env": dict(env),
        "ignored": [
            number
            for number in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(number) is signal.SIG_IGN
        ],
        "terminal": terminal,
    }
    with contextlib.ExitStack() as stack:
        nothing = os.open(os.devnull, os.O_RDONLY)
        stack.callback(os.close, nothing)
        descriptors, streams = [nothing], list[IO[str] | None]()
        for number, target in enumerate((stdout, stderr), 1):
            stream = None
            descriptor = number if target is None else target
            if target == subprocess.PIPE:
                ours, descriptor = os.pipe()
                stack.callback(os.close, descriptor)
                stream = open(ours)  # noqa: SIM115
            descriptors.append(descriptor)
            streams.append(stream)
        return _Fork(ask(server.address, request, descriptors), *streams)


def run(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -W error`` to its end, and return its status and its output."""
    pipe = subprocess.PIPE
    with start(*command, stdout=pipe, stderr=pipe, env=env, cwd=cwd) as process:
        output, errors = process.communicate(timeout=_LONG)
    assert process.returncode is not None
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def write_script(path: Path, *command: str) -> None:
    """Write a program that does what ``python -W error`` and the command would do."""
    server = _server()
    if server is None:
        words = [sys.executable, "-W", "error", *command]
        program = f"import subprocess, sys\nsys.exit(subprocess.call({words} + sys.argv[1:]))\n"
        head = f"#!{sys.executable}\n"
    else:
        program = (
            f"import sys\nsys.path.insert(0, {str(_SUPPORT)!r})\n"
            f"import fork_client\nfork_client.main({server.address!r}, *{command!r})\n"
        )
        head = f"#!{sys.executable} -IS\n"
    path.write_text(head + program)
    path.chmod(0o755)


def wait_until(condition: Callable[[], Any], process: Process) -> None:
    """Wait for something that a process does. If the process ends before, that is an error."""
    while not condition():
        assert process.poll() is None or condition()
        time.sleep(0.002)


def has_size(path: Path, size: int) -> bool:
    """Say whether there is a file of at least this many bytes."""
    return path.exists() and path.stat().st_size >= size
