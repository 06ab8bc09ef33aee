"""Agents: how long they live, what they see, and which are connectors."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import AGENT_TABLES

from aiodiscovery.emulator import Emulator, ServiceError

HOUR, DAY = 3600.0, 86400.0
JUNE_2025 = datetime(2025, 6, 1, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def many() -> Emulator:
    return Emulator(agents=60, exports=0)


def listed(emulator: Emulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = emulator.call("DescribeAgents", {})["agentsInfo"]
    return found


def count(emulator: Emulator, agent_id: str, table: str) -> int:
    return sum(1 for _ in emulator.agent_rows(agent_id, table))


def test_ids_have_the_real_form(many: Emulator) -> None:
    assert [agent["agentId"] for agent in listed(many)] == list(many.agent_ids)
    assert all(re.fullmatch("[io]-[0-9a-z]{17}", agent_id) for agent_id in many.agent_ids)
    assert {agent_id[0] for agent_id in many.agent_ids} == {"i", "o"}
    assert re.fullmatch("00[0-9]{10}", many.account_number)


def test_lives_are_listed_and_of_different_lengths(many: Emulator) -> None:
    for agent in listed(many):
        times = [
            datetime.strptime(agent[name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
            for name in ("registeredTime", "lastHealthPingTime")
        ]
        assert tuple(times) == many.agent_life(agent["agentId"])
    lengths = [end - start for start, end in map(many.agent_life, many.agent_ids)]
    assert len(set(lengths)) == 60
    assert min(lengths) < 3 * DAY < 8 * DAY < max(lengths) <= 10 * DAY


def test_lives_are_over_on_1_june_2025(many: Emulator) -> None:
    assert max(many.agent_life(agent_id)[1] for agent_id in many.agent_ids) <= JUNE_2025


def test_lives_are_no_longer_than_asked_yet_an_hour_at_least() -> None:
    short = Emulator(agents=20, agent_days=0.1)
    lengths = [end - start for start, end in map(short.agent_life, short.agent_ids)]
    assert min(lengths) == HOUR
    assert max(lengths) <= 0.1 * DAY


def test_an_agent_sees_nothing_outside_of_its_life(many: Emulator) -> None:
    for agent_id in many.agent_ids[:8]:
        start, end = many.agent_life(agent_id)
        for table in AGENT_TABLES:
            rows = list(many.agent_rows(agent_id, table, start - DAY, end + DAY))
            assert rows == list(many.agent_rows(agent_id, table))
            for row in rows:
                *_, time = row.values()
                assert start <= time.timestamp() < end


def test_an_agent_tells_what_it_is_as_it_is_registered_and_each_day(many: Emulator) -> None:
    agent_id = many.agent_ids[0]
    start, end = many.agent_life(agent_id)
    times = [row["timestamp"].timestamp() for row in many.agent_rows(agent_id, "osInfo")]
    assert times[0] == start
    assert {after - before for before, after in pairwise(times[1:])} == {DAY}
    assert times[1] - times[0] <= DAY
    assert end - times[-1] <= DAY


def test_performance_is_measured_every_quarter_of_an_hour_but_for_gaps(many: Emulator) -> None:
    with_gaps = 0
    for agent_id in many.agent_ids[:12]:
        rows = many.agent_rows(agent_id, "systemPerformance")
        times = [row["timestamp"].timestamp() for row in rows]
        steps = {after - before for before, after in pairwise(times)}
        assert all(step % 900 == 0 for step in steps)
        with_gaps += steps != {900.0} and bool(steps)
    assert 2 <= with_gaps < 8


def test_some_agents_are_connectors_without_data(many: Emulator) -> None:
    kinds = {agent["agentType"] for agent in listed(many)}
    assert len(kinds) == 3
    of_kind = [a["agentId"] for a in listed(many) if "connector" in a["agentType"].lower()]
    assert list(many.connector_ids) == of_kind
    assert 0 < len(of_kind) < 20
    for agent_id in of_kind[:2]:
        assert [count(many, agent_id, table) for table in AGENT_TABLES] == [0] * 6
        query = [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}]
        with pytest.raises(ServiceError, match="is a connector") as caught:
            many.call("StartExportTask", {"filters": query})
        assert caught.value.code == "InvalidParameterValueException"


def test_what_an_agent_saw_does_not_depend_on_its_life() -> None:
    one, other = Emulator(), Emulator()
    agent_id = one.agent_ids[0]
    start, end = one.agent_life(agent_id)
    other.set_agent_life(agent_id, registered_time=start - 3 * DAY, last_ping_time=end + 5 * DAY)
    assert other.agent_life(agent_id) == (start - 3 * DAY, end + 5 * DAY)
    for table in AGENT_TABLES:
        # It reports its inventory when it is registered, so the first second has other rows.
        rows = [
            list(emulator.agent_rows(agent_id, table, start + 1, end)) for emulator in (one, other)
        ]
        assert rows[0] == rows[1]
    assert count(other, agent_id, "systemPerformance") > count(one, agent_id, "systemPerformance")


def test_a_new_life_is_listed() -> None:
    emulator = Emulator()
    agent_id = emulator.agent_ids[2]
    emulator.set_agent_life(agent_id, last_ping_time=JUNE_2025 + 60.9)
    assert listed(emulator)[2]["lastHealthPingTime"] == "2025-06-01T00:01:00Z"
    emulator.set_agent_life(agent_id, registered_time=JUNE_2025)
    assert listed(emulator)[2]["registeredTime"] == "2025-06-01T00:00:00Z"
    assert emulator.agent_life(agent_id) == (JUNE_2025, JUNE_2025 + 60)


def test_another_seed_sees_other_things() -> None:
    rows = [
        next(emulator.agent_rows(emulator.agent_ids[0], "systemPerformance"))
        for emulator in (Emulator(seed=1), Emulator(seed=2))
    ]
    assert rows[0] != rows[1]
    assert rows[0]["accountNumber"] != rows[1]["accountNumber"]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_ranges_that_adjoin_have_each_row_once(many: Emulator, data: st.DataObject) -> None:
    agent_id = data.draw(st.sampled_from(many.agent_ids[:6]))
    table = data.draw(st.sampled_from(AGENT_TABLES))
    start, end = many.agent_life(agent_id)
    start = max(start, end - DAY)
    offsets = data.draw(st.lists(st.floats(0, end - start) | st.integers(0, int(end - start))))
    cuts = sorted(start + offset for offset in offsets)
    parts = [
        row
        for first, last in pairwise([start, *cuts, end])
        for row in many.agent_rows(agent_id, table, first, last)
    ]
    assert _sorted(parts) == _sorted(many.agent_rows(agent_id, table, start, end))


def _sorted(rows: Any) -> list[str]:
    return sorted(repr(row) for row in rows)


def test_both_ends_see_the_same_connections() -> None:
    emulator = Emulator(agents=3, configurations=3)
    called, _, caller = emulator.agent_ids
    for agent_id in (called, caller):
        emulator.set_agent_life(agent_id, registered_time=JUNE_2025 - DAY, last_ping_time=JUNE_2025)
    addresses = [agent["agentNetworkInfoList"][0]["ipAddress"] for agent in listed(emulator)]
    ends = (addresses[2], addresses[0])
    seen = [
        [
            (row["sourcePort"], row["destinationPort"], row["agentCreationDate"])
            for row in emulator.agent_rows(agent_id, table)
            if (row["sourceIp"], row["destinationIp"]) == ends
        ]
        for agent_id, table in (
            (caller, "sourceProcessConnection"),
            (called, "destinationProcessConnection"),
        )
    ]
    assert seen[0] == seen[1]
    assert len(seen[0]) > 20


def test_connections_are_those_of_the_servers(many: Emulator) -> None:
    addresses = {
        item["agentNetworkInfoList"][0]["ipAddress"]: item["agentId"] for item in listed(many)
    }
    agent_id = many.agent_ids[5]
    own = {address for address, owner in addresses.items() if owner == agent_id}
    outbound = list(many.agent_rows(agent_id, "sourceProcessConnection"))
    assert {row["sourceIp"] for row in outbound} == own
    inbound = list(many.agent_rows(agent_id, "destinationProcessConnection"))
    assert {row["destinationIp"] for row in inbound} == own
    for row in outbound:
        assert row["destinationIp"] in addresses or row["destinationIp"].startswith("198.51.100.")
    processes = {row["agentAssignedProcessId"] for row in many.agent_rows(agent_id, "process")}
    assert {row["agentAssignedProcessId"] for row in outbound + inbound} <= processes


def test_as_many_connections_are_opened_as_asked() -> None:
    emulator = Emulator(agents=1, configurations=1, connections=400)
    agent_id = emulator.agent_ids[0]
    end = emulator.agent_life(agent_id)[1]
    rows = list(emulator.agent_rows(agent_id, "sourceProcessConnection", end - 10 * HOUR, end))
    assert len(rows) == pytest.approx(40 * 400, rel=0.1)
    assert count(Emulator(connections=0), agent_id, "sourceProcessConnection") == 0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.agent_life("o-none"), "there is no agent 'o-none'"),
        (lambda e: e.set_agent_life("o-none"), "there is no agent 'o-none'"),
        (lambda e: e.agent_rows("o-none", "osInfo"), "there is no agent 'o-none'"),
        (
            lambda e: e.agent_rows(e.agent_ids[0], "Server"),
            "table must be one of osInfo, .*'Server'",
        ),
        (lambda e: e.set_agent_life(e.agent_ids[0], last_ping_time=5.0), "must not be before"),
        (lambda e: e.set_agent_life(e.agent_ids[0], last_ping_time=float("nan")), "last_ping_time"),
        (
            lambda e: e.agent_rows(e.agent_ids[0], "osInfo", float("inf")),
            "start_time must be a fin",
        ),
        (lambda e: e.add_export(end_time=float("nan")), "end_time must be a finite number"),
        (lambda e: Emulator(connections=float("inf")), "connections must be a finite number"),
        (lambda e: Emulator(agent_days=-1), "agent_days must not be negative"),
        (lambda e: Emulator(connections=-0.5), "connections must not be negative"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(Emulator())
