"""Archives like those of exports, with every possible oddity."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = [
    "ACCOUNT",
    "AGENT",
    "HEADERS",
    "RESULTS",
    "Style",
    "agent_archive",
    "csv_bytes",
    "performance_row",
    "time_text",
    "write_zip",
]

ACCOUNT = "012345678901"
AGENT = "o-0123456789abcdefg"
_CONNECTION = [
    *("accountNumber", "agentId", "sourceIp", "sourcePort", "destinationIp", "destinationPort"),
    *("ipVersion", "transportProtocol", "agentAssignedProcessId", "agentCreationDate"),
]
#: The headers of an agent's files.
HEADERS = {
    "osInfo": [
        *("accountNumber", "agentId", "osName", "osVersion", "cpuType", "hostName", "hypervisor"),
        "timestamp",
    ],
    "networkInterface": [
        *("accountNumber", "agentId", "name", "macAddress", "family", "ipAddress", "gateway"),
        *("netMask", "timestamp"),
    ],
    "process": [
        *("accountNumber", "agentId", "agentAssignedProcessId", "isSystem", "name", "cmdLine"),
        *("path", "agentProvidedTimeStamp"),
    ],
    "sourceProcessConnection": _CONNECTION,
    "destinationProcessConnection": _CONNECTION,
    "systemPerformance": [
        "accountNumber",
        "agentId",
        "totalDiskBytesReadPerSecond (Kbps)",
        "totalDiskBytesWrittenPerSecond (Kbps)",
        "totalDiskReadOpsPerSecond",
        "totalDiskWriteOpsPerSecond",
        "totalNetworkBytesReadPerSecond (Kbps)",
        "totalNetworkBytesWrittenPerSecond (Kbps)",
        "totalNumLogicalProcessors",
        "totalNumCores",
        "totalNumCpus",
        "totalNumDisks",
        "totalNumNetworkCards",
        "totalCpuUsagePct",
        "totalDiskSize (GB)",
        "totalDiskFreeSize (GB)",
        "totalRAM (MB)",
        "freeRAM (MB)",
        "timestamp",
    ],
}
RESULTS: dict[str, Any] = {
    "CustomerAccount": ACCOUNT,
    "RequestedFilters": [{"Name": "agentId", "Values": [AGENT], "Condition": "EQUALS"}],
    "RequestedStartTime": "2026-01-05 00:00:00",
    "RequestedEndTime": "2026-01-08 00:00:00",
    "ResultFilesGenerated": 6,
    "TotalSizeOfResultFiles": 1234,
    "ExportStartedAt": "2026-01-09 00:00:00",
    "ExportStatus": "SUCCEEDED",
    "StatusMessage": "",
    "ExportSummary": {
        "isTruncated": False,
        "ActualStartTime": "2026-01-05 00:15:00",
        "ActualEndTime": "2026-01-07 23:45:00",
    },
}


@dataclass(frozen=True)
class Style:
    """How the files of an archive are written."""

    bom: bool = False
    newline: str = "\n"
    quote_all: bool = False
    ends_with_newline: bool = True


def time_text(when: datetime, form: str) -> str:
    """Write a time in one of the formats of archives."""
    match form:
        case "us":
            return f"{when:%m/%d/%Y %I:%M:%S %p}"
        case "us lower":
            return f"{when:%m/%d/%Y %I:%M:%S %p}".lower()
        case "us short":
            half = "am" if when.hour < 12 else "pm"
            hour = when.hour % 12 or 12
            return f"{when.month}/{when.day}/{when.year:04} {hour}:{when:%M:%S} {half}"
        case "iso":
            return f"{when:%Y-%m-%dT%H:%M:%S}Z"
        case "iso millis":
            return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z"
        case "iso naive":
            return f"{when:%Y-%m-%dT%H:%M:%S}"
        case "iso offset":
            return f"{when + timedelta(hours=5, minutes=30):%Y-%m-%dT%H:%M:%S}+05:30"
        case "sql":
            return f"{when:%Y-%m-%d %H:%M:%S}"
        case "sql zone":
            return f"{when:%Y-%m-%d %H:%M:%S}Z"
        case _:
            raise AssertionError(form)


def csv_bytes(
    header: Sequence[str], rows: Sequence[Sequence[object]], style: Style = Style()
) -> bytes:
    """Write a CSV file. None is an empty cell."""
    lines = [_line(header, style)]
    last: Sequence[object] | None = None
    for row in rows:
        # Most rows of large tables are the same object.
        lines.append(lines[-1] if row is last else _line(row, style))
        last = row
    text = style.newline.join(lines) + (style.newline if style.ends_with_newline else "")
    return (b"\xef\xbb\xbf" if style.bom else b"") + text.encode()


def _line(row: Sequence[object], style: Style) -> str:
    return ",".join(_cell(value, style) for value in row)


def _cell(value: object, style: Style) -> str:
    # The csv module of Python 3.11 leaves a lone CR unquoted.
    text = "" if value is None else str(value)
    if style.quote_all or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


class _Unseekable(io.RawIOBase):
    """A stream that makes zipfile write data descriptors."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def write_zip(
    path: Path,
    files: Mapping[str, bytes],
    *,
    folder: str = "",
    stored: bool = False,
    data_descriptors: bool = False,
) -> Path:
    """Write a zip archive of these files."""
    target: Any = _Unseekable(path) if data_descriptors else path.open("wb")
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with target, zipfile.ZipFile(target, "w", method) as archive:
        if folder:
            archive.writestr(f"{folder}/", b"")
        for name, data in files.items():
            archive.writestr(f"{folder}/{name}" if folder else name, data)
    return path


def agent_archive(
    path: Path,
    tables: Mapping[str, bytes],
    results: Mapping[str, Any] | bytes | None = RESULTS,
    **options: Any,
) -> Path:
    """Write the archive of an agent's export, from the bytes of each type."""
    files = {f"{ACCOUNT}_{type_}.csv": data for type_, data in tables.items()}
    if results is not None:
        data = results if isinstance(results, bytes) else json.dumps(results).encode()
        files[f"{ACCOUNT}_results.json"] = data
    return write_zip(path, files, **options)


def performance_row(when: str, **values: object) -> list[object]:
    """Make a row of systemPerformance."""
    row: dict[str, object] = dict(zip(HEADERS["systemPerformance"], range(19), strict=True))
    row |= {"accountNumber": ACCOUNT, "agentId": AGENT, "timestamp": when} | values
    return list(row.values())
