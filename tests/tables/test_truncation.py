"""A truncated export is told of only if nothing else has the data that it lacks."""

import itertools
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.export_archives import RESULTS, agent_archive

from aiodiscovery.tables import ArchivedExport, write_parquet

AGENT = "o-0123456789abcdef0"
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


def export(start: int, end: int, requested: int | None = None, **more: Any) -> ArchivedExport:
    """Make an export that has the hours from one to another."""
    fields: dict[str, Any] = {
        "agent_id": AGENT,
        "requested_start": MIDNIGHT + timedelta(hours=start),
        "requested_end": MIDNIGHT + timedelta(hours=end if requested is None else requested),
        "actual_end": MIDNIGHT + timedelta(hours=end),
        "truncated": requested is not None,
    }
    return ArchivedExport(**fields | more)


@pytest.mark.parametrize(
    ("others", "lacks"),
    [
        ([], True),
        ([export(10, 72)], False),
        ([export(10, 71)], True),
        ([export(11, 72)], True),
        ([export(30, 72), export(10, 30)], False),
        ([export(10, 30, requested=72), export(30, 72)], False),
        ([export(10, 30, requested=72)], True),
        ([export(0, 72)], False),
        ([export(10, 72, agent_id="o-1")], True),
        ([export(10, 72, account_number="123456789012")], True),
        ([export(10, 72, actual_end=None)], False),
        ([export(10, 72, actual_end=MIDNIGHT + timedelta(hours=60))], False),
        ([export(10, 72, requested=72, actual_end=None)], True),
        ([export(10, 72, requested_start=None)], True),
        (
            [export(10, 72, requested_start=None, actual_start=MIDNIGHT + timedelta(hours=10))],
            False,
        ),
    ],
)
def test_data_is_lacking_unless_other_exports_go_on(
    others: list[ArchivedExport], lacks: bool
) -> None:
    truncated = export(0, 10, requested=72)

    assert truncated.lacks_data([truncated, *others]) is lacks


@pytest.mark.parametrize("field", ["agent_id", "actual_end", "requested_end"])
def test_what_an_archive_does_not_say_is_lacking(field: str) -> None:
    assert export(0, 10, requested=72, **{field: None}).lacks_data([export(0, 72)])


def test_an_export_that_is_not_truncated_lacks_nothing() -> None:
    assert not export(0, 10).lacks_data()
    assert not ArchivedExport().lacks_data()


@given(
    st.sets(st.integers(1, 71), max_size=8),
    st.randoms(use_true_random=False),
    st.integers(0, 8),
)
def test_pieces_without_a_gap_lack_nothing(borders: set[int], chance: Any, left_out: int) -> None:
    ends = sorted({0, *borders, 72})
    pieces = [export(start, end, requested=72) for start, end in itertools.pairwise(ends)]
    chance.shuffle(pieces)

    assert not any(piece.lacks_data(pieces) for piece in pieces)

    gone = pieces.pop(left_out % len(pieces))
    assert [piece.lacks_data(pieces) for piece in pieces] == [
        piece.requested_start is not None
        and gone.requested_start is not None
        and piece.requested_start < gone.requested_start
        for piece in pieces
    ]


def test_no_warning_is_logged_of_an_export_that_others_go_on_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    summary = RESULTS["ExportSummary"]
    truncated = {"isTruncated": True, "ActualEndTime": "2026-01-06 12:00:00"}
    agent_archive(tmp_path / "export-1.zip", {}, RESULTS | {"ExportSummary": summary | truncated})
    caplog.set_level(logging.WARNING)

    write_parquet(tmp_path, tmp_path / "before")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    caplog.clear()
    agent_archive(
        tmp_path / "export-2.zip", {}, RESULTS | {"RequestedStartTime": "2026-01-06 12:00:00"}
    )
    write_parquet(tmp_path, tmp_path / "after")

    assert caplog.records == []
