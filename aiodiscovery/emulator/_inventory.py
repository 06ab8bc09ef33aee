"""What the service has discovered: agents, configuration items, tags, continuous exports."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from . import _data, _filters
from ._data import Item
from ._errors import ServiceError
from ._fleet import Fleet
from ._pages import Pages, ids, rows

__all__ = ["Inventory"]


class Inventory:
    """What has been discovered.

    :param seed: the source of the data
    :param continuous_exports: how many continuous exports there are
    :param tags: how many tags there are
    :param configurations: how many configuration items there are of each type
    """

    def __init__(
        self,
        pages: Pages,
        fleet: Fleet,
        *,
        seed: int,
        continuous_exports: int,
        tags: int,
        configurations: int,
    ) -> None:
        self._pages = pages
        self._fleet = fleet
        self._seed = seed
        self._counts = (continuous_exports, tags, configurations)
        #: Returns the ids of the servers that have been deleted.
        self.deleted: Callable[[], set[str]] = set

    # Made on first use, because most programs under test only ask for exports.

    @cached_property
    def _continuous_exports(self) -> list[Item]:
        return _data.continuous_exports(self._seed, self._counts[0])

    @property
    def server_ids(self) -> tuple[str, ...]:
        """The ids of all servers, including those that have been deleted."""
        return tuple(host.server_id for host in _data.hosts(self._seed, self._counts[2]))

    @property
    def applications(self) -> tuple[Item, ...]:
        """All applications, in listing order."""
        return _data.applications(self._seed, self._counts[2])

    @property
    def tags(self) -> tuple[Item, ...]:
        """All tags, in listing order."""
        return _data.tags(self._seed, self._counts[1])

    def describe_agents(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeAgents."""
        passes = _filters.agent_filter(query.get("filters", ()))
        wanted = set(ids(query, "agentIds"))
        found = [
            item
            for item in self._fleet.items
            if (not wanted or item["agentId"] in wanted) and passes(item)
        ]
        return self._pages.page("DescribeAgents", "agentsInfo", query, rows(found))

    def describe_continuous_exports(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeContinuousExports."""
        wanted = set(ids(query, "exportIds"))
        found = [
            item for item in self._continuous_exports if not wanted or item["exportId"] in wanted
        ]
        missing = wanted.difference(item["exportId"] for item in found)
        if missing:
            raise ServiceError(
                "ResourceNotFoundException",
                f"There are no continuous exports {', '.join(sorted(missing))}.",
            )
        return self._pages.page("DescribeContinuousExports", "descriptions", query, rows(found))

    def describe_tags(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeTags."""
        passes = _filters.tag_filter(query.get("filters", ()))
        found = [item for item in self.tags if passes(item)]
        return self._pages.page("DescribeTags", "tags", query, rows(found))

    def list_configurations(self, query: Mapping[str, Any]) -> Item:
        """Answer ListConfigurations."""
        kind = query["configurationType"]
        passes = _filters.configuration_filter(kind, query.get("filters", ()))
        items = _data.configurations(self._seed, self._counts[2])[kind]
        gone = self.deleted() if kind == "SERVER" else set[str]()
        found = _filters.sort_configurations(
            kind,
            [
                item
                for item in items
                if passes(item) and item.get("server.configurationId") not in gone
            ],
            query.get("orderBy", ()),
        )
        return self._pages.page("ListConfigurations", "configurations", query, rows(found))
