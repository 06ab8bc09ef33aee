"""Finding the archives that a caller means."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["Source", "find_archives"]

#: The path of an archive, or of a folder with archives.
Source = str | os.PathLike[str]


def find_archives(sources: Source | Iterable[Source]) -> list[Path]:
    """Return the paths of all archives that the caller means, each once.

    :param sources: archives, and folders in which every file ``*.zip`` is one, at any depth; a
        single one or several.
    :return: the archives, in the order of the sources, those of a folder by name. It is not checked
        whether they exist, or what is in them.
    :raises OSError: if a folder cannot be read.
    """
    found: dict[str, Path] = {}
    for source in [sources] if isinstance(sources, str | os.PathLike) else sources:
        for path in _in_folder(source) if os.path.isdir(source) else [Path(source)]:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _in_folder(folder: Source) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".zip"):
                yield Path(parent, name)


def _raise(error: OSError) -> None:
    raise error
