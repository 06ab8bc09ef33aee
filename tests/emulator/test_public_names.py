"""The public names of the emulator's package."""

from aiodiscovery import emulator


def test_the_package_hands_out_these_names() -> None:
    assert sorted(emulator.__all__) == [
        "DroppedConnection",
        "Emulator",
        "ForeignAnswer",
        "ForeignKind",
        "OPTIONS",
        "Option",
        "Quirks",
        "RecordedDownload",
        "RecordedRequest",
        "ServiceError",
        "run",
    ]


def test_the_methods_for_tests_are_documented() -> None:
    public = [name for name in dir(emulator.Emulator) if not name.startswith("_")]
    assert len(public) > 40
    assert [name for name in public if not getattr(emulator.Emulator, name).__doc__] == []
