"""From the archive of an export to typed tables. It comes with the extra ``tables``.

::

    from aiodiscovery.tables import open_archive, write_parquet

    with open_archive("export-1.zip") as archive:
        archive.export.truncated
        archive.read("sys_performance_agent").to_pandas()
    write_parquet("archives", "tables")

Everything here blocks and takes CPU time. Asynchronous code calls it in a thread, as with
``anyio.to_thread.run_sync``.

``_schemas`` and ``_names`` contain the tables and columns that there are, ``_members`` tells the
files apart, ``_parsing`` and ``_results`` interpret texts. None of them does I/O. ``_zip`` and
``_rows`` read the contents of an archive, ``_values`` and ``_reading`` turn them into tables,
``_archive`` is the interface to them, ``_find`` finds archives, and ``_parquet`` writes them.
"""

try:
    import pyarrow  # noqa: F401  # only to report that it is missing
except ModuleNotFoundError as _error:
    if _error.name != "pyarrow":
        raise
    raise ImportError(
        'aiodiscovery.tables needs pyarrow: pip install "aiodiscovery[tables]"'
    ) from None

from aiodiscovery.exceptions import ArchiveError

from ._archive import Archive, ArchivedTable, open_archive
from ._find import find_archives
from ._parquet import TableFile, write_parquet
from ._results import ArchivedExport

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchivedExport",
    "ArchivedTable",
    "TableFile",
    "find_archives",
    "open_archive",
    "write_parquet",
]
