"""Collecting everything: which agents there are, and what to collect of each."""

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.from_thread import check_cancelled
from anyio.to_thread import run_sync

from .._client import check_client
from .._exports import check_http_client, check_time
from .._listing import check_count, check_ids, get_paginator
from .._watching import ExportWatcher, check_delays
from ..exceptions import CollectionTimeoutError
from .book import Book
from .collector import Collector
from .desk import Desk
from .layout import is_unchanged, put_in_order, set_aside
from .ledger import Ledger
from .plan import HOUR, Kind, State, target_range
from .progress import CollectionProgress
from .records import Agent, Record
from .report import CollectionReport, make_report
from .results import parse_time

if TYPE_CHECKING:
    import httpx2
    from aiobotocore.client import AioBaseClient

__all__ = ["check_collection", "collect_exports"]


async def collect_exports(
    client: "AioBaseClient",
    directory: str | os.PathLike[str],
    *,
    agent_ids: Iterable[str] | None = None,
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
    summary: bool = True,
    recommendations: bool = False,
    max_running: int = 5,
    timeout: float | None = None,  # noqa: ASYNC109  # it ends with a report
    min_delay: float = 10.0,
    max_delay: float = 300.0,
    not_found_timeout: float = 60.0,
    http_client: "httpx2.AsyncClient | None" = None,
    progress: Callable[[CollectionProgress], object] | None = None,
) -> CollectionReport:
    """Collect all data of agents into a directory, and return what is there and what is missing.

    Each agent is exported from the time it registered to the time it was last heard of, in windows
    of at most 72 hours. A window begins where the archive before it ended. A window that the
    service truncates is requested again from where its archive ended, or in halves, down to an
    hour. Each step is written to the ledger ``collection.sqlite`` in the directory before it is
    taken. So the next collection continues after any end, even if the process was killed or power
    was lost. If the data is complete, the next collection gets what is new. No window is started
    twice, unless its export FAILED; then it is tried three times in all.

    Archives are named by what they really cover: ``agents/<agentId>/<start>_<end>.zip``. The others
    are ``summary/<time>.zip`` and ``recommendations/<time>.zip``.

    :param client: an aiobotocore client for ``discovery``.
    :param directory: where the archives go. It is created if it does not exist.
    :param agent_ids: the agents to collect; None: all of them. Connectors have no data of their
        own.
    :param start_time: the start of the range to collect, as an aware datetime or an ISO 8601
        string with an offset or ``Z``; None: from when each agent registered.
    :param end_time: the end of the range, in the same form; None: up to when each agent was last
        heard of.
    :param summary: whether to take a summary of all servers, if something new was collected or the
        last one is older than a day.
    :param recommendations: whether to take recommendations of EC2 instances too, under the same
        conditions.
    :param max_running: how many exports may run at once. The service allows five, including those
        of others. At the service's limit, the collection waits.
    :param timeout: how many seconds to continue at most; None: until nothing is left to do.
    :param min_delay: the shortest time between two polls of an export, and before another try, in
        seconds.
    :param max_delay: the longest such time, in seconds.
    :param not_found_timeout: if a start was not answered, how many seconds the service may not know
        its export before it counts as not started.
    :param http_client: as for ``download_export``.
    :param progress: called in the event loop with each change. An exception that it raises ends the
        collection.
    :return: what is there and what is missing, with the reasons. ``is_complete`` says whether
        everything is there.
    :raises CollectionTimeoutError: if the timeout is over. It has the report.
    :raises CollectionInUseError: if another collection is at work in the directory.
    :raises CollectionError: if the directory holds something other than a collection.
    :raises PollingError: if the service cannot be asked for exports, and asking again would not
        help.
    :raises botocore.exceptions.BotoCoreError: if the service cannot be asked for something else, as
        botocore raises it; the same goes for ``ClientError``.
    :raises OSError: if the directory cannot be written to.
    :raises ValueError: if an argument is out of range.
    :raises ImportError: if the extra ``download`` is not installed.

    If this is cancelled, the exports that were started keep running, and the next collection
    continues with them.
    """
    check_client(client)
    wanted = None if agent_ids is None else check_ids(agent_ids, "agent")
    start, end = check_time("start_time", start_time), check_time("end_time", end_time)
    if start is not None and end is not None and end < start:
        raise ValueError(f"end_time, {end.isoformat()}, is before start_time, {start.isoformat()}")
    check_count("max_running", max_running)
    check_delays(min_delay, max_delay, not_found_timeout)
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, or None, not {timeout!r}")
    check_http_client(http_client, "collect_exports")
    wanted_kinds = {Kind.SUMMARY: summary, Kind.RECOMMENDATIONS: recommendations}
    kinds = [kind for kind, is_wanted in wanted_kinds.items() if is_wanted]
    ledger = await run_sync(Ledger.open, Path(directory))
    try:
        desk = Desk(
            client,
            ledger,
            min_delay=min_delay,
            max_delay=max_delay,
            not_found_timeout=not_found_timeout,
            http_client=http_client,
            progress=progress,
        )
        await desk.ask(ledger.begin_run, {"summaries": kinds}, time.time())
        has_answered = False
        with anyio.move_on_after(timeout) as scope:
            described = await desk.persist(partial(_describe_agents, client))
            has_answered = True
            known = await desk.ask(ledger.agents)
            agents = _agents(
                described,
                known,
                wanted,
                None if start is None else math.floor(start.timestamp()),
                None if end is None else math.ceil(end.timestamp()),
            )
            await desk.ask(ledger.save_agents, agents)
            records = await desk.ask(_put_right, ledger)
            desk.begin(Book(await desk.ask(ledger.agents), records, kinds))
            desk.tell()
            async with ExportWatcher(
                client,
                min_delay=min_delay,
                max_delay=max_delay,
                # If the delays are short, the rate must not hold calls up.
                max_rate=max(1.0, 10 / min_delay),
                not_found_timeout=not_found_timeout,
            ) as watcher:
                await Collector(
                    desk,
                    watcher,
                    max_running=max_running,
                ).run()
        report = await desk.ask(_report, ledger, thoroughly=False)
        await desk.ask(ledger.end_run, time.time())
    finally:
        ledger.close()
    if scope.cancelled_caught:
        word = "" if has_answered else ", and the service has not answered once"
        raise CollectionTimeoutError(
            f"not everything was collected within {timeout:g} seconds{word}", report
        )
    return report


async def check_collection(directory: str | os.PathLike[str]) -> CollectionReport:
    """Report what was collected into a directory and what is missing, without any call.

    Each file is read in full, to see whether it is still what was downloaded. A collection may be
    at work meanwhile.

    :param directory: the directory of :func:`collect_exports`.
    :raises CollectionError: if nothing has been collected into it.
    :raises OSError: if it cannot be read.
    """
    ledger = await run_sync(Ledger.read, Path(directory))
    try:
        return await run_sync(partial(_report, ledger, thoroughly=True))
    finally:
        ledger.close()


def _report(ledger: Ledger, *, thoroughly: bool) -> CollectionReport:
    records = ledger.records()
    intact = {
        record.id: is_unchanged(
            ledger.path, record.file, thoroughly=thoroughly, check=check_cancelled
        )
        for record in records
        if record.file is not None
    }
    return make_report(
        ledger.path,
        ledger.agents().values(),
        records,
        intact,
        [Kind(kind) for kind in ledger.options().get("summaries", ())],
    )


def _put_right(ledger: Ledger) -> list[Record]:
    """Make the directory and the ledger agree again, as far as possible."""
    records = ledger.records()
    put_in_order(ledger.path, records)
    return [_fetch_again_if_changed(ledger, record) for record in records]


def _fetch_again_if_changed(ledger: Ledger, record: Record) -> Record:
    if record.state is not State.DONE or record.file is None or record.export_id is None:
        return record
    unchanged = is_unchanged(ledger.path, record.file, thoroughly=False, check=check_cancelled)
    if unchanged:
        return record
    if unchanged is not None:
        set_aside(ledger.path, record.file)
    return ledger.fetch_again(record)


async def _describe_agents(client: "AioBaseClient") -> list[Mapping[str, Any]]:
    pages = get_paginator(client, "describe_agents").paginate()
    return [agent async for agent in pages.items()]


def _agents(
    described: Iterable[Mapping[str, Any]],
    known: Mapping[str, Agent],
    wanted: tuple[str, ...] | None,
    start_time: int | None,
    end_time: int | None,
) -> list[Agent]:
    """Return all agents, as the service describes them and as they were known before."""
    agents = {agent_id: replace(agent, is_gone=True) for agent_id, agent in known.items()}
    for agent_id in wanted or ():
        agents.setdefault(agent_id, Agent(agent_id, is_gone=True))
    for info in described:
        found: Any = info.get("agentId")
        if not isinstance(found, str) or not found:
            continue
        before = known.get(found, Agent(found))
        first = parse_time(info.get("registeredTime"))
        last = parse_time(info.get("lastHealthPingTime"))
        agents[found] = replace(
            before,
            host_name=_text(info.get("hostName")) or before.host_name,
            is_connector="connector" in str(info.get("agentType", "")).lower(),
            first=min((time for time in (first, before.first) if time is not None), default=None),
            last=max((time for time in (last, before.last) if time is not None), default=None),
            is_gone=False,
        )
    return [
        _with_target(
            replace(agent, is_wanted=wanted is None or agent.agent_id in wanted),
            start_time,
            end_time,
        )
        for agent in agents.values()
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _with_target(agent: Agent, start_time: int | None, end_time: int | None) -> Agent:
    if agent.is_connector or not agent.is_wanted:
        return agent
    first = agent.first if agent.first is not None else start_time
    if first is None or (agent.is_gone and agent.last is None):
        return replace(agent, target=None)
    # An agent that was never heard of may have data up to now.
    last = agent.last if agent.last is not None else int(time.time())
    return replace(
        agent,
        target=target_range(first, last, start_time, end_time),
        may_extend=end_time is None or last + HOUR < end_time,
    )
