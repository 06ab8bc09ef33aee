"""Shared by the tests of the command: the command inside the test's process."""

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.loaders import create_loader

from aiodiscovery.emulator import Emulator

pytest.importorskip("click")
pytest.importorskip("rich")

Main = Callable[..., int]

#: Keeps the files of botocore that it has read, which a command does once.
shared_loader = cache(create_loader)


@pytest.fixture(autouse=True)
def no_ids_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the ids that the command remembers out of the user's cache directory."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setenv("LOCALAPPDATA", str(cache))
        yield cache / "aiodiscovery" / "recent-ids.json"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run an emulator whose exports run until they are ended."""
    with Emulator(export_duration=None, exports=12) as emulator:
        yield emulator


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Main:
    """Run the command inside this process, which is faster than a separate one."""
    from aiodiscovery.cli import main  # noqa: PLC0415  # it needs the extra

    monkeypatch.setattr("botocore.session.create_loader", shared_loader)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["aiodiscovery", *arguments])
        return main()

    return run


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Emulator:
    """Make this process use the emulator as AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return emulator
