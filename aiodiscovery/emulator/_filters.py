"""The filters and orderings of the operations, as the service documents them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._data import Item
from ._errors import ServiceError, invalid_value

__all__ = [
    "agent_filter",
    "agent_ids",
    "configuration_filter",
    "import_task_filter",
    "sort_configurations",
    "tag_filter",
]

Predicate = Callable[[Item], bool]
Filter = Mapping[str, Any]

_EXACT = ("EQUALS", "NOT_EQUALS", "EQ", "NE")
_TEXT = (*_EXACT, "CONTAINS", "NOT_CONTAINS")
_NUMBER = ("GE", "LE", "GT", "LT")
_NOT_FILTERABLE = ()

# The names that the service and its documentation use for the only filter of exports.
_EXPORT_FILTERS = frozenset({"agentIds", "agentId", "AgentId"})

# The reference only says that DescribeAgents filters by key and value. These are the texts that an
# agent has.
_AGENT_FIELDS = {
    "agentId": _TEXT,
    "hostName": _TEXT,
    "connectorId": _TEXT,
    "version": _TEXT,
    "health": _TEXT,
    "collectionStatus": _TEXT,
    "agentType": _TEXT,
}

# "Using the ListConfigurations Action" in the service's user guide.
_CONFIGURATION_FIELDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "SERVER": {
        "server.configurationId": _EXACT,
        "server.hostName": _TEXT,
        "server.osName": _TEXT,
        "server.osVersion": _TEXT,
        "server.agentId": _EXACT,
        "server.type": _EXACT,
        "server.performance.avgCpuUsagePct": _NUMBER,
        "server.performance.avgFreeRAMInKB": _NUMBER,
    },
    "PROCESS": {
        "process.configurationId": _EXACT,
        "process.name": _TEXT,
        "process.commandLine": _TEXT,
        "server.configurationId": _EXACT,
        "server.hostName": _TEXT,
        "server.osName": _TEXT,
        "server.osVersion": _TEXT,
        "server.agentId": _TEXT,
    },
    "CONNECTION": {
        "connection.sourceIp": _TEXT,
        "connection.destinationIp": _TEXT,
        "connection.destinationPort": _EXACT,
        **{
            f"{end}{field}": conditions
            for end in ("source", "destination")
            for field, conditions in (
                ("Server.configurationId", _EXACT),
                ("Server.hostName", _TEXT),
                ("Server.osName", _TEXT),
                ("Server.osVersion", _TEXT),
                ("Server.agentId", _TEXT),
                ("Process.configurationId", _EXACT),
                ("Process.name", _TEXT),
                ("Process.commandLine", _TEXT),
            )
        },
    },
    "APPLICATION": {
        "application.configurationId": _EXACT,
        "application.name": _TEXT,
        "application.description": _TEXT,
        "application.serverCount": _NOT_FILTERABLE,
        "application.timeOfCreation": _NOT_FILTERABLE,
        "application.lastModifiedTime": _NOT_FILTERABLE,
    },
}

# Fields that can be filtered by but not sorted by.
_UNSORTABLE = ("configurationId", "agentId", "server.type", "server.performance")
_NUMERIC = frozenset({"connection.destinationPort", "application.serverCount"})

_TAG_FIELDS = {"tagKey": "key", "tagValue": "value", "configurationId": "configurationId"}
_IMPORT_FIELDS = {
    "IMPORT_TASK_ID": "importTaskId",
    "STATUS": "status",
    "NAME": "name",
    "FILE_CLASSIFICATION": "fileClassification",
}


def agent_ids(filters: Iterable[Filter]) -> set[str] | None:
    """Read the filters of exports.

    :return: the agents whose exports are asked for; None for all exports
    :raises ServiceError: for an unknown filter
    """
    found: set[str] | None = None
    for item in filters:
        _check(item, dict.fromkeys(_EXPORT_FILTERS, ("EQUALS",)))
        values: set[str] = set(item["values"])
        found = values if found is None else found & values
    return found


def agent_filter(filters: Iterable[Filter]) -> Predicate:
    """Make the predicate for agents from the filters of DescribeAgents."""
    return _all_of([_condition(item, _AGENT_FIELDS) for item in filters])


def configuration_filter(configuration_type: str, filters: Iterable[Filter]) -> Predicate:
    """Make the predicate for configuration items from the filters of ListConfigurations."""
    fields = _CONFIGURATION_FIELDS[configuration_type]
    return _all_of([_condition(item, fields) for item in filters])


def tag_filter(filters: Iterable[Filter]) -> Predicate:
    """Make the predicate for tags from the filters of DescribeTags."""
    tests: list[Predicate] = []
    for item in filters:
        _check(item, dict.fromkeys(_TAG_FIELDS, ()))
        tests.append(_one_of(_TAG_FIELDS[item["name"]], item["values"]))
    return _all_of(tests)


def import_task_filter(filters: Iterable[Filter]) -> Predicate:
    """Make the predicate for import tasks from the filters of DescribeImportTasks."""
    filters = list(filters)
    for item in filters:
        for member in ("name", "values"):
            if member not in item:
                # The model does not require them, but there is nothing to filter by without them.
                raise ServiceError(
                    "InvalidParameterException", f"Each of the filters must have a {member}."
                )
    # "When filtering by import status, all other filter values are ignored."
    by_status = [item for item in filters if item["name"] == "STATUS"]
    return _all_of(
        [_one_of(_IMPORT_FIELDS[item["name"]], item["values"]) for item in by_status or filters]
    )


def sort_configurations(
    configuration_type: str, items: list[Item], order: Sequence[Mapping[str, str]]
) -> list[Item]:
    """Put configuration items in the order that ``orderBy`` asks for.

    :raises ServiceError: for a field that cannot be sorted by
    """
    fields = _CONFIGURATION_FIELDS[configuration_type]
    for element in order:
        name = element["fieldName"]
        if name not in fields or any(part in name for part in _UNSORTABLE):
            raise invalid_value(f"Ordering by {name} is not supported for {configuration_type}.")
    # Python's sort is stable: with the last field sorted first, the first one decides.
    for element in reversed(order):
        items = sorted(
            items,
            key=_sort_key(element["fieldName"]),
            reverse=element.get("sortOrder") == "DESC",
        )
    return items


def _sort_key(name: str) -> Callable[[Item], Any]:
    if name in _NUMERIC:
        return lambda item: int(item[name])
    return lambda item: item[name]


def _check(item: Filter, fields: Mapping[str, Sequence[str]]) -> None:
    if item["name"] not in fields:
        raise invalid_value(f"The filter {item['name']} is not supported.")
    conditions = fields[item["name"]]
    if "condition" in item and item["condition"] not in conditions:
        raise invalid_value(
            f"The condition {item['condition']} is not supported for the filter {item['name']}."
        )
    if not item["values"]:
        raise invalid_value(f"The filter {item['name']} has no values.")


def _condition(item: Filter, fields: Mapping[str, Sequence[str]]) -> Predicate:
    _check(item, fields)
    name, values, condition = item["name"], item["values"], item["condition"]
    match condition:
        case "EQUALS" | "EQ":
            return _one_of(name, values)
        case "NOT_EQUALS" | "NE":
            return _not(_one_of(name, values))
        case "CONTAINS":
            return _contains(name, values)
        case "NOT_CONTAINS":
            return _not(_contains(name, values))
        case _:
            return _compares(name, condition, values)


def _all_of(tests: Sequence[Predicate]) -> Predicate:
    return lambda item: all(test(item) for test in tests)


def _not(test: Predicate) -> Predicate:
    return lambda item: not test(item)


def _one_of(name: str, values: Iterable[str]) -> Predicate:
    wanted = frozenset(values)
    return lambda item: item.get(name) in wanted


def _contains(name: str, values: Sequence[str]) -> Predicate:
    return lambda item: any(value in item.get(name, "") for value in values)


def _compares(name: str, condition: str, values: Sequence[str]) -> Predicate:
    try:
        bounds = [float(value) for value in values]
    except ValueError:
        raise invalid_value(f"The values of the filter {name} must be numbers.") from None
    compare: Mapping[str, Callable[[float, float], bool]] = {
        "GE": lambda a, b: a >= b,
        "LE": lambda a, b: a <= b,
        "GT": lambda a, b: a > b,
        "LT": lambda a, b: a < b,
    }
    return lambda item: any(compare[condition](float(item[name]), bound) for bound in bounds)
