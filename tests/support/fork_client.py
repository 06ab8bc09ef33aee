"""Ask the server of ``fork_server.py`` for processes. Imports little, so that it starts at once."""

import array
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["ask", "main"]


def ask(address: str, request: dict[str, Any], descriptors: Sequence[int]) -> socket.socket:
    """Ask for a process.

    :param request: see ``fork_server.Request``
    :param descriptors: its stdin, stdout and stderr
    :return: a connection that sends two lines: the id of the process, and, when it has ended, its
        status as of ``subprocess``. If the connection is closed before, the process is killed.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(address)
    # A first byte for the descriptors. Then comes the request.
    connection.sendmsg(
        [b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())]
    )
    connection.sendall(json.dumps(request).encode() + b"\n")
    return connection


def main(address: str, *command: str) -> None:
    """Be the process that is asked for, as far as a shell sees: pass on signals and the status."""
    request = {"command": [*command, *sys.argv[1:]], "cwd": os.getcwd(), "env": {**os.environ}}
    connection = ask(address, request, (0, 1, 2))
    lines = connection.makefile("r")
    pid = int(lines.readline())
    forward: Callable[[int, Any], None] = lambda number, _: os.kill(pid, number)  # noqa: E731
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    status = int(lines.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
