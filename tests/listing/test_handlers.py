"""Code that sees a request cannot change the next one.

The arguments of ``paginate()``, and what botocore's events pass to their handlers
(``provide-client-params``, ``before-parameter-build``), are lists and dicts that can be changed in
place. Those are, for each operation: the lists of ids, a single list and one in chunks, and the
filters with their values, names and conditions. A query is copied when it is described and for each
request: of a page, of its repetition after an error, and ahead.
"""

from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError
from support.listings import WAYS, list_exports, read_into, reading
from support.scripted import ScriptedListing

import aiodiscovery

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

MANY = [f"export-{number}" for number in range(250)]
FILTERS: Any = [
    {"name": "agentIds", "values": ["o-1", "o-2"], "condition": "EQUALS"},
    {"name": "agentIds", "values": ["o-3"], "condition": "EQUALS"},
]
TAG_FILTERS: Any = [{"name": "tagKey", "values": ["a", "b"]}, {"name": "tagValue", "values": ["c"]}]
PARAMETERS: dict[str, dict[str, Any]] = {
    "describe_agents": {"agentIds": ["o-0123456789", "o-9876543210"], "filters": FILTERS},
    "describe_continuous_exports": {"exportIds": MANY[:3]},
    "describe_export_configurations": {"exportIds": MANY[:3]},
    "describe_export_tasks": {"exportIds": MANY[:3], "filters": FILTERS},
    "describe_import_tasks": {"filters": TAG_FILTERS},
    "describe_tags": {"filters": TAG_FILTERS},
    "list_configurations": {
        "configurationType": "SERVER",
        "filters": FILTERS,
        "orderBy": [{"fieldName": "a", "sortOrder": "ASC"}, {"fieldName": "b"}],
    },
}


def spoil(value: Any) -> None:
    """Empty all lists and dicts in something, the innermost first."""
    if isinstance(value, (list, dict)):
        for part in list(value.values()) if isinstance(value, dict) else value:
            spoil(part)
        value.clear()


class Requests:
    """Notes the parameters that the client gets, and changes them once they were sent."""

    def __init__(self, client: Any, *, pages: int = 3) -> None:
        self.pages = pages
        self.seen: list[dict[str, Any]] = []
        self._given: dict[str, Any] = {}
        client.meta.events.register("provide-client-params", self._note)
        client.meta.events.register("before-parameter-build", self._note_the_same)
        client.meta.events.register_first("before-call", self._spoil)
        client.meta.events.register_last("before-call", self._answer)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self._given = params
        self.seen.append(deepcopy(params))

    def _note_the_same(self, params: dict[str, Any], **_: Any) -> None:
        assert params == self.seen[-1]

    def _spoil(self, **_: Any) -> None:
        spoil(self._given)

    def _answer(self, **_: Any) -> Any:
        token = {"nextToken": f"at {len(self.seen)}"} if len(self.seen) < self.pages else {}
        return SimpleNamespace(status_code=200), token


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(("operation", "parameters"), PARAMETERS.items())
async def test_no_parameter_changes_from_page_to_page(
    client: "Client", operation: Any, parameters: dict[str, Any], ahead: bool
) -> None:
    requests = Requests(client)
    before = deepcopy(parameters)
    paginator: Any = aiodiscovery.get_paginator(client, operation)
    pages = paginator.paginate(**parameters)

    for _ in range(2):
        requests.seen.clear()
        async with reading(pages, ahead=ahead) as reader:
            assert len([page async for page in reader]) == 3
        tokens = [request.pop("nextToken", None) for request in requests.seen]
        assert tokens == [None, "at 1", "at 2"]
        assert requests.seen == [before] * 3
    assert parameters == before


@pytest.mark.parametrize("way", WAYS)
async def test_nor_does_a_list_of_many_ids(
    scripted_client: "Client", scripted: ScriptedListing, way: tuple[str, bool]
) -> None:
    how, ahead = way
    scripted.ids = MANY
    given: list[Any] = []
    scripted_client.meta.events.register(
        "provide-client-params", lambda params, **_: given.append(params["exportIds"])
    )
    scripted_client.meta.events.register_first("before-call", lambda **_: given[-1].clear())
    pages = list_exports(scripted_client, *MANY, PageSize=40)
    for _ in range(2):
        scripted.requests.clear()
        came: list[str] = []
        async with reading(pages, ahead=ahead) as reader:
            await read_into(came, reader, how)

        assert came == MANY
        asked = [tuple(request["exportIds"]) for request in scripted.requests]
        assert {*asked} == {(*MANY[:100],), (*MANY[100:200],), (*MANY[200:],)}
        assert len(asked) == 8


@pytest.mark.parametrize("ahead", [False, True])
async def test_nor_after_an_error(
    scripted_client: "Client", scripted: ScriptedListing, ahead: bool
) -> None:
    given: list[Any] = []
    scripted_client.meta.events.register(
        "provide-client-params", lambda params, **_: given.append(params["exportIds"])
    )
    scripted_client.meta.events.register_first("before-call", lambda **_: given[-1].clear())
    pages = list_exports(scripted_client, *scripted.ids, PageSize=5)
    scripted.fail_after(1, EndpointConnectionError(endpoint_url="scripted"))
    async with reading(pages, ahead=ahead) as reader:
        items = reader.items()
        came = [(await anext(items))["exportId"] for _ in range(5)]
        with pytest.raises(EndpointConnectionError):
            await anext(items)

        assert came + [export["exportId"] async for export in items] == scripted.ids
    assert all(request["exportIds"] == scripted.ids for request in scripted.requests)


async def test_what_the_caller_changes_afterwards_does_not_count(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    parameters = deepcopy(PARAMETERS["describe_export_tasks"])
    config = {"PageSize": 2}
    paginator: Any = aiodiscovery.get_paginator(scripted_client, "describe_export_tasks")
    pages = paginator.paginate(**parameters, PaginationConfig=config)
    spoil(parameters)
    spoil(config)

    assert len([page async for page in pages]) == 2
    assert [request["filters"] for request in scripted.requests] == [FILTERS] * 2
    assert [request["maxResults"] for request in scripted.requests] == [2, 2]
