"""What an archive says about itself, and what is read from it."""

import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.export_archives import (
    ACCOUNT,
    AGENT,
    HEADERS,
    RESULTS,
    Style,
    agent_archive,
    csv_bytes,
    performance_row,
    write_zip,
)

pa = pytest.importorskip("pyarrow")

from aiodiscovery.tables import ArchivedExport, ArchiveError, open_archive  # noqa: E402

AGENT_TABLES = {
    "os_info_agent",
    "network_interface_agent",
    "processes_agent",
    "outbound_connection_agent",
    "inbound_connection_agent",
    "sys_performance_agent",
}
#: The columns that the queries of AWS's User Guide use.
IN_QUERIES_OF_AWS = {
    "os_info_agent": {"agent_id", "host_name", "os_name", "os_version", "timestamp"},
    "network_interface_agent": {"agent_id", "ip_address"},
    "outbound_connection_agent": {
        "agent_id",
        "source_ip",
        "destination_ip",
        "destination_port",
        "ip_version",
        "agent_assigned_process_id",
    },
    "inbound_connection_agent": {
        "agent_id",
        "source_ip",
        "destination_ip",
        "destination_port",
        "ip_version",
        "agent_assigned_process_id",
    },
    "processes_agent": {"agent_id", "agent_assigned_process_id", "name"},
    "sys_performance_agent": {
        "agent_id",
        "total_num_cores",
        "total_num_cpus",
        "total_cpu_usage_pct",
        "total_disk_size_in_gb",
        "total_disk_free_size_in_gb",
        "total_ram_in_mb",
        "free_ram_in_mb",
        "total_disk_read_ops_per_sec",
        "total_disk_bytes_written_per_sec_in_kbps",
        "total_network_bytes_read_per_sec_in_kbps",
        "total_network_bytes_written_per_sec_in_kbps",
    },
}
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export-1.zip"


def read(path: Path, table: str) -> list[dict[str, Any]]:
    with open_archive(path) as archive:
        rows: list[dict[str, Any]] = archive.read(table).to_pylist()
        return rows


def read_connections(path: Path, *rows: list[object], **options: Any) -> list[dict[str, Any]]:
    data = csv_bytes(HEADERS["sourceProcessConnection"], rows, **options)
    return read(agent_archive(path, {"sourceProcessConnection": data}), "outbound_connection_agent")


CONNECTION: list[object] = [
    *(ACCOUNT, AGENT, "10.0.0.1", 50000, "10.0.0.2", 443, "IPv4", "TCP", "1234"),
    "2026-01-05 00:00:00",
]


# What it says of itself


def test_the_export_is_what_the_results_file_says(path: Path) -> None:
    with open_archive(agent_archive(path, {})) as archive:
        assert archive.kind == "agent"
        assert archive.export == ArchivedExport(
            export_id="export-1",
            account_number=ACCOUNT,
            agent_id=AGENT,
            requested_start=MIDNIGHT,
            requested_end=datetime(2026, 1, 8, tzinfo=UTC),
            actual_start=datetime(2026, 1, 5, 0, 15, tzinfo=UTC),
            actual_end=datetime(2026, 1, 7, 23, 45, tzinfo=UTC),
            truncated=False,
            status="SUCCEEDED",
            status_message="",
            results=RESULTS,
        )


@pytest.mark.parametrize("value", [True, "true", "TRUE"])
def test_an_export_that_is_truncated_says_so(path: Path, value: object) -> None:
    summary = RESULTS["ExportSummary"] | {"isTruncated": value}

    with open_archive(agent_archive(path, {}, RESULTS | {"ExportSummary": summary})) as archive:
        assert archive.export.truncated is True


def test_an_account_number_that_lost_its_zero_in_json_has_it_again(path: Path) -> None:
    results = RESULTS | {"CustomerAccount": int(ACCOUNT)}

    with open_archive(agent_archive(path, {}, results)) as archive:
        assert archive.export.account_number == ACCOUNT


def test_what_the_results_file_does_not_say_is_none(path: Path) -> None:
    with open_archive(agent_archive(path, {}, {})) as archive:
        assert archive.export == ArchivedExport("export-1", ACCOUNT)


def test_without_a_results_file_the_account_is_that_of_the_files(tmp_path: Path) -> None:
    path = agent_archive(tmp_path / "mine.zip", {"osInfo": csv_bytes(HEADERS["osInfo"], [])}, None)

    with open_archive(path) as archive:
        assert archive.export == ArchivedExport(account_number=ACCOUNT)


def test_the_archive_of_an_agent_has_all_tables_of_agents(path: Path) -> None:
    process = csv_bytes(HEADERS["process"], [])

    with open_archive(agent_archive(path, {"process": process})) as archive:
        assert set(archive.tables) == AGENT_TABLES
        assert archive.tables["processes_agent"].member == f"{ACCOUNT}_process.csv"
        assert archive.tables["os_info_agent"].member is None
        for table in archive.tables.values():
            assert IN_QUERIES_OF_AWS[table.name] <= set(table.columns)
            assert archive.read(table.name).num_rows == 0
            assert archive.read(table.name).schema == table.schema


def test_a_summary_has_its_files_and_the_mapping_of_agents_to_servers(path: Path) -> None:
    header = [
        "Id",
        "accountNumber",
        "agentId",
        "cpuType",
        "hostName",
        "hypervisor",
        "osName",
        "osVersion",
        "smBiosId",
        "type",
        "creationTimeStamp",
        "lastModifiedTimeStamp",
        "agentProvidedTimeStamp",
    ]
    with_agent: list[object] = [
        "d-server-1",
        ACCOUNT,
        AGENT,
        *"abcdefg",
        *["01/05/2026 12:00:00 AM"] * 3,
    ]
    without_agent: list[object] = ["d-server-2", ACCOUNT, None, *"abcdefg", *[None] * 3]
    server = csv_bytes(header, [with_agent, without_agent])
    files = {
        "Server.csv": server,
        "Application.csv": csv_bytes(["Id", "name", "description"], [["1", "shop", "sells"]]),
        "ApplicationResourceAssociation.csv": csv_bytes(["configId"], []),
        "ImportTemplate": csv_bytes(["ExternalId", "RAM.TotalSizeInMB"], [["x", "1024"]]),
        "NetworkInterface.csv": csv_bytes(["serverId", "ipAddress"], [["d-server-1", "10.0.0.1"]]),
        "SystemPerformance.csv": csv_bytes(["serverId", "totalDiskSize"], [["d-server-1", "5"]]),
        "Tags.csv": csv_bytes(["serverId", "key", "value"], []),
        "VMwareInfo.csv": csv_bytes(["moRefId", "vCenterId"], []),
    }
    write_zip(path, {f"{ACCOUNT}_{name}": data for name, data in files.items()})

    with open_archive(path) as archive:
        assert archive.kind == "summary"
        assert set(archive.tables) == {
            "server",
            "application",
            "application_resource_association",
            "import_template",
            "network_interface",
            "system_performance",
            "tags",
            "vmware_info",
            "id_mapping_agent",
        }
        assert archive.read("id_mapping_agent").to_pylist() == [
            {"account_number": ACCOUNT, "agent_id": AGENT, "server_id": "d-server-1"}
        ]
        first, second = archive.read("server").to_pylist()
        assert first["creation_timestamp"] == MIDNIGHT
        assert second["agent_id"] is None
        assert archive.tables["application"].columns == ["id", "name", "description"]
        assert archive.read("import_template")["ram_total_size_in_mb"].to_pylist() == [1024.0]
        # Unknown columns of a file are kept as text.
        assert archive.read("system_performance").to_pylist() == [
            {"server_id": "d-server-1", "total_disk_size": "5"}
        ]


def test_recommendations_are_a_table(path: Path) -> None:
    header = [
        "ServerId",
        "Server.CPU.NumberOfCores",
        "Recommendation.EC2.Instance.Model",
        "Recommendation.EC2.Instance.Price.HourlyRate",
        "Recommendation.EC2.Instance.Price.EffectiveDate.UTC",
        "Recommendation.EC2.Remarks",
    ]
    rows: list[list[object]] = [
        ["d-server-1", 8, "c6a.4xlarge", 0.612, "2024-01-30 22:07:49", ""],
        ["d-server-2", "", "", "", "", "No match."],
    ]
    write_zip(path, {"EC2InstanceRecommendations-2024.csv": csv_bytes(header, rows)})

    with open_archive(path) as archive:
        assert archive.kind == "ec2_recommendations"
        first, second = archive.read("ec2_instance_recommendations").to_pylist()
    assert first["server_cpu_number_of_cores"] == 8
    assert first["recommendation_ec2_instance_price_hourly_rate"] == 0.612
    assert first["recommendation_ec2_instance_price_effective_date_utc"] == datetime(
        2024, 1, 30, 22, 7, 49, tzinfo=UTC
    )
    assert second["recommendation_ec2_instance_model"] is None
    assert second["recommendation_ec2_remarks"] == "No match."
    assert len(first) == 57


@pytest.mark.parametrize("name", ["{}_systemperformance.CSV", "{}_SystemPerformance.csv"])
def test_other_files_tell_what_a_name_that_both_kinds_have_is_of(path: Path, name: str) -> None:
    performance = csv_bytes(HEADERS["systemPerformance"], [performance_row("2026-01-05")])
    files = {f"{ACCOUNT}_osInfo.csv": b"", name.format(ACCOUNT): performance}

    (row,) = read(write_zip(path, files), "sys_performance_agent")

    assert row["agent_id"] == AGENT


def test_the_case_tells_where_nothing_else_does(tmp_path: Path) -> None:
    data = csv_bytes(["name"], [["eth0"]])
    agent = write_zip(tmp_path / "a.zip", {f"{ACCOUNT}_networkInterface.csv": data})
    summary = write_zip(tmp_path / "s.zip", {f"{ACCOUNT}_NetworkInterface.csv": data})

    assert read(agent, "network_interface_agent")[0]["name"] == "eth0"
    assert read(summary, "network_interface") == [{"name": "eth0"}]


def test_what_other_systems_leave_in_an_archive_is_no_file_of_the_export(path: Path) -> None:
    data = csv_bytes(HEADERS["osInfo"], [])
    files = {
        f"{ACCOUNT}_osInfo.csv": data,
        f"__MACOSX/._{ACCOUNT}_osInfo.csv": b"\x00",
        ".DS_Store": b"\x00",
        "readme.txt": b"Hello.",
    }

    with open_archive(write_zip(path, files)) as archive:
        assert archive.unread == ("readme.txt",)


# Values


def test_account_numbers_keep_their_zeros(path: Path) -> None:
    (row,) = read_connections(path, CONNECTION)

    assert row == {
        "account_number": "012345678901",
        "agent_id": AGENT,
        "source_ip": "10.0.0.1",
        "source_port": 50000,
        "destination_ip": "10.0.0.2",
        "destination_port": 443,
        "ip_version": "IPv4",
        "transport_protocol": "TCP",
        "agent_assigned_process_id": "1234",
        "agent_creation_date": MIDNIGHT,
    }


def test_an_empty_cell_is_null_quoted_or_not(path: Path) -> None:
    (row,) = read_connections(path, [None] * 10, style=Style(quote_all=True))
    (other,) = read_connections(path, [None] * 10)

    assert set(row.values()) == set(other.values()) == {None}


@pytest.mark.parametrize("text", ["null", "NULL", "NA", "N/A", "nan", "-", " "])
def test_a_word_that_others_take_for_nothing_is_a_text(path: Path, text: str) -> None:
    (row,) = read_connections(path, [ACCOUNT, text, *CONNECTION[2:]])

    assert row["agent_id"] == text


def test_a_cell_has_line_ends_commas_and_quotes(path: Path) -> None:
    command = 'sh -c "echo 1,\r\n2\n\n"'
    row = [ACCOUNT, AGENT, "1", "true", "sh", command, "/bin/sh", "2026-01-05"]
    data = csv_bytes(HEADERS["process"], [row, row])

    rows = read(agent_archive(path, {"process": data}), "processes_agent")

    assert [row["cmd_line"] for row in rows] == [command, command]
    assert [row["is_system"] for row in rows] == [True, True]


def test_what_does_not_fit_is_kept_as_text_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd: list[object] = [*CONNECTION]
    odd[3], odd[5], odd[9] = "http", "99999999999999999999", "yesterday"

    first, second = read_connections(path, CONNECTION, odd)

    assert (first["source_port"], first["source_port_text"]) == (50000, None)
    assert (second["source_port"], second["source_port_text"]) == (None, "http")
    assert second["destination_port_text"] == "99999999999999999999"
    assert (second["agent_creation_date"], second["agent_creation_date_text"]) == (
        None,
        "yesterday",
    )
    assert list(first)[-3:] == [
        "source_port_text",
        "destination_port_text",
        "agent_creation_date_text",
    ]
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(messages) == 3
    assert all("1 value(s)" in message and str(path) in message for message in messages)


def test_a_reader_has_a_column_for_what_does_not_fit_from_the_start(path: Path) -> None:
    data = csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION])
    agent_archive(path, {"sourceProcessConnection": data})

    with open_archive(path) as archive:
        reader = archive.batches("outbound_connection_agent")
        names = [*archive.tables["outbound_connection_agent"].columns]
        texts = ["source_port_text", "destination_port_text", "agent_creation_date_text"]
        assert reader.schema.names == names + texts
        table = reader.read_all()
        assert table.select(names) == archive.read("outbound_connection_agent")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "1e999"])
def test_what_is_no_number_is_none(path: Path, text: str) -> None:
    row = performance_row("2026-01-05", totalCpuUsagePct=text)
    data = csv_bytes(HEADERS["systemPerformance"], [row])

    (read_row,) = read(agent_archive(path, {"systemPerformance": data}), "sys_performance_agent")

    assert (read_row["total_cpu_usage_pct"], read_row["total_cpu_usage_pct_text"]) == (None, text)


# Headers


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("ACCOUNTNUMBER", "account_number"),
        ("account_number", "account_number"),
        (" Account Number ", "account_number"),
        ("totalDiskBytesReadPerSecond", "total_disk_bytes_read_per_sec_in_kbps"),
        ("totalDiskBytesReadPerSecond (KB)", "total_disk_bytes_read_per_sec_in_kbps"),
        ("total_disk_bytes_read_per_sec_in_kbps", "total_disk_bytes_read_per_sec_in_kbps"),
        ("totalDiskReadOpsPerSecond", "total_disk_read_ops_per_sec"),
        ("total_disk_read_ops_per_sec_in_kbps", "total_disk_read_ops_per_sec"),
        ("totalCpuUsage (%)", "total_cpu_usage_pct"),
        ("totalCpuUsagePercent", "total_cpu_usage_pct"),
        ("totalDiskSize", "total_disk_size_in_gb"),
        ("totalDiskSizeInGB", "total_disk_size_in_gb"),
        ("totalRAM", "total_ram_in_mb"),
        ("freeRAM(MB)", "free_ram_in_mb"),
        ("total_free_ram_in_mb", "free_ram_in_mb"),
        ("timeStamp", "timestamp"),
        ("timestamp (UTC)", "timestamp"),
    ],
)
def test_a_column_is_found_however_it_is_spelt(path: Path, header: str, column: str) -> None:
    data = csv_bytes(["x", header], [["y", "1"]])

    with open_archive(agent_archive(path, {"systemPerformance": data})) as archive:
        table = archive.read("sys_performance_agent")

    values = {name: table[name].to_pylist()[0] for name in (column, "x")}
    assert values[column] is not None or table[f"{column}_text"].to_pylist() == ["1"]
    assert values["x"] == "y"
    assert len(table.column_names) in (20, 21)


def test_a_size_in_another_unit_is_another_column(path: Path) -> None:
    data = csv_bytes(["agentId", "totalRAM (GB)"], [[AGENT, "16"]])

    (row,) = read(agent_archive(path, {"systemPerformance": data}), "sys_performance_agent")

    assert row["total_ram_in_mb"] is None
    assert row["total_ram_gb"] == "16"


def test_new_columns_come_along_and_none_takes_the_place_of_another(path: Path) -> None:
    header = [
        *("agentId", "agent_id", "", "sourcePortText", "commandPath", "command path", "sourcePort"),
    ]
    data = csv_bytes(header, [["a", "b", "c", "d", "e", "f", "http"]])

    (row,) = read(
        agent_archive(path, {"sourceProcessConnection": data}), "outbound_connection_agent"
    )

    assert {name: value for name, value in row.items() if value is not None} == {
        "agent_id": "a",
        "agent_id_2": "b",
        "column_3": "c",
        "source_port_text_2": "d",
        "command_path": "e",
        "command_path_2": "f",
        "source_port_text": "http",
    }
    assert row["account_number"] is None


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n", b"agentId,timestamp"])
def test_a_file_without_rows_is_a_table_without_rows(path: Path, data: bytes) -> None:
    assert read(agent_archive(path, {"osInfo": data}), "os_info_agent") == []


# The ends of an archive


def test_tables_can_be_read_side_by_side_and_again(path: Path) -> None:
    data = csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION] * 30_000)
    kinds = ("sourceProcessConnection", "destinationProcessConnection")
    agent_archive(path, dict.fromkeys(kinds, data))

    with open_archive(path) as archive:
        names = ("outbound_connection_agent", "inbound_connection_agent")
        readers = [archive.batches(name) for name in names]
        rows = sum(batch.num_rows for pair in zip(*readers, strict=True) for batch in pair)
        assert rows == 60_000
        assert archive.read(names[0]) == archive.read(names[1])


def test_a_closed_archive_says_that_it_is_closed(path: Path) -> None:
    data = csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION] * 300_000)
    agent_archive(path, {"sourceProcessConnection": data})
    archive = open_archive(path)
    reader = archive.batches("outbound_connection_agent")
    reader.read_next_batch()

    archive.close()

    with pytest.raises(ValueError, match="closed while it was being read"):
        reader.read_all()
    with pytest.raises(ValueError, match="is closed"):
        archive.read("outbound_connection_agent")


#: Reads a batch, and ends while the next one is being read.
LEAVES = """
import sys, threading, time, zipfile
from aiodiscovery.tables import open_archive

read = zipfile.ZipExtFile.read

def read_slowly(self, size=-1):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.1)
    return read(self, size)

zipfile.ZipExtFile.read = read_slowly
archive = open_archive(sys.argv[1])
reader = archive.batches("outbound_connection_agent")
print(reader.read_next_batch().num_rows > 0)
if sys.argv[2] == "closed":
    archive.close()
elif sys.argv[2] == "dropped":
    del reader
"""


@pytest.mark.parametrize("state", ["open", "closed", "dropped"])
def test_a_program_may_end_while_it_is_being_read(path: Path, state: str) -> None:
    data = csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION] * 100_000)
    agent_archive(path, {"sourceProcessConnection": data})

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEAVES, str(path), state],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_a_table_that_is_not_there_names_those_that_are(path: Path) -> None:
    with (
        open_archive(agent_archive(path, {})) as archive,
        pytest.raises(ValueError, match=r"no table 'server' .* os_info_agent"),
    ):
        archive.read("server")


def test_a_file_that_does_not_exist_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_archive(tmp_path / "none.zip")


def test_an_error_survives_pickling(path: Path) -> None:
    path.write_bytes(b"no zip")
    with pytest.raises(ArchiveError) as caught:
        open_archive(path)

    again = pickle.loads(pickle.dumps(caught.value))

    assert (str(again), again.archive) == (str(caught.value), str(path))
