"""Agents and archives, for tests to query and change."""

import math
import os
import threading
from collections.abc import Iterator
from typing import Any

from ._contents import Contents
from ._errors import check_finite
from ._service import Service
from ._tables import as_values

__all__ = ["ArchiveControls"]


class ArchiveControls:
    """The methods of an emulator for tests that need to know what there is to export."""

    _lock: threading.RLock
    _service: Service

    # Agents.

    @property
    def account_number(self) -> str:
        """The twelve digits of the account. The names of files begin with it."""
        return self._service.maker.account

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The ids of all agents, in listing order, including those of connectors."""
        return self._service.fleet.agent_ids

    @property
    def connector_ids(self) -> tuple[str, ...]:
        """The ids of the agents that are connectors. Connectors have no exports."""
        fleet = self._service.fleet
        return tuple(agent_id for agent_id in fleet.agent_ids if fleet.get(agent_id).is_connector)

    def agent_life(self, agent_id: str) -> tuple[float, float]:
        """Return when an agent was registered and when it was last heard of.

        It has data from the former to just before the latter.

        :return: both in seconds since the epoch, as ``registeredTime`` and ``lastHealthPingTime``
        :raises ValueError: if there is no such agent
        """
        with self._lock:
            life = self._service.fleet.get(agent_id).life
        return float(life.start), float(life.stop)

    def set_agent_life(
        self,
        agent_id: str,
        *,
        registered_time: float | None = None,
        last_ping_time: float | None = None,
    ) -> None:
        """Make the life of an agent longer or shorter.

        What the agent saw in a given second stays the same. Exports that were started before keep
        the life that the agent had then.

        :param registered_time: when it was registered, in seconds since the epoch, rounded down;
            None: unchanged
        :param last_ping_time: when it was last heard of, likewise
        :raises ValueError: if there is no such agent, or it ends before it begins
        """
        with self._lock:
            self._service.fleet.set_life(agent_id, registered_time, last_ping_time)

    def agent_rows(
        self,
        agent_id: str,
        table: str,
        start_time: float | None = None,
        end_time: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Return the rows of an agent, one at a time.

        A range is half-open: it has the rows from its start to just before its end. So the exports
        of adjoining ranges together have each of these rows exactly once.

        :param table: the type of file: ``osInfo``, ``networkInterface``, ``process``,
            ``sourceProcessConnection``, ``destinationProcessConnection`` or ``systemPerformance``
        :param start_time: the start of the range, in seconds since the epoch; None: of its life
        :param end_time: the end of the range, likewise
        :return: the values by column name. Times are datetimes in UTC; an empty cell is None
        :raises ValueError: if there is no such agent or table
        """
        check_finite(start_time=start_time, end_time=end_time)
        with self._lock:
            agent = self._service.fleet.get(agent_id)
        seconds = range(
            agent.life.start if start_time is None else math.ceil(start_time),
            agent.life.stop if end_time is None else math.ceil(end_time),
        )
        whole = Contents("agent", "", agent=agent, seconds=seconds)
        return as_values(self._service.maker.whole_table(whole, table))

    # Exports and their archives.

    def export_rows(self, export_id: str, table: str) -> Iterator[dict[str, Any]]:
        """Return the rows of an export's archive, one at a time; see :meth:`agent_rows`.

        :param table: one of :meth:`export_tables`
        :raises ValueError: if there is no such export or table
        """
        return as_values(self._service.maker.table(self._contents(export_id), table))

    def export_tables(self, export_id: str) -> tuple[str, ...]:
        """Return the types of files in an export's archive. A type without rows may have no file.

        :raises ValueError: if there is no such export
        """
        return self._service.maker.names(self._contents(export_id))

    def export_range(self, export_id: str) -> tuple[float, float]:
        """Return the range that an agent's export covers. A truncated one stops before its end.

        :return: start and end in seconds since the epoch
        :raises ValueError: if there is no such export, or it is not an agent's
        """
        contents = self._contents(export_id)
        if contents.agent is None:
            raise ValueError(f"the export {export_id!r} is not an agent's")
        seconds = self._service.maker.actual(contents)
        return float(seconds.start), float(seconds.stop)

    def archive(self, export_id: str) -> bytes:
        """Return the archive behind the download URL of an export once it has SUCCEEDED.

        :raises ValueError: if there is no such export
        """
        return self._service.archives.get(self._contents(export_id)).read()

    def write_archive(self, export_id: str, path: str | os.PathLike[str]) -> None:
        """Write the archive of an export to a file, without holding it in memory.

        An archive is made when it is first asked for: ten million connections take a minute. The
        last 16 are kept, so a download after this call does not wait.

        :raises ValueError: if there is no such export
        :raises OSError: if the file cannot be written
        """
        archive = self._service.archives.get(self._contents(export_id))
        with open(path, "wb") as file:
            file.writelines(archive.chunks(range(archive.size)))

    def replace_archive(self, export_id: str) -> None:
        """Give an export another archive, with another ETag.

        :raises ValueError: if there is no such export
        """
        with self._lock:
            self._service.exports.get(export_id).archive_version += 1

    def _contents(self, export_id: str) -> Contents:
        with self._lock:
            return self._service.exports.get(export_id).contents
