"""Realistic data of a data center: the same for the same seed, whatever the counts.

Each kind of data has its own source of randomness. So asking for more of one kind does not change
any other, and the first items stay the same when there are more of them.
"""

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ._times import DAY as _DAY
from ._times import HOUR as _HOUR
from ._times import iso

__all__ = [
    "BASE_TIME",
    "PROCESSES",
    "Host",
    "Item",
    "SeededExport",
    "account_number",
    "applications",
    "configurations",
    "continuous_exports",
    "export_ids",
    "exports",
    "generator",
    "hosts",
    "import_tasks",
    "tags",
]

Item = dict[str, Any]

# 1 June 2025, UTC. Fixed, so that the same seed gives the same data on any day.
BASE_TIME = 1_748_736_000.0

_SITES = ("fra1", "iad2", "pdx1", "sin3")
_SYSTEMS = (
    ("Linux - Amazon Linux", "2023.6.20241010"),
    ("Linux - Red Hat Enterprise Linux", "9.4 (Plow)"),
    ("Linux - Ubuntu", "22.04.5 LTS"),
    ("Windows Server 2019 Standard", "10.0.17763"),
    ("Windows Server 2022 Datacenter", "10.0.20348"),
)
PROCESSES = {
    "web": ("nginx", "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx", 443),
    "app": ("java", "/usr/bin/java", "java -Xmx4g -jar /opt/shop/shop.jar", 8080),
    "db": ("postgres", "/usr/bin/postgres", "postgres -D /var/lib/pgsql/data", 5432),
    "cache": ("redis-server", "/usr/bin/redis-server", "redis-server *:6379", 6379),
    "queue": ("beam.smp", "/usr/lib/erlang/bin/beam.smp", "beam.smp -W w -MBas ageffcbf", 5672),
}
_ROLES = tuple(PROCESSES)
_APPLICATIONS = ("billing", "catalog", "checkout", "identity", "inventory", "reporting", "search")


def generator(seed: int | str, kind: str) -> random.Random:
    """Return a source of randomness that is the same for the same seed and kind."""
    return random.Random(f"{seed}/{kind}")  # noqa: S311 - made-up data, nothing that is secret


@dataclass(frozen=True, slots=True)
class Host:
    """A server of the data center, with the agent that runs on it."""

    server_id: str
    agent_id: str
    name: str
    role: str
    ip_address: str
    mac_address: str
    os_name: str
    os_version: str


def _hex(rng: random.Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


@lru_cache(maxsize=16)
def hosts(seed: int | str, count: int) -> tuple[Host, ...]:
    """Make servers."""
    rng = generator(seed, "hosts")
    return tuple(_host(rng, index) for index in range(count))


def _host(rng: random.Random, index: int) -> Host:
    role, site = rng.choice(_ROLES), rng.choice(_SITES)
    os_name, os_version = rng.choice(_SYSTEMS)
    return Host(
        server_id=f"d-server-{_hex(rng, 17)}",
        # Agents on EC2 have a different kind of id.
        agent_id=f"{'i' if index % 7 == 5 else 'o'}-{_hex(rng, 17)}",
        name=f"{role}-{index:04d}.{site}.example.com",
        role=role,
        ip_address=f"10.{index // 62500 % 256}.{index // 250 % 250}.{index % 250 + 1}",
        mac_address="02:" + ":".join(_hex(rng, 2) for _ in range(5)).upper(),
        os_name=os_name,
        os_version=os_version,
    )


def account_number(seed: int) -> str:
    """Make the number of the account, with leading zeros."""
    return f"00{generator(seed, 'account').randrange(10**10):010d}"


def import_tasks(seed: int, count: int) -> list[Item]:
    """Make what DescribeImportTasks lists."""
    rng = generator(seed, "imports")
    return [_import_task(rng, index) for index in range(count)]


def _import_task(rng: random.Random, index: int) -> Item:
    status = rng.choices(
        ("IMPORT_COMPLETE", "IMPORT_COMPLETE_WITH_ERRORS", "IMPORT_FAILED_RECORD_LIMIT_EXCEEDED"),
        (6, 2, 1),
    )[0]
    imported = 0 if status.startswith("IMPORT_FAILED") else rng.randrange(20, 900)
    requested = BASE_TIME - 90 * _DAY + index * 5 * _HOUR
    return {
        "importTaskId": f"import-task-{_hex(rng, 32)}",
        "clientRequestToken": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "name": f"{rng.choice(_SITES)}-servers-{index + 1:03d}",
        "importUrl": f"s3://discovery-imports/2025/servers-{index + 1:03d}.csv",
        "status": status,
        "importRequestTime": requested,
        "importCompletionTime": requested + rng.randrange(30, 900),
        "fileClassification": rng.choice(("IMPORT_TEMPLATE", "RVTOOLS_EXPORT")),
        "serverImportSuccess": imported,
        "serverImportFailure": 0 if status == "IMPORT_COMPLETE" else rng.randrange(1, 20),
        "applicationImportSuccess": imported // 10,
        "applicationImportFailure": 0,
    }


def continuous_exports(seed: int, count: int) -> list[Item]:
    """Make what DescribeContinuousExports lists: the first one runs, the others have ended."""
    rng = generator(seed, "continuous")
    return [_continuous_export(rng, index) for index in range(count)]


def _continuous_export(rng: random.Random, index: int) -> Item:
    started = BASE_TIME - (index + 1) * 30 * _DAY
    item: Item = {
        "exportId": f"export-{uuid.UUID(int=rng.getrandbits(128), version=4)}",
        "status": "ACTIVE" if index == 0 else "INACTIVE",
        "s3Bucket": f"aws-application-discovery-service-{_hex(rng, 12)}",
        "startTime": started,
        "dataSource": "AGENT",
        "schemaStorageConfig": {"databaseName": "application_discovery_service_database"},
    }
    if index:
        item["stopTime"] = started + 20 * _DAY
    return item


# What follows is the same for all emulators with the same numbers, and most have the same. It is
# made once, so that a test with an emulator of its own does not pay for a data center. The
# pages hold copies of the items.


@lru_cache(maxsize=4)
def tags(seed: int, count: int) -> tuple[Item, ...]:
    """Make what DescribeTags lists: up to three tags per server."""
    rng = generator(seed, "tags")
    values = {
        "environment": ("production", "staging", "test"),
        "owner": ("payments", "platform", "storefront"),
        "wave": ("1", "2", "3", "4"),
    }
    keys = tuple(values)
    servers = hosts(seed, -(-count // len(keys)))
    return tuple(
        {
            "configurationType": "SERVER",
            "configurationId": servers[index // len(keys)].server_id,
            "key": keys[index % len(keys)],
            "value": rng.choice(values[keys[index % len(keys)]]),
            "timeOfCreation": BASE_TIME - 20 * _DAY + index * 60.0,
        }
        for index in range(count)
    )


@lru_cache(maxsize=4)
def configurations(seed: int, count: int) -> Mapping[str, tuple[Item, ...]]:
    """Make what ListConfigurations lists, ``count`` items for each configuration type."""
    servers = hosts(seed, count)
    processes = tuple(_process(seed, host, index) for index, host in enumerate(servers))
    return {
        "SERVER": tuple(_server(seed, host, index) for index, host in enumerate(servers)),
        "PROCESS": processes,
        "CONNECTION": tuple(_connections(seed, servers, processes)),
        "APPLICATION": applications(seed, count),
    }


@lru_cache(maxsize=4)
def applications(seed: int, count: int) -> tuple[Item, ...]:
    """Make the configuration items of the type APPLICATION."""
    return tuple(_application(seed, index, count) for index in range(count))


def _server(seed: int, host: Host, index: int) -> Item:
    rng = generator(seed, f"server/{index}")
    return {
        "server.configurationId": host.server_id,
        "server.agentId": host.agent_id,
        "server.hostName": host.name,
        "server.osName": host.os_name,
        "server.osVersion": host.os_version,
        "server.type": rng.choice(("OTHER", "VMWARE_VM")),
        "server.performance.avgCpuUsagePct": f"{rng.uniform(1, 95):.2f}",
        "server.performance.avgFreeRAMInKB": str(rng.randrange(500_000, 16_000_000)),
        "server.timeOfCreation": iso(BASE_TIME - 60 * _DAY + index * 60),
    }


def _process(seed: int, host: Host, index: int) -> Item:
    rng = generator(seed, f"process/{index}")
    name, path, command_line, _ = PROCESSES[host.role]
    return {
        "process.configurationId": f"d-process-{_hex(rng, 17)}",
        "process.name": name,
        "process.path": path,
        "process.commandLine": command_line,
        "process.timeOfCreation": iso(BASE_TIME - 50 * _DAY + index * 60),
        "server.configurationId": host.server_id,
        "server.agentId": host.agent_id,
        "server.hostName": host.name,
        "server.osName": host.os_name,
        "server.osVersion": host.os_version,
    }


def _connections(
    seed: int, servers: tuple[Host, ...], processes: tuple[Item, ...]
) -> Iterator[Item]:
    for index, host in enumerate(servers):
        rng = generator(seed, f"connection/{index}")
        # To an earlier server (the first one to itself), so that the first connections stay the
        # same when there are more.
        other = rng.randrange(max(index, 1))
        yield {
            "connection.configurationId": f"d-connection-{_hex(rng, 17)}",
            "connection.sourceIp": host.ip_address,
            "connection.destinationIp": servers[other].ip_address,
            "connection.destinationPort": str(PROCESSES[servers[other].role][3]),
            "connection.ipVersion": "IPv4",
            "connection.transportProtocol": "TCP",
            **_connection_end("source", host, processes[index]),
            **_connection_end("destination", servers[other], processes[other]),
        }


def _connection_end(end: str, host: Host, process: Item) -> Item:
    return {
        f"{end}Server.configurationId": host.server_id,
        f"{end}Server.agentId": host.agent_id,
        f"{end}Server.hostName": host.name,
        f"{end}Server.osName": host.os_name,
        f"{end}Server.osVersion": host.os_version,
        f"{end}Process.configurationId": process["process.configurationId"],
        f"{end}Process.name": process["process.name"],
        f"{end}Process.commandLine": process["process.commandLine"],
    }


def _application(seed: int, index: int, servers: int) -> Item:
    rng = generator(seed, f"application/{index}")
    name = rng.choice(_APPLICATIONS)
    created = BASE_TIME - 40 * _DAY + index * 60
    return {
        "application.configurationId": f"d-application-{_hex(rng, 17)}",
        "application.name": f"{name}-{index + 1:02d}",
        "application.description": f"The {name} system",
        "application.serverCount": str(min(rng.randrange(1, 12), servers)),
        "application.timeOfCreation": iso(created),
        "application.lastModifiedTime": iso(created + rng.randrange(20) * _DAY),
    }


def export_ids(seed: int) -> Iterator[str]:
    """Generate the ids of exports, endlessly."""
    rng = generator(seed, "export ids")
    while True:
        yield f"export-{uuid.UUID(int=rng.getrandbits(128), version=4)}"


@dataclass(frozen=True, slots=True)
class SeededExport:
    """An export that had ended before the emulator was started."""

    requested: float
    failed: bool
    truncated: bool
    agent_id: str | None
    start: float | None
    end: float | None


def exports(seed: int, count: int, lives: Mapping[str, range]) -> Iterator[SeededExport]:
    """Generate exports that have ended, one every three minutes, most of them successfully.

    :param lives: the agents that may have been exported, and the seconds for which they have data
    """
    agent_ids = tuple(lives)
    rng = generator(seed, "exports")
    for index in range(count):
        # Always the same number of draws, so that an export does not depend on earlier ones.
        of_agent, failed, ranged, truncated = (rng.random() for _ in range(4))
        pick, hours = rng.random(), rng.randrange(1, 73)
        agent_id = None
        if agent_ids and of_agent < 0.4:
            agent_id = agent_ids[int(pick * len(agent_ids))]
        start: float | None = None
        end: float | None = None
        if agent_id is not None and ranged < 0.7:
            life = lives[agent_id]
            end = float(life.stop - int(len(life) * ranged))
            start = end - hours * _HOUR
        yield SeededExport(
            requested=BASE_TIME + index * 180.0,
            failed=failed < 0.15,
            truncated=failed >= 0.15 and agent_id is not None and truncated < 0.2,
            agent_id=agent_id,
            start=start,
            end=end,
        )
