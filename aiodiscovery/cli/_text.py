"""Text that is not ours, as the command shows it."""

import re

from aiodiscovery._client import printable

__all__ = ["one_line"]

#: How many characters of a text are shown.
_MOST = 1_000
_SPACE = re.compile(r"\s")


def one_line(text: object, most: int = _MOST) -> str:
    """Return text as the package shows what is not its own, with any space as a single blank.

    :param most: how many characters there are at most.
    """
    return " ".join(printable(_SPACE.sub(" ", str(text)), most).split())
