"""One export: starting it, and getting its archive whole onto disk."""

from .download import DownloadedExport, download_export
from .redaction import hide_signatures, hide_signatures_in_logs
from .start import check_time, start_export

__all__ = [
    "DownloadedExport",
    "check_time",
    "download_export",
    "hide_signatures",
    "hide_signatures_in_logs",
    "start_export",
]
