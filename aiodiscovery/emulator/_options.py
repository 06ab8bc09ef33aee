"""What the emulator can be told on a command line, for whatever parses that."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._emulator import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Emulator

__all__ = ["OPTIONS", "Option", "run"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line, named as the parameter of ``Emulator`` is."""

    #: With hyphens, and without those in front.
    name: str
    #: Makes the value of the text that was given.
    #:
    #: :raises ValueError: where it is none, with what is allowed.
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


OPTIONS = (
    Option("host", str, "127.0.0.1", "the address to bind to"),
    Option("port", _port, 4510, "the port to bind to; 0 takes a free one"),
    Option("seed", _whole_number, 0, "what the data is made from"),
    Option("exports", _count, 25, "how many exports there are"),
    Option("agents", _count, 10, "how many agents there are"),
    Option("import-tasks", _count, 5, "how many import tasks there are"),
    Option("continuous-exports", _count, 2, "how many continuous exports there are"),
    Option("tags", _count, 20, "how many tags there are"),
    Option("configurations", _count, 50, "how many there are of each type"),
    Option("export-duration", _seconds, 5.0, "seconds that an export takes"),
    Option("visibility-delay", _seconds, 0.0, "seconds that a started export cannot be seen"),
    Option("url-lifetime", _seconds, 3600.0, "seconds that a download URL works"),
    Option(
        "exports-per-day",
        _count,
        None,
        "how many exports can be started in 24 hours (the service allows 2); any number where it "
        "is left out",
    ),
    Option("archive-size", _count, 0, "bytes that an archive has at least"),
)


def run(options: Mapping[str, Any]) -> int:
    """Run an emulator until the process is interrupted or terminated.

    :param options: what ``Emulator`` takes.
    :return: the exit status.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Emulator(**options) as emulator:
            _say(
                f"AWS Application Discovery Service emulator at {emulator.endpoint_url}\n"
                "Call it with the AWS CLI:\n"
                f"  AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} "
                f"aws discovery describe-export-tasks --endpoint-url {emulator.endpoint_url} "
                f"--region {REGION}\n"
                "Stop it with Ctrl-C."
            )
            stop.wait()
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"Cannot listen on {options['host']} port {options['port']}: {reason}\n")
        return 1
    _say("Stopped.")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
