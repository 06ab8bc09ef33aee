"""From the archive of an export to typed tables. It comes with the extra ``tables``.

::

    from aiodiscovery.tables import open_archive, write_parquet

    with open_archive("export-1.zip") as archive:
        archive.export.truncated
        archive.read("sys_performance_agent").to_pandas()
    write_parquet("archives", "tables")

Everything here blocks and takes CPU time. Asynchronous code calls it in a thread, as with
``anyio.to_thread.run_sync``.

``_schemas`` and ``_names`` say which tables and columns there are, ``_members`` which file is
which, ``_parsing`` and ``_results`` what texts mean: none of them does I/O. ``_zip`` and ``_rows``
read what is in an archive, ``_values`` and ``_reading`` make tables of it, ``_archive`` hands them
out, ``_find`` finds archives and ``_parquet`` writes them.
"""

try:
    import pyarrow  # noqa: F401  # only to say what is missing
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
