"""The API reference: everything that is public is in it."""

import re
from pathlib import Path

import pytest

import aiodiscovery
from aiodiscovery import emulator, exceptions, tables

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def documented() -> set[str]:
    """Return the names that a directive documents."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(
        r"^\.\. auto(?:class|function|exception|data):: ([\w.]+)", page, re.MULTILINE
    )
    for module in re.findall(r"^\.\. automodule:: ([\w.]+)\n   :members:", page, re.MULTILINE):
        parts = {"emulator": emulator, "exceptions": exceptions, "tables": tables}
        found += [f"{module}.{name}" for name in parts[module.rpartition(".")[2]].__all__]
    return set(found)


def test_the_names_of_the_package_are_documented() -> None:
    known = documented() | {name.replace(".exceptions.", ".") for name in documented()}

    assert {f"aiodiscovery.{name}" for name in aiodiscovery.__all__} - known == set()


@pytest.mark.parametrize("name", ["exceptions", "emulator", "tables"])
def test_the_public_modules_are_documented(name: str) -> None:
    assert f".. automodule:: aiodiscovery.{name}\n   :members:" in PAGE.read_text(encoding="utf-8")


def test_the_version_is_that_of_what_is_installed() -> None:
    from importlib.metadata import version  # noqa: PLC0415

    assert aiodiscovery.__version__ == version("aiodiscovery")
