"""Text from elsewhere, as the command shows it."""

import re

from aiodiscovery._client import printable

__all__ = ["one_line"]

#: The most characters of a text that are shown.
_MOST = 1_000
_SPACE = re.compile(r"\s")


def one_line(text: object, most: int = _MOST) -> str:
    """Return text from elsewhere in a safe form, with any white space as a single blank.

    :param most: the most characters that are returned.
    """
    return " ".join(printable(_SPACE.sub(" ", str(text)), most).split())
