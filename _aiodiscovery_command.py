"""The command ``aiodiscovery`` until the package is imported.

That takes some tenths of a second, in which Ctrl-C would print the traceback of some import. It is
beside the package because nothing inside can run before the package.
"""

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> int:
    """Run the command line of the process, and return the exit status."""
    # One that the parent wants ignored, as a shell does for what runs in the background, stays so.
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, _end)
    from aiodiscovery.cli import main as run  # noqa: PLC0415  # see above

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


def _end(number: int, frame: FrameType | None) -> None:
    # An exception could be lost in what is being imported. Nothing is open yet.
    if sys.stderr is not None:
        os.write(sys.stderr.fileno(), b"Interrupted.\n")
    os._exit(128 + number)
