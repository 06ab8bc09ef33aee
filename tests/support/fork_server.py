"""A process that has imported the package, and forks those in which programs are to run.

A new Python needs 0.3 seconds of computing to import what a command needs, ten times as long as the
command then takes. Apart from that a fork runs a program as a new Python would: it has its own
arguments, environment, streams, directory and signals, and it ends as any other process does.

python fork_server.py <descriptor of a listening socket>

The server ends when its stdin is closed. See ``fork_client.ask`` for what it is sent.
"""

import array
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio

import aiodiscovery


@dataclass(frozen=True)
class Request:
    """What to run."""

    #: What follows ``python`` in a command line: ``-m`` and a module, or a file; and its arguments.
    command: list[str]
    cwd: str
    env: dict[str, str]
    #: The numbers of the signals to ignore.
    ignored: list[int] = field(default_factory=list)
    #: Whether stdout is a terminal that is to control the process.
    terminal: bool = False


@dataclass(frozen=True)
class Running:
    """A process that runs, and who waits for it."""

    pid: int
    #: Becomes readable when the process has ended.
    end: int
    #: Becomes readable when nobody waits for it any more.
    connection: socket.socket


def main(listener: socket.socket) -> Request | None:
    """Fork a process for each request, and return the request there. Return None at the end."""
    # Ctrl-C is for the tests, which then close stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    all_running: list[Running] = []
    while True:
        waited_for = [one for running in all_running for one in (running.end, running.connection)]
        ready, _, _ = select.select([0, listener, *waited_for], [], [])
        for running in list(all_running):
            if running.end in ready:
                all_running.remove(running)
                report_end(running)
            elif running.connection in ready:
                os.kill(running.pid, signal.SIGKILL)
        if 0 in ready:
            for running in all_running:
                os.kill(running.pid, signal.SIGKILL)
            return None
        if listener in ready:
            connection, _ = listener.accept()
            try:
                request, descriptors = receive(connection)
            except (OSError, ValueError):  # who asks has gone
                connection.close()
                continue
            pid = os.fork()
            if not pid:
                for one in (listener, connection, *(running.connection for running in all_running)):
                    one.close()
                for running in all_running:
                    os.close(running.end)
                become(request, descriptors)
                return request
            for descriptor in descriptors:
                os.close(descriptor)
            with contextlib.suppress(OSError):  # nobody waits for it: it will be killed
                connection.sendall(f"{pid}\n".encode())
            all_running.append(Running(pid, os.pidfd_open(pid), connection))


def report_end(running: Running) -> None:
    os.close(running.end)
    _, status = os.waitpid(running.pid, 0)
    with running.connection, contextlib.suppress(OSError):  # nobody wants to know
        running.connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def receive(connection: socket.socket) -> tuple[Request, list[int]]:
    """Read a request and the descriptors of the three streams."""
    descriptors = array.array("i")
    size = 3 * descriptors.itemsize
    _, [(_, _, data)], _, _ = connection.recvmsg(1, socket.CMSG_SPACE(size))
    descriptors.frombytes(data[:size])
    with connection.makefile("r") as lines:
        return Request(**json.loads(lines.readline())), list(descriptors)


def become(request: Request, descriptors: list[int]) -> None:
    """Make of this process what a new one would be."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request.terminal:
        os.setsid()
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for ignored in request.ignored:
        signal.signal(ignored, signal.SIG_IGN)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        # As Python opens them, which depends on PYTHONUNBUFFERED.
        unbuffered = old.write_through
        stream = io.TextIOWrapper(
            open(  # noqa: SIM115
                number,
                "wb" if number else "rb",
                0 if unbuffered and number else -1,
                closefd=False,
            ),
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=not unbuffered and (number == 2 or os.isatty(number)),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(command: list[str]) -> None:
    """Do what ``python`` does with the rest of its command line."""
    is_module = command[0] == "-m"
    name, *arguments = command[is_module:]
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd() if is_module else str(Path(name).parent))
    sys.argv[:] = [name, *arguments]
    if is_module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")


def warm_up() -> None:
    """Import what programs need, and read the files that each client needs."""
    for name in (*modules(), "anyio._backends._trio", "httpx2"):
        importlib.import_module(name)
    anyio.run(open_client)
    assert threading.active_count() == 1, "forks have no threads"
    # Otherwise each fork would copy all objects when it collects garbage.
    gc.collect()
    gc.freeze()


def modules() -> Iterator[str]:
    """Generate the names of the modules that can be imported before a fork, and without Airflow."""
    root = Path(aiodiscovery.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if parts[-1] == "__main__" or {"airflow", "tables"} & {*parts}:
            continue  # pyarrow has threads
        yield ".".join(parts).removesuffix(".__init__")


async def open_client() -> None:
    async with aiodiscovery.create_client(
        region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none"
    ):
        pass


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this file
    warm_up()
    with socket.socket(fileno=int(sys.argv[1])) as server:
        wanted = main(server)
    if wanted is not None:
        run(wanted.command)
