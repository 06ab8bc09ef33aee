"""Waiting: one poller asks the service on behalf of all waiting tasks."""

from .agenda import Outage
from .checks import check_delays
from .jobs import ExportUpdate, JobUpdate
from .statistics import WatcherStatistics
from .watchers import BatchDeleteWatcher, ExportWatcher, ImportWatcher, wait_for_exports

__all__ = [
    "BatchDeleteWatcher",
    "ExportUpdate",
    "ExportWatcher",
    "ImportWatcher",
    "JobUpdate",
    "Outage",
    "WatcherStatistics",
    "check_delays",
    "wait_for_exports",
]
