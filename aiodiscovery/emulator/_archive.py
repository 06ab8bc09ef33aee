"""What a download URL leads to: a zip of CSV files, the same bytes for the same export."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from ._data import generator, hosts

__all__ = ["Archive", "build_archive"]

_Rows = Iterable[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Archive:
    """The bytes of an archive and the tag that names this very version of it."""

    body: bytes
    etag: str

    def corrupted(self) -> "Archive":
        """Return it with a wrong byte in the middle, and the same tag."""
        middle = len(self.body) // 2
        wrong = bytes([self.body[middle] ^ 0xFF])
        return replace(self, body=self.body[:middle] + wrong + self.body[middle + 1 :])


@lru_cache(maxsize=16)
def build_archive(
    export_id: str, agent_id: str | None, *, size: int = 0, version: int = 0
) -> Archive:
    """Make the archive of an export.

    :param agent_id: the agent whose data it holds; None for the summary of all servers
    :param size: how many bytes it has at least
    :param version: which one of its archives; each has other data
    """
    seed = f"{export_id}/{version}" if version else export_id
    tables = _summary_tables(seed) if agent_id is None else _agent_tables(seed, agent_id)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            archive.writestr(_member(name), _csv(rows), zipfile.ZIP_DEFLATED)
        if size:
            padding = _padding(generator(seed, "padding"), size)
            archive.writestr(_member("Padding.csv"), padding, zipfile.ZIP_STORED)
    body = buffer.getvalue()
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Archive(body, f'"{digest}"')


def _csv(rows: _Rows) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    # A fixed time and system: otherwise the bytes would differ from call to call.
    info = zipfile.ZipInfo(name, date_time=(2026, 1, 5, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _padding(rng: Random, size: int) -> bytes:
    """Make a table of at least so many bytes."""
    digests = (rng.randbytes(32).hex() for _ in range(size // 64 + 1))
    return "\r\n".join(["Digest", *digests, ""]).encode("ascii")


def _summary_tables(seed: str) -> dict[str, _Rows]:
    rng = generator(seed, "summary")
    servers = hosts(seed, rng.randrange(5, 40))
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


def _agent_tables(seed: str, agent_id: str) -> dict[str, _Rows]:
    rng = generator(seed, "agent")
    host, *peers = hosts(seed, rng.randrange(4, 20))
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
