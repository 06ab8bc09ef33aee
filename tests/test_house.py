"""The house: which room of the package may use which other, checked from the imports.

CONTRIBUTING.md has the same map in words.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import aiodiscovery

PACKAGE = Path(aiodiscovery.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"

#: What each room may use besides itself. The package's own name stands for its public names.
MAY_USE: dict[str, set[str]] = {
    "exceptions": set(),
    "_asynctools": set(),
    "_client": {"exceptions", "_asynctools"},
    "_listing": {"exceptions", "_asynctools", "_client"},
    "_watching": {"exceptions", "_asynctools", "_client", "_listing"},
    "_exports": {"exceptions", "_asynctools", "_client", "_listing"},
    "_collecting": {"exceptions", "_asynctools", "_client", "_listing", "_watching", "_exports"},
    "tables": {"exceptions"},
    "emulator": {"exceptions"},
    "cli": {"aiodiscovery", "exceptions", "_client", "_exports", "_watching", "_listing"}
    | {"emulator", "tables"},
    "airflow": {"aiodiscovery", "exceptions", "_client", "_exports", "_watching", "_listing"},
}
#: The most lines that a file may have.
MAX_LINES = 450


class Import(NamedTuple):
    """An import of something of the package: where it is, and what it imports."""

    path: Path
    line: int
    level: int
    #: The module that is named, below the package; empty for the package itself.
    module: tuple[str, ...]
    names: tuple[str, ...]
    #: Whether it is only for type checkers.
    typing_only: bool

    @property
    def importer(self) -> tuple[str, ...]:
        """Return the module that contains it, below the package."""
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE.parent)}:{self.line}"


def modules() -> list[Path]:
    return sorted(path for suffix in ("py", "pyi") for path in PACKAGE.rglob(f"*.{suffix}"))


def room_of(module: tuple[str, ...]) -> str:
    return module[0] if module else "aiodiscovery"


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    folder = path.parent.relative_to(PACKAGE).parts
    for node in ast.walk(tree):
        typing_only = id(node) in for_types
        if isinstance(node, ast.Import):
            for alias in node.names:
                name, *rest = alias.name.split(".")
                if name == "aiodiscovery":
                    yield Import(path, node.lineno, 0, tuple(rest), (), typing_only)
        elif isinstance(node, ast.ImportFrom):
            parts = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                parts = (*folder[: len(folder) - node.level + 1], *parts)
            elif parts[:1] == ("aiodiscovery",):
                parts = parts[1:]
            else:
                continue
            names = tuple(alias.name for alias in node.names)
            submodules = [name for name in names if is_module((*parts, name))]
            if submodules and len(submodules) == len(names):
                for name in names:
                    yield Import(path, node.lineno, node.level, (*parts, name), (), typing_only)
            else:
                yield Import(path, node.lineno, node.level, parts, names, typing_only)


def is_module(module: tuple[str, ...]) -> bool:
    place = PACKAGE.joinpath(*module)
    return place.is_dir() or place.with_suffix(".py").exists() or place.with_suffix(".pyi").exists()


@cache
def imports() -> list[Import]:
    return [found for path in modules() for found in imports_of(path)]


def across_rooms() -> Iterator[tuple[Import, str, str]]:
    for found in imports():
        here, there = room_of(found.importer), room_of(found.module)
        if found.importer and here != there:
            yield found, here, there


def test_each_room_is_on_the_map() -> None:
    rooms = {room_of(path.relative_to(PACKAGE).with_suffix("").parts) for path in modules()}

    assert rooms - {"__init__"} <= MAY_USE.keys()


def test_a_room_uses_only_the_rooms_that_it_may() -> None:
    wrong = [
        f"{found}: {here} uses {there}"
        for found, here, there in across_rooms()
        if there not in MAY_USE[here]
    ]

    assert wrong == []


def test_a_room_is_used_through_what_it_hands_out() -> None:
    wrong = [
        f"{found}: {'.'.join(found.module)}"
        for found, _, there in across_rooms()
        if there not in ("aiodiscovery", "exceptions") and len(found.module) > 1
    ]

    assert wrong == []


def test_what_is_imported_from_a_private_room_is_in_its_list() -> None:
    wrong = []
    for found, _, there in across_rooms():
        init = PACKAGE / there / "__init__.py"
        if there.startswith("_") and init.exists():
            listed = handed_out(init)
            wrong += [f"{found}: {name}" for name in found.names if name not in listed]

    assert wrong == []


def handed_out(init: Path) -> set[str]:
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_nothing_is_handed_out_that_no_other_room_uses() -> None:
    used: dict[str, set[str]] = {}
    for found, _, there in across_rooms():
        used.setdefault(there, set()).update(found.names)
    for found in imports():
        if not found.importer:
            used.setdefault(room_of(found.module), set()).update(found.names)
    unused = {
        room: handed_out(PACKAGE / room / "__init__.py") - used.get(room, set())
        for room in MAY_USE
        if room.startswith("_") and (PACKAGE / room / "__init__.py").exists()
    }

    assert {room: names for room, names in unused.items() if names} == {}


def test_imports_inside_a_room_are_relative() -> None:
    wrong = [
        str(found)
        for found in imports()
        if not found.level and found.importer and room_of(found.importer) == room_of(found.module)
    ]

    assert wrong == []


def test_no_modules_need_each_other() -> None:
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for found in imports():
        # A room exports names of its modules. The modules do not need the room for that.
        if not found.typing_only and found.module != found.importer and found.module:
            graph.setdefault(found.importer, set()).add(found.module)

    TopologicalSorter(graph).prepare()  # raises CycleError


def test_only_the_command_uses_the_emulator() -> None:
    users = {here for _, here, there in across_rooms() if there == "emulator"}

    assert users <= {"cli"}


def test_a_module_of_a_private_room_has_a_plain_name() -> None:
    wrong = [
        str(path.relative_to(PACKAGE))
        for room in MAY_USE
        if room.startswith("_")
        for path in (PACKAGE / room).glob("*.py*")
        if path.name.startswith("_") and path.stem != "__init__"
    ]

    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_too_long(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        lines = sum(1 for _ in file)

    assert lines <= MAX_LINES


def test_contributing_has_a_line_for_each_room() -> None:
    text = CONTRIBUTING.read_text(encoding="utf-8")
    rooms = {room for room in MAY_USE if (PACKAGE / room).exists() or room == "exceptions"}

    assert {room for room in rooms if not re.search(rf"\| `{room}", text)} == set()
