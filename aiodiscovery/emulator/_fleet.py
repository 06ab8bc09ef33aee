"""The agents: their identities, their lives, and when they saw nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ._data import BASE_TIME, Host, Item, generator, hosts
from ._errors import check_finite
from ._times import DAY, HOUR, iso

__all__ = ["Agent", "Fleet"]

_TYPES = ("CONNECTOR", "Agentless Connector")
# The fourth of every five agents is a connector, which sees servers from outside.
_CONNECTOR, _OF = 3, 5


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent.

    :param seed: the source of its data
    :param life: the seconds since the epoch for which it has data, from its registration to its
        last health ping
    :param has_gaps: whether it was stopped at times
    """

    seed: int
    host: Host
    kind: str
    life: range
    has_gaps: bool

    @property
    def agent_id(self) -> str:
        """Its id."""
        return self.host.agent_id

    @property
    def is_connector(self) -> bool:
        """Whether it is a connector. Connectors have no agent exports."""
        return "connector" in self.kind.lower()

    def awake(self, seconds: range) -> Iterator[range]:
        """Return the parts of a range in which it saw something, in order.

        A connector only sees servers from outside, so it has nothing to export.
        """
        if self.is_connector:
            return
        start, stop = max(seconds.start, self.life.start), min(seconds.stop, self.life.stop)
        for day in range(start // DAY, -(-stop // DAY)) if self.has_gaps else ():
            gap = _gap(self.seed, self.agent_id, day)
            if start < gap.start:
                yield from _not_empty(start, min(gap.start, stop))
            start = max(start, gap.stop)
        yield from _not_empty(start, stop)


def _not_empty(start: int, stop: int) -> Iterator[range]:
    if start < stop:
        yield range(start, stop)


@lru_cache(maxsize=1024)
def _gap(seed: int, agent_id: str, day: int) -> range:
    """Return the seconds of a day when an agent was stopped; none on about every other day."""
    rng = generator(seed, f"gap/{agent_id}/{day}")
    if rng.random() < 0.5:
        return range(day * DAY, day * DAY)
    start = day * DAY + rng.randrange(16 * HOUR)
    return range(start, start + rng.randrange(HOUR // 2, 7 * HOUR))


class Fleet:
    """All agents.

    :param seed: the source of their data
    :param count: how many there are
    :param days: the most days that they live
    """

    def __init__(self, seed: int, count: int, days: float) -> None:
        self._seed = seed
        self._days = days
        self.items: list[Item] = []
        self._agents: dict[str, Agent] = {}
        rng = generator(seed, "agents")
        for index, host in enumerate(hosts(seed, count)):
            health = rng.choices(("HEALTHY", "UNHEALTHY", "SHUTDOWN", "UNKNOWN"), (12, 2, 1, 1))[0]
            connector = index % _OF == _CONNECTOR
            agent = Agent(
                seed=seed,
                host=host,
                kind=_TYPES[index // _OF % len(_TYPES)] if connector else "AGENT",
                life=self._life(rng.random(), rng.random(), healthy=health == "HEALTHY"),
                has_gaps=index % 3 == 1,
            )
            item = {
                "agentId": host.agent_id,
                "hostName": host.name,
                "agentNetworkInfoList": [
                    {"ipAddress": host.ip_address, "macAddress": host.mac_address},
                ],
                "version": rng.choice(("2.0.1946.0", "2.0.2142.0", "2.0.2226.0")),
                "health": health,
                "lastHealthPingTime": iso(agent.life.stop),
                "collectionStatus": rng.choice(("STARTED", "STOPPED")),
                "agentType": agent.kind,
                "registeredTime": iso(agent.life.start),
            }
            if connector:
                item["connectorId"] = f"connector-{host.agent_id[2:]}"
            if health == "HEALTHY":
                item["collectionStatus"] = "STARTED"
            self._agents[host.agent_id] = agent
            self.items.append(item)

    def _life(self, length: float, age: float, *, healthy: bool) -> range:
        """Return a life that ended before the base time, by minutes or by days."""
        longest = self._days * DAY
        seconds = max(HOUR, int(longest * (0.1 + 0.9 * length)))
        end = int(BASE_TIME) - int(900 * age if healthy else longest * age)
        return range(end - seconds, end)

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The ids of all agents, in listing order."""
        return tuple(self._agents)

    @property
    def lives(self) -> dict[str, range]:
        """The lives of the agents that can be exported."""
        return {
            agent_id: agent.life
            for agent_id, agent in self._agents.items()
            if not agent.is_connector
        }

    def find(self, agent_id: str) -> Agent | None:
        """Return an agent."""
        return self._agents.get(agent_id)

    def get(self, agent_id: str) -> Agent:
        """Return an agent.

        :raises ValueError: if there is none
        """
        if agent_id not in self._agents:
            raise ValueError(f"there is no agent {agent_id!r}")
        return self._agents[agent_id]

    def get_or_make(self, agent_id: str) -> Agent:
        """Return an agent, even one that the service does not list."""
        agent = self._agents.get(agent_id)
        if agent is None:
            host = replace(hosts(f"{self._seed}/{agent_id}", 1)[0], agent_id=agent_id)
            life = self._life(1.0, 0.0, healthy=True)
            agent = Agent(self._seed, host, "AGENT", life, has_gaps=False)
        return agent

    def set_life(self, agent_id: str, start: float | None, stop: float | None) -> None:
        """Change the life of an agent. None leaves an end of it unchanged.

        :raises ValueError: for an unknown agent, or a life that ends before it begins
        """
        agent = self.get(agent_id)
        check_finite(registered_time=start, last_ping_time=stop)
        life = range(
            agent.life.start if start is None else int(start),
            agent.life.stop if stop is None else int(stop),
        )
        if life.stop < life.start:
            raise ValueError("last_ping_time must not be before registered_time")
        self._agents[agent_id] = replace(agent, life=life)
        index = self.agent_ids.index(agent_id)
        self.items[index] = self.items[index] | {
            "registeredTime": iso(life.start),
            "lastHealthPingTime": iso(life.stop),
        }
