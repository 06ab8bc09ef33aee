"""The page of the documentation: its queries run, with the answers that it shows."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from support.pages import blocks

from aiodiscovery.emulator import Emulator

pytest.importorskip("pyarrow")

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
QUESTIONS = ("talks", "busiest", "peaks", "silent")
Rows = list[tuple[Any, ...]]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(agents=8, agent_days=2.5) as running:
        # One server fell silent more than a day ago.
        agent = next(
            agent_id for agent_id in running.agent_ids if agent_id not in running.connector_ids
        )
        _, end = running.agent_life(agent)
        days = 24 * 60 * 60
        running.set_agent_life(
            agent, registered_time=end - 2.5 * days, last_ping_time=end - 1.5 * days
        )
        yield running


@pytest.fixture(scope="module")
def answers(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Rows]]:
    """Run the page, and return the answer of each tool to each question."""
    for tool in ("duckdb", "pandas", "polars"):
        pytest.importorskip(tool)
    found: dict[str, dict[str, Rows]] = {question: {} for question in QUESTIONS}
    names: dict[str, Any] = {"emulator": emulator}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks(PAGE):
            if block.language == "python":
                exec(compile(block.source(), str(block.path), "exec"), names)
            for question in QUESTIONS:
                if question in names:
                    tool, rows = rows_of(names.pop(question))
                    found[question][tool] = rows
    return found


def rows_of(answer: Any) -> tuple[str, Rows]:
    match type(answer).__name__, type(answer).__module__.partition(".")[0]:
        case "DuckDBPyRelation", _:
            return "DuckDB", normal(answer.to_arrow_table().to_pylist())
        case "DataFrame", "polars":
            return "polars", normal(answer.to_dicts())
        case "DataFrame", "pandas":
            return "pandas", normal(answer.to_dict("records"))
        case kind:
            raise AssertionError(kind)


def normal(rows: list[dict[Any, Any]]) -> Rows:
    return [tuple(map(plain, row.values())) for row in rows]


def plain(value: Any) -> Any:
    if value is None or type(value).__name__ == "NaTType":  # pandas' missing time
        return None
    if isinstance(value, datetime):
        return datetime.fromtimestamp(value.timestamp(), UTC)
    return round(value, 6) if isinstance(value, float) else value


def truth(emulator: Emulator) -> Iterator[tuple[str, str]]:
    """Iterate over the agents that have data, with the names of their hosts."""
    for agent in emulator.agent_ids:
        if agent not in emulator.connector_ids:
            *_, last = emulator.agent_rows(agent, "osInfo")
            yield agent, last["hostName"]


def test_each_question_is_answered_by_each_tool(answers: dict[str, dict[str, Rows]]) -> None:
    for question in QUESTIONS:
        assert answers[question].keys() == {"DuckDB", "polars", "pandas"}
        for rows in answers[question].values():
            assert sorted(rows, key=repr) == sorted(answers[question]["DuckDB"], key=repr)


def test_which_server_talks_to_which(
    emulator: Emulator, answers: dict[str, dict[str, Rows]]
) -> None:
    hosts = dict(truth(emulator))
    addresses = {
        row["ipAddress"]: host
        for agent, host in hosts.items()
        for row in emulator.agent_rows(agent, "networkInterface")
    }
    expected = Counter(
        (host, addresses.get(row["destinationIp"], row["destinationIp"]), row["destinationPort"])
        for agent, host in hosts.items()
        for row in emulator.agent_rows(agent, "sourceProcessConnection")
    )

    assert {row[:3]: row[3] for row in answers["talks"]["DuckDB"]} == expected
    counts = [row[3] for row in answers["talks"]["pandas"]]
    assert counts == sorted(counts, reverse=True)


def test_the_busiest_servers_and_the_peaks_of_each(
    emulator: Emulator, answers: dict[str, dict[str, Rows]]
) -> None:
    averages, peaks = [], []
    for agent, host in truth(emulator):
        rows = list(emulator.agent_rows(agent, "systemPerformance"))
        usage = [row["totalCpuUsagePct"] for row in rows]
        averages.append((host, round(fmean(usage), 6)))
        free, ram = min(row["freeRAM"] for row in rows), max(row["totalRAM"] for row in rows)
        peaks.append((host, max(usage), free, ram))

    averages.sort(key=lambda average: -average[1])
    assert answers["busiest"]["DuckDB"] == averages[:5]
    assert answers["peaks"]["DuckDB"] == sorted(peaks)


def test_servers_without_data_of_the_last_day(
    emulator: Emulator, answers: dict[str, dict[str, Rows]]
) -> None:
    last_seen = {
        agent: max(row["timestamp"] for row in emulator.agent_rows(agent, "systemPerformance"))
        for agent, _ in truth(emulator)
    }
    newest = max(last_seen.values())
    summary = emulator.add_export(status="SUCCEEDED")
    expected = []
    for server in emulator.export_rows(summary, "Server"):
        seen = last_seen.get(server["agentId"])
        if seen is None or seen < newest - DAY:
            expected.append((server["hostName"], seen))

    assert sorted(answers["silent"]["DuckDB"], key=repr) == sorted(expected, key=repr)
    # One was there and fell silent, others never had an agent.
    assert {seen is None for _, seen in expected} == {True, False}
