"""Run the emulator alone: ``python -m aiodiscovery.emulator``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ._options import OPTIONS, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is interrupted or terminated.

    :param arguments: the command line; None: that of the process
    :return: the exit status
    """
    return run(vars(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aiodiscovery.emulator",
        description="Run a local AWS Application Discovery Service.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for option in OPTIONS:
        parser.add_argument(
            f"--{option.name}", type=_type(option.parse), default=option.default, help=option.help
        )
    return parser


def _type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            # argparse only shows the text of this kind of error.
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


if __name__ == "__main__":
    sys.exit(main())
