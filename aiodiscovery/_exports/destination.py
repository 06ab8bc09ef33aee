"""Where an archive goes: into a directory, or to the path of a file."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import files

__all__ = ["Destination"]

_SUFFIX = ".zip"


class Destination:
    """Where an archive goes.

    :param destination: the path of a file if it ends in ``.zip``, else a directory, which is
        created if it does not exist.
    :param export_id: names the file in a directory.
    :raises ValueError: if it is not a path.
    :raises OSError: if something that exists is in the way. Nothing is created yet. Blocks.
    """

    def __init__(self, destination: Any, export_id: str) -> None:
        text = _text_of(destination)
        path = Path(text)
        is_directory = text.endswith((os.sep, os.altsep or os.sep)) or path.is_dir()
        if not is_directory and path.name.lower().endswith(_SUFFIX):
            self.path = path
            if not path.parent.is_dir():
                raise FileNotFoundError(
                    f"there is no directory {str(path.parent)!r} to download to"
                )
        else:
            self.path = path / f"{export_id}{_SUFFIX}"
            if not path.is_dir() and os.path.lexists(path):
                raise NotADirectoryError(
                    f"{str(path)!r} is not a directory; the path of a file ends in {_SUFFIX!r}"
                )
        files.stat_regular(self.path)
        with suppress(FileNotFoundError):
            # Checked with the longest of the names beside it, which may be too long for the system.
            self.path.with_name(f"{self.path.name}.unverified-99").lstat()

    def make_directory(self) -> None:
        """Create the directory of the file if it does not exist."""
        os.makedirs(self.path.parent, exist_ok=True)


def _text_of(destination: Any) -> str:
    text = os.fspath(destination)
    if not isinstance(text, str) or not text:
        raise ValueError("destination must be the path of a directory, or of a file in '.zip'")
    if "\0" in text:
        raise ValueError("destination must be a path without a null character")
    return text
