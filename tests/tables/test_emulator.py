"""The emulator's data comes out of its archives, and out of Parquet."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from aiodiscovery.emulator import Emulator, Quirks
from aiodiscovery.tables import open_archive, write_parquet
from aiodiscovery.tables._parsing import parse_time

NAMES = {
    "osInfo": "os_info_agent",
    "networkInterface": "network_interface_agent",
    "process": "processes_agent",
    "sourceProcessConnection": "outbound_connection_agent",
    "destinationProcessConnection": "inbound_connection_agent",
    "systemPerformance": "sys_performance_agent",
    "Server": "server",
    "Application": "application",
    "ApplicationResourceAssociation": "application_resource_association",
    "ImportTemplate": "import_template",
    "NetworkInterface": "network_interface",
    "SystemPerformance": "system_performance",
    "Tags": "tags",
    "VMwareInfo": "vmware_info",
    "EC2InstanceRecommendations": "ec2_instance_recommendations",
}
QUIRKS = st.builds(
    Quirks,
    timestamps=st.sampled_from(["us", "iso", "iso-z", "space", "space-z"]),
    byte_order_mark=st.booleans(),
    crlf=st.booleans(),
    folder=st.sampled_from(["", "a", "exports/2025"]),
    empty_files=st.booleans(),
    command_columns=st.booleans(),
    header=st.sampled_from(["usual", "lower", "upper", "snake"]),
)


@pytest.fixture(scope="module")
def running() -> Any:
    with Emulator(agents=8, agent_days=2.0, connections=0.3) as emulator:
        yield emulator


def same(value: object, put: object) -> bool:
    """Whether a value is the original one, or its text if the type of the column is not known."""
    if put == "":
        return value is None
    if isinstance(value, str) and not isinstance(put, str):
        return (parse_time(value) if isinstance(put, datetime) else value) in (put, str(put))
    return value == put and isinstance(value, bool) is isinstance(put, bool)


def check(table: pa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Compare a table with rows, whose columns are in the same order."""
    assert table.num_rows == len(rows)
    if rows:
        assert len(table.column_names) == len(rows[0])
    for number, name in enumerate(table.column_names):
        values = table[name].to_pylist()
        if pa.types.is_timestamp(table.schema.field(name).type):
            values = [value and value.astimezone(UTC) for value in values]
        puts = [list(row.values())[number] for row in rows]
        wrong = [
            (value, put) for value, put in zip(values, puts, strict=True) if not same(value, put)
        ]
        assert wrong == [], name


@settings(max_examples=20, deadline=None)
@given(quirks=QUIRKS, number=st.integers(0, 4), of=st.sampled_from(["agent", "summary", "ec2"]))
def test_what_the_emulator_put_in_comes_out(
    running: Emulator, quirks: Quirks, number: int, of: str
) -> None:
    agents = [agent_id for agent_id in running.agent_ids if agent_id not in running.connector_ids]
    export_id = running.add_export(
        status="SUCCEEDED",
        agent_id=agents[number] if of == "agent" else None,
        recommendations=of == "ec2",
        quirks=quirks,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{export_id}.zip")
        running.write_archive(export_id, path)
        files = {file.table: file for file in write_parquet(path, Path(folder, "tables"))}

        with open_archive(path) as archive:
            assert archive.unread == ()
            # No file of recommendations has the account number.
            account_number = None if of == "ec2" else running.account_number
            assert archive.export.account_number == account_number
            for type_ in running.export_tables(export_id):
                rows = list(running.export_rows(export_id, type_))
                table = archive.read(NAMES[type_])
                check(table, rows)
                assert pq.read_table(files[NAMES[type_]].path) == table


def test_adjoining_exports_are_the_agent_each_row_once(running: Emulator, tmp_path: Path) -> None:
    agent = next(
        agent_id for agent_id in running.agent_ids if agent_id not in running.connector_ids
    )
    start, end = running.agent_life(agent)
    middle = (start + end) / 2
    for number, (first, last) in enumerate([(start, middle), (middle, end)]):
        export_id = running.add_export(
            status="SUCCEEDED", agent_id=agent, start_time=first, end_time=last
        )
        running.write_archive(export_id, tmp_path / f"export-{number}.zip")

    write_parquet(tmp_path, tmp_path / "tables")

    for type_ in ("process", "systemPerformance", "sourceProcessConnection"):
        rows = list(running.agent_rows(agent, type_))
        check(pq.read_table(tmp_path / "tables" / NAMES[type_]), rows)


def test_the_export_is_what_the_emulator_says(running: Emulator, tmp_path: Path) -> None:
    agent = next(
        agent_id for agent_id in running.agent_ids if agent_id not in running.connector_ids
    )
    start, end = running.agent_life(agent)
    export_id = running.add_export(
        status="SUCCEEDED", agent_id=agent, start_time=start, end_time=end, truncated=True
    )
    running.write_archive(export_id, tmp_path / f"{export_id}.zip")

    with open_archive(tmp_path / f"{export_id}.zip") as archive:
        export = archive.export

    assert (export.export_id, export.agent_id, export.truncated) == (export_id, agent, True)
    assert export.requested_start == datetime.fromtimestamp(start, UTC)
    assert export.requested_end == datetime.fromtimestamp(end, UTC)
    assert export.actual_start is not None
    assert export.actual_end is not None
    assert export.actual_end.timestamp() == running.export_range(export_id)[1]
    assert start <= export.actual_start.timestamp() < export.actual_end.timestamp() < end
