"""The emulator's command-line options, for any parser."""

import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ._emulator import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Emulator
from ._quirks import Quirks

__all__ = ["OPTIONS", "Option", "run"]

#: The exit status of a process that SIGPIPE has ended.
_CLOSED_PIPE = 128 + 13


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line, with the name of the parameter of ``Emulator``."""

    #: With hyphens, but without leading ones.
    name: str
    #: Makes the value from a text.
    #:
    #: :raises ValueError: if the text is not valid, with what is allowed.
    parse: Callable[[str], Any]
    default: Any
    help: str


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number: {text}") from None


def _count(text: str) -> int:
    number = _whole_number(text)
    if number < 0:
        raise ValueError(f"must not be negative: {text}")
    return number


def _truth(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"must be yes or no: {text}")
    return text == "yes"


def _port(text: str) -> int:
    number = _whole_number(text)
    if not 0 <= number <= 65535:
        raise ValueError(f"must be between 0 and 65535: {text}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"must be a finite number of seconds: {text}")
    return number


# The defaults of the classes, so that they are written only once.
_DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(Emulator).parameters.items()
}


def _option(name: str, parse: Callable[[str], Any], help: str) -> Option:  # noqa: A002
    return Option(name, parse, _DEFAULTS[name.replace("-", "_")], help)


OPTIONS = (
    _option("host", str, "the address to bind to"),
    # The same one each time, so that a command that calls it need not be changed.
    Option("port", _port, 4510, "the port to bind to; 0 takes a free one"),
    _option("seed", _whole_number, "the source of the data"),
    _option("exports", _count, "how many exports there are"),
    _option("agents", _count, "how many agents there are"),
    _option("import-tasks", _count, "how many import tasks there are"),
    _option("continuous-exports", _count, "how many continuous exports there are"),
    _option("tags", _count, "how many tags there are"),
    _option("configurations", _count, "how many there are of each type"),
    _option("export-duration", _seconds, "seconds that an export takes"),
    _option("visibility-delay", _seconds, "seconds for which a started export is not listed"),
    _option("url-lifetime", _seconds, "seconds that a download URL works"),
    _option(
        "exports-per-day",
        _count,
        "how many exports can be started in 24 hours; any number if left out",
    ),
    _option(
        "refuse-repeats",
        _truth,
        "whether the same range of the same agent is not exported twice (yes or no)",
    ),
    _option("agent-days", _seconds, "the most days of data that an agent has"),
    _option("connections", _seconds, "how many a server opens in 15 minutes, on average"),
    _option(
        "export-size-limit",
        _count,
        "the most bytes of CSV that an agent's export has; any number if left out",
    ),
    _option(
        "quirks",
        Quirks.parse,
        "what varies in archives, such as crlf,folder=a/b,timestamps=iso",
    ),
    _option("archive-size", _count, "the least size of an archive in bytes"),
)


def run(options: Mapping[str, Any]) -> int:
    """Run an emulator until the process is interrupted or terminated.

    A signal that the process was started to ignore, as a shell does for background jobs, stays
    ignored.

    :param options: the arguments of ``Emulator``.
    :return: the exit status; 141, as after SIGPIPE, if its output is no longer read.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        try:
            emulator = stack.enter_context(Emulator(**options))
        except OSError as error:
            place = f"{options['host']} port {options['port']}"
            sys.stderr.write(f"Cannot listen on {place}: {error.strerror or error}\n")
            return 1
        if not _say(
            f"AWS Application Discovery Service emulator at {emulator.endpoint_url}\n"
            "Call it with the AWS CLI:\n"
            f"  AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} "
            f"aws discovery describe-export-tasks --endpoint-url {emulator.endpoint_url} "
            f"--region {REGION}\n"
            "Stop it with Ctrl-C."
        ):
            return _CLOSED_PIPE
        stop.wait()
    return 0 if _say("Stopped.") else _CLOSED_PIPE


def _say(text: str) -> bool:
    """Print something. Return whether it is still read."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The rest of the buffer is discarded silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
