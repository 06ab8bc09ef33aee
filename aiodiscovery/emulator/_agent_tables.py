"""What an agent sees: rows that depend only on the seed and the time.

Each row belongs to one second, so it is in exactly one of two adjoining ranges.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

from ._data import PROCESSES, Host, generator, hosts
from ._fleet import Agent
from ._machines import machine_of
from ._tables import Row, Table, columns
from ._times import DAY

__all__ = ["AGENT_TABLES", "COMMAND_COLUMNS", "SLOT", "AgentData"]

#: Seconds between two rows of performance.
SLOT = 900

_CONNECTION = columns(
    "accountNumber agentId sourceIp sourcePort destinationIp destinationPort ipVersion "
    "transportProtocol agentAssignedProcessId agentCreationDate",
    times="agentCreationDate",
)
#: Later additions to connections. No public program shows the names of these two columns.
COMMAND_COLUMNS = columns("commandPath commandParameters")

_COLUMNS = {
    "osInfo": columns(
        "accountNumber agentId osName osVersion cpuType hostName hypervisor timestamp",
        times="timestamp",
    ),
    "networkInterface": columns(
        "accountNumber agentId name macAddress family ipAddress gateway netMask timestamp",
        times="timestamp",
    ),
    "process": columns(
        "accountNumber agentId agentAssignedProcessId isSystem name cmdLine path "
        "agentProvidedTimeStamp",
        times="agentProvidedTimeStamp",
        truths="isSystem",
    ),
    "sourceProcessConnection": _CONNECTION,
    "destinationProcessConnection": _CONNECTION,
    "systemPerformance": columns(
        "accountNumber agentId totalDiskBytesReadPerSecond totalDiskBytesWrittenPerSecond "
        "totalDiskReadOpsPerSecond totalDiskWriteOpsPerSecond totalNetworkBytesReadPerSecond "
        "totalNetworkBytesWrittenPerSecond totalNumLogicalProcessors totalNumCores totalNumCpus "
        "totalNumDisks totalNumNetworkCards totalCpuUsagePct totalDiskSize totalDiskFreeSize "
        "totalRAM freeRAM timestamp",
        times="timestamp",
    ),
}

#: The types of files in the archive of an agent, in their order.
AGENT_TABLES = tuple(_COLUMNS)

# Addresses outside the data center (RFC 5737).
_ELSEWHERE = "198.51.100.{}"
_EPHEMERAL = range(32768, 61000)


@dataclass(frozen=True, slots=True)
class _Peer:
    """A peer that a server calls: its address and port, and its share of the calls."""

    ip_address: str
    port: int
    share: float


@dataclass(frozen=True, slots=True)
class AgentData:
    """The rows of agents.

    :param account: the number of the account
    :param servers: how many servers the data center has
    :param connections: about how many connections a server opens in 15 minutes
    """

    account: str
    servers: int
    connections: float

    def table(
        self, agent: Agent, name: str, seconds: range, *, command_columns: bool = False
    ) -> Table:
        """Return a table of what an agent saw in a range of seconds.

        :param name: one of :data:`AGENT_TABLES`
        :param command_columns: whether connections have two more columns
        """
        more = command_columns and "Connection" in name
        make: Callable[[Agent, range], Iterator[Row]] = {
            "osInfo": self._os_info,
            "networkInterface": self._interfaces,
            "process": self._processes,
            "sourceProcessConnection": self._outbound,
            "destinationProcessConnection": self._inbound,
            "systemPerformance": self._performance,
        }[name]

        def rows() -> Iterator[Row]:
            for part in agent.awake(seconds):
                found = make(agent, part)
                yield from _with_command(agent, found) if more else found

        return Table(name, _COLUMNS[name] + (COMMAND_COLUMNS if more else ()), rows)

    def _os_info(self, agent: Agent, part: range) -> Iterator[Row]:
        host, machine = agent.host, machine_of(agent.seed, agent.agent_id)
        for second in _inventories(agent, part):
            yield (
                *(self.account, agent.agent_id, host.os_name, host.os_version, machine.cpu_type),
                *(host.name, machine.hypervisor, second),
            )

    def _interfaces(self, agent: Agent, part: range) -> Iterator[Row]:
        host = agent.host
        network, _, number = host.ip_address.rpartition(".")
        interfaces = (
            ("eth0", host.mac_address, "IPv4", host.ip_address, f"{network}.254", "255.255.255.0"),
            ("eth0", host.mac_address, "IPv6", f"fd00::{int(number):x}", None, "64"),
            ("lo", None, "IPv4", "127.0.0.1", None, "255.0.0.0"),
        )
        for second in _inventories(agent, part):
            for interface in interfaces:
                yield (self.account, agent.agent_id, *interface, second)

    def _processes(self, agent: Agent, part: range) -> Iterator[Row]:
        name, path, command, _ = PROCESSES[agent.host.role]
        always = (
            ("1", True, "systemd", "/usr/lib/systemd/systemd --switched-root", "/usr/lib/systemd"),
            ("412", True, "sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100", "/usr/sbin"),
            ("901", True, "discovery", "/opt/aws/discovery/discovery --config", "/opt/aws"),
            (_process_id(agent.host), False, name, command, path),
        )
        inventories = list(_inventories(agent, part))
        for slot in _slots(part):
            for second in inventories[
                bisect_left(inventories, slot.start) : bisect_left(inventories, slot.stop)
            ]:
                for process in always:
                    yield (self.account, agent.agent_id, *process, second)
            rng = generator(agent.seed, f"job/{agent.agent_id}/{slot.start}")
            second = slot.start + rng.randrange(SLOT)
            if rng.random() < 0.1 and second in part:
                number, job = rng.randrange(2000, 32768), rng.choice(_JOBS)
                yield (self.account, agent.agent_id, str(number), False, *job, second)

    def _outbound(self, agent: Agent, part: range) -> Iterator[Row]:
        peers = _peers(agent.seed, agent.host, self.servers)
        for slot in _slots(part):
            for peer in peers:
                yield from self._connections(agent, agent.host, peer, slot, part)

    def _inbound(self, agent: Agent, part: range) -> Iterator[Row]:
        callers = _callers(agent.seed, self.servers).get(agent.host.ip_address, ())
        for slot in _slots(part):
            for caller, peer in callers:
                yield from self._connections(agent, caller, peer, slot, part)

    def _connections(
        self, agent: Agent, source: Host, peer: _Peer, slot: range, part: range
    ) -> Iterator[Row]:
        """Return the connections between two addresses, which are the same at both ends."""
        process_id = _process_id(agent.host)
        rng = generator(agent.seed, f"{source.ip_address}/{peer.ip_address}/{slot.start}")
        count = int(self.connections * peer.share * rng.uniform(0.5, 1.5) + rng.random())
        seconds = sorted(rng.choices(slot, k=count))
        ports = rng.choices(_EPHEMERAL, k=count)
        first, last = bisect_left(seconds, part.start), bisect_left(seconds, part.stop)
        return zip(
            repeat(self.account),
            repeat(agent.agent_id),
            repeat(source.ip_address),
            ports[first:last],
            repeat(peer.ip_address),
            repeat(peer.port),
            repeat("IPv4"),
            repeat("TCP"),
            repeat(process_id),
            seconds[first:last],
            strict=False,
        )

    def _performance(self, agent: Agent, part: range) -> Iterator[Row]:
        machine = machine_of(agent.seed, agent.agent_id)
        for slot in _slots(part):
            second = slot.start + machine.phase
            if second not in part:
                continue
            rng = generator(agent.seed, f"performance/{agent.agent_id}/{slot.start}")
            rates = [round(rng.expovariate(1 / 400), 2) for _ in range(6)]
            # Values that an agent could not measure are empty.
            free_disk = None if rng.random() < 0.02 else round(machine.disk_size * rng.random(), 2)
            yield (
                *(self.account, agent.agent_id, *rates),
                *(machine.logical, machine.cores, machine.cpus, machine.disks, 2),
                *(round(rng.uniform(0.5, 99.5), 2), machine.disk_size, free_disk),
                *(machine.ram, round(machine.ram * rng.uniform(0.05, 0.9), 2), second),
            )


# Command lines are free text: with characters that CSV must quote, and some that only look so.
_JOBS = (
    ("backup", 'backup --to "s3://backups/daily, weekly" --quiet', "/usr/local/bin/backup"),
    ("python3", "python3 -c 'import json\nprint(json.dumps([1, 2]))'", "/usr/bin/python3"),
    ("psql", 'psql -c "select ""name"", count(*) from orders"', "/usr/bin/psql"),
    ("grüße", "grüße --größe=3 —schnell", "/opt/büro/grüße"),
    ("cron", "", "/usr/sbin/cron"),
    ("rotate", "rotate\t--keep 7\r\n--compress", None),
)


def _with_command(agent: Agent, rows: Iterator[Row]) -> Iterator[Row]:
    _, path, command, _ = PROCESSES[agent.host.role]
    parameters = command.partition(" ")[2]
    for row in rows:
        yield (*row, path, parameters)


def _process_id(host: Host) -> str:
    return str(1000 + int(host.ip_address.rpartition(".")[2]))


def _peers(seed: int, host: Host, servers: int) -> Sequence[_Peer]:
    """Return the peers of a server: some earlier servers, and one outside the data center."""
    # The one outside the data center comes after all others.
    number = _numbers(seed, servers).get(host.ip_address, servers)
    rng = generator(seed, f"peers/{host.ip_address}")
    chosen = {rng.randrange(number) for _ in range(rng.randrange(1, 4))} if number else set()
    weights = [rng.uniform(1, 4) for _ in range(len(chosen) + 1)]
    shares = [weight / sum(weights) for weight in weights]
    others = hosts(seed, servers)
    return (
        _Peer(_ELSEWHERE.format(rng.randrange(1, 255)), 443, shares[0]),
        *(
            _Peer(others[at].ip_address, PROCESSES[others[at].role][3], share)
            for at, share in zip(sorted(chosen), shares[1:], strict=True)
        ),
    )


@lru_cache(maxsize=16)
def _numbers(seed: int, servers: int) -> dict[str, int]:
    return {host.ip_address: number for number, host in enumerate(hosts(seed, servers))}


@lru_cache(maxsize=16)
def _callers(seed: int, servers: int) -> Mapping[str, Sequence[tuple[Host, _Peer]]]:
    """Return the callers of each address, with the peer that they call."""
    callers: dict[str, list[tuple[Host, _Peer]]] = {}
    for caller in hosts(seed, servers):
        for peer in _peers(seed, caller, servers):
            callers.setdefault(peer.ip_address, []).append((caller, peer))
    return callers


def _slots(part: range) -> Iterator[range]:
    """Return the quarters of an hour that a range touches."""
    for start in range(part.start // SLOT * SLOT, part.stop, SLOT):
        yield range(start, start + SLOT)


def _inventories(agent: Agent, part: range) -> Iterator[int]:
    """Return when an agent reports its inventory: at its registration, and once a day."""
    registered = agent.life.start
    if registered in part:
        yield registered
    phase = generator(agent.seed, f"inventory/{agent.agent_id}").randrange(DAY)
    day = (max(part.start, registered + 1) - phase + DAY - 1) // DAY
    yield from range(day * DAY + phase, part.stop, DAY)
