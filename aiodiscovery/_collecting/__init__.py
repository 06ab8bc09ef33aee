"""Collecting everything that agents have: planned, started once, and kept in a ledger."""

from .collect import check_collection, collect_exports
from .progress import CollectedWindow, CollectionProgress
from .report import (
    AgentReport,
    CollectedFile,
    CollectionReport,
    MissingRange,
    MissingReason,
    TimeRange,
)

__all__ = [
    "AgentReport",
    "CollectedFile",
    "CollectedWindow",
    "CollectionProgress",
    "CollectionReport",
    "MissingRange",
    "MissingReason",
    "TimeRange",
    "check_collection",
    "collect_exports",
]
