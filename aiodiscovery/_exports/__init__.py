"""One export: starting it, and getting its whole archive onto disk."""

from .archive import find_flaw
from .download import DownloadedExport, check_http_client, download_export
from .start import check_time, start_export

__all__ = [
    "DownloadedExport",
    "check_http_client",
    "check_time",
    "download_export",
    "find_flaw",
    "start_export",
]
