"""Shared by the tests of downloads: an emulator with an export to download, and no pauses."""

from collections.abc import Iterator

import pytest

from aiodiscovery._client import Backoff
from aiodiscovery.emulator import Emulator


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiodiscovery._exports.transfer._BACKOFF", Backoff(0.001, 0.001))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    # The same as support.downloads.SIZE, which cannot be imported if httpx2 is not installed. Few
    # servers, so that an archive is made soon.
    with Emulator(archive_size=300_000, agents=1, configurations=2) as running:
        yield running


@pytest.fixture
def export_id(emulator: Emulator) -> str:
    return emulator.add_export(status="SUCCEEDED")


@pytest.fixture
def archive(emulator: Emulator, export_id: str) -> bytes:
    return emulator.archive(export_id)
