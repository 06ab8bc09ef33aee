"""The documentation as a program: its code blocks, run in order, with the output that they show.

A page is Markdown. Of its fenced blocks

- ``python`` is run, and may await. All blocks of a page share their names. One that calls ``run()``
  of an event loop, or has tests, is run in a separate process;
- ``text`` right after it is its output;
- ``console`` is a session in a shell: each line after ``$`` is run, and the lines that follow are
  its output on stdout.

``...`` in an output stands for anything, as in doctest.
"""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Block", "blocks", "differs", "sessions"]

_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[\w-]+)[^\n]*\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_CHECKER = doctest.OutputChecker()
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block of a page."""

    path: Path
    #: Where its text begins.
    line: int
    language: str
    text: str

    def source(self) -> str:
        """Return its text with its original line numbers, so that a traceback names them."""
        return "\n" * (self.line - 1) + self.text


def blocks(path: Path) -> Iterator[Block]:
    """Iterate over the fenced blocks of a page, in order."""
    page = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(page):
        line = page.count("\n", 0, found.start("text")) + 1
        yield Block(path, line, found["language"], found["text"])


def sessions(block: Block) -> Iterator[tuple[str, str]]:
    """Iterate over the commands of a ``console`` block, with the outputs that it shows."""
    command: str | None = None
    output: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, "\n".join(output)
            command, output = line[2:], []
        elif command is not None and command.endswith("\\"):
            command = f"{command[:-1].rstrip()} {line.strip()}"
        else:
            output.append(line)
    if command is not None:
        yield command, "\n".join(output)


def differs(expected: str, printed: str) -> str | None:
    """Say how an output differs from the one that is shown; None if it does not."""
    expected, printed = expected.rstrip() + "\n", printed.rstrip() + "\n"
    if _CHECKER.check_output(expected, printed, _FLAGS):
        return None
    return _CHECKER.output_difference(doctest.Example("", expected), printed, _FLAGS)
