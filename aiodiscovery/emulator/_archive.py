"""What a download URL leads to: a zip of CSV files, the same bytes for the same export."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ._data import generator, hosts

__all__ = ["Archive", "build_archive"]

_Rows = Iterable[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Archive:
    """The bytes of an archive and the tag that names this very version of it."""

    body: bytes
    etag: str


@lru_cache(maxsize=64)
def build_archive(export_id: str, agent_id: str | None) -> Archive:
    """Make the archive of an export.

    :param agent_id: the agent whose data it holds; None for the summary of all servers
    """
    tables = _summary_tables(export_id) if agent_id is None else _agent_tables(export_id, agent_id)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            # A fixed time and system: otherwise the bytes would differ from call to call.
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 5, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, _csv(rows), zipfile.ZIP_DEFLATED)
    body = buffer.getvalue()
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Archive(body, f'"{digest}"')


def _csv(rows: _Rows) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _summary_tables(export_id: str) -> dict[str, _Rows]:
    rng = generator(export_id, "summary")
    servers = hosts(export_id, rng.randrange(5, 40))
    return {
        "Servers.csv": [
            ("ServerId", "HostName", "IPAddress", "MACAddress", "OSName", "OSVersion"),
            *(
                (h.server_id, h.name, h.ip_address, h.mac_address, h.os_name, h.os_version)
                for h in servers
            ),
        ],
        "Applications.csv": [
            ("ApplicationName", "ServerId"),
            *((h.role, h.server_id) for h in servers),
        ],
        "Tags.csv": [
            ("ServerId", "TagKey", "TagValue"),
            *((h.server_id, "wave", rng.randrange(1, 5)) for h in servers),
        ],
        "ServerPerformance.csv": [
            ("ServerId", "AvgCpuUsagePct", "MaxCpuUsagePct", "AvgFreeRAMInKB"),
            *(
                (
                    h.server_id,
                    round(rng.uniform(1, 50), 2),
                    round(rng.uniform(50, 100), 2),
                    rng.randrange(500_000, 16_000_000),
                )
                for h in servers
            ),
        ],
    }


def _agent_tables(export_id: str, agent_id: str) -> dict[str, _Rows]:
    rng = generator(export_id, "agent")
    host, *peers = hosts(export_id, rng.randrange(4, 20))
    return {
        f"{agent_id}_osInfo.csv": [
            ("agentId", "hostName", "osName", "osVersion"),
            (agent_id, host.name, host.os_name, host.os_version),
        ],
        f"{agent_id}_networkInterface.csv": [
            ("agentId", "ipAddress", "macAddress"),
            (agent_id, host.ip_address, host.mac_address),
        ],
        f"{agent_id}_sourceProcessConnection.csv": [
            ("agentId", "sourceIp", "destinationIp", "destinationPort", "transportProtocol"),
            *(
                (agent_id, host.ip_address, p.ip_address, rng.choice((443, 5432, 6379)), "TCP")
                for p in peers
            ),
        ],
        f"{agent_id}_systemPerformance.csv": [
            ("agentId", "minute", "totalCpuUsagePct", "freeRAMInKB"),
            *(
                (agent_id, m, round(rng.uniform(1, 99), 2), rng.randrange(500_000, 16_000_000))
                for m in range(60)
            ),
        ],
    }
