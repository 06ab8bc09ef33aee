"""The work of the commands that list things."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiodiscovery

from ._errors import DONE, FAILED, unknown
from ._run import Work
from ._views import View

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import AgentInfoTypeDef, ExportInfoTypeDef

__all__ = ["list_agents", "list_exports"]

_STATUSES = ("IN_PROGRESS", "FAILED", "SUCCEEDED")


def _by_status(info: "ExportInfoTypeDef") -> tuple[int, datetime]:
    status = info["exportStatus"]
    place = _STATUSES.index(status) if status in _STATUSES else len(_STATUSES)
    return place, info["exportRequestTime"]


#: The sort key of each order, and whether it is reversed.
_ORDERS: dict[str, tuple[Callable[["ExportInfoTypeDef"], Any], bool]] = {
    "newest": (lambda info: info["exportRequestTime"], True),
    "oldest": (lambda info: info["exportRequestTime"], False),
    "status": (_by_status, False),
}


async def list_exports(
    work: Work,
    *,
    export_ids: Sequence[str] | None,
    statuses: Sequence[str],
    since: datetime | None,
    agent_id: str | None,
    order: str | None,
    quiet: bool,
    max_items: int | None,
    page_size: int | None,
    starting_token: str | None,
) -> int:
    """List exports: all, or those with these ids, if they pass the filters."""
    if export_ids is not None and not export_ids:
        work.view.message("Standard input has no ids.")
        return DONE
    parameters: dict[str, Any] = {"exportIds": list(export_ids)} if export_ids else {}
    if agent_id is not None:
        parameters["filters"] = [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}]
    config: Any = {"PageSize": page_size, "StartingToken": starting_token}
    if order is None and not statuses and since is None:
        config["MaxItems"] = max_items  # no request asks for more
    pages = aiodiscovery.get_paginator(work.client, "describe_export_tasks").paginate(
        **parameters, PaginationConfig=config
    )
    missing = set(export_ids or ())

    def passes(info: "ExportInfoTypeDef") -> bool:
        missing.discard(info["exportId"])
        if statuses and info["exportStatus"] not in statuses:
            return False
        return since is None or info["exportRequestTime"] >= since

    def show(infos: "Sequence[ExportInfoTypeDef]") -> None:
        ids = [info["exportId"] for info in infos]
        work.seen_exports += ids
        if quiet:
            work.view.ids(ids)
        else:
            work.view.listed(infos)

    if order is None:
        await _show_as_they_come(work.view, pages, passes, show, max_items, quiet=quiet)
    else:
        key, descending = _ORDERS[order]
        found = [info async for info in pages.items() if passes(info)]
        show(sorted(found, key=key, reverse=descending)[:max_items])
        if not quiet:
            work.view.list_ended(None)  # a token cannot describe part of a sorted listing
    # Ids may be in the rest of an interrupted listing, or belong to other agents.
    if missing and pages.resume_token is None and starting_token is None and agent_id is None:
        unknown_ids = [export_id for export_id in export_ids or () if export_id in missing]
        return not_known(work, unknown_ids, "list")
    return DONE


async def _show_as_they_come(
    view: View,
    pages: "aiodiscovery.PageIterator[Any, ExportInfoTypeDef]",
    passes: "Callable[[ExportInfoTypeDef], bool]",
    show: "Callable[[Sequence[ExportInfoTypeDef]], None]",
    max_items: int | None,
    *,
    quiet: bool,
) -> None:
    count = 0
    done = False
    try:
        async for info in pages.items():
            if passes(info):
                show([info])
                count += 1
                if count == max_items:
                    break
        done = True
    except BrokenPipeError:
        count = 0
        raise
    finally:
        token = pages.resume_token
        # Also after an error or Ctrl-C, so that what was shown need not be asked for again.
        if (done or count) and (token is not None or not quiet):
            view.list_ended(token)


async def list_agents(
    work: Work, *, agent_ids: Sequence[str] | None, health: Sequence[str], quiet: bool
) -> int:
    """List agents: all, or those with these ids, if they pass the filters."""
    view = work.view
    if agent_ids is not None and not agent_ids:
        view.message("Standard input has no ids.")
        return DONE
    parameters: dict[str, Any] = {"agentIds": list(agent_ids)} if agent_ids else {}
    pages = aiodiscovery.get_paginator(work.client, "describe_agents").paginate(**parameters)
    missing = dict.fromkeys(agent_ids or ())
    found: list[AgentInfoTypeDef] = []
    async for agent in pages.items():
        agent_id = agent.get("agentId", "")
        missing.pop(agent_id, None)
        if not health or agent.get("health") in health:
            found.append(agent)
            work.seen_agents.append(agent_id)
    if quiet:
        view.ids([agent.get("agentId", "") for agent in found])
    else:
        view.agents(found)
    return not_known(work, tuple(missing), "agents") if missing else DONE


def not_known(work: Work, ids: Sequence[str], command: str) -> int:
    """Report ids that the service does not know, and return the exit status."""
    text = unknown(ids, work.settings.command(command))
    work.view.message(f"Error: {text}", "bold red")
    return FAILED
