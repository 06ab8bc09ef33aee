"""Run the emulator alone: ``python -m aiodiscovery.emulator``."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from ._emulator import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Emulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is interrupted or terminated.

    :param arguments: the command line; None: that of the process
    :return: the exit status
    """
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Emulator(**vars(options)) as emulator:
            _greet(emulator)
            stop.wait()
    except OSError as error:
        print(
            f"Cannot listen on {options.host} port {options.port}: {error.strerror or error}",
            file=sys.stderr,
        )
        return 1
    print("Stopped.", flush=True)
    return 0


def _greet(emulator: Emulator) -> None:
    print(
        f"AWS Application Discovery Service emulator at {emulator.endpoint_url}\n"
        "Call it with the AWS CLI:\n"
        f"  AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} "
        f"aws discovery describe-export-tasks --endpoint-url {emulator.endpoint_url} "
        f"--region {REGION}\n"
        "Stop it with Ctrl-C.",
        flush=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aiodiscovery.emulator",
        description="Run a local AWS Application Discovery Service.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to bind to")
    add("--port", type=_port, default=4510, help="the port to bind to; 0 takes a free one")
    add("--seed", type=int, default=0, help="what the data is made from")
    for name, default in (
        ("exports", 25),
        ("agents", 10),
        ("import-tasks", 5),
        ("continuous-exports", 2),
        ("tags", 20),
    ):
        add(f"--{name}", type=_count, default=default, help=f"how many {name} there are")
    add("--configurations", type=_count, default=50, help="how many there are of each type")
    add("--export-duration", type=_seconds, default=5.0, help="seconds that an export takes")
    add(
        "--visibility-delay",
        type=_seconds,
        default=0.0,
        help="seconds that a started export cannot be seen",
    )
    add("--url-lifetime", type=_seconds, default=3600.0, help="seconds that a download URL works")
    add(
        "--exports-per-day",
        type=_count,
        default=None,
        help="how many exports can be started in 24 hours (the service allows 2); any number "
        "where it is left out",
    )
    add("--archive-size", type=_count, default=0, help="bytes that an archive has at least")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must not be negative: {text}")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"must be between 0 and 65535: {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number of seconds: {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
