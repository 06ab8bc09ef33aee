"""The tables in archives, their columns, and how the columns of a file map to these.

The tables and columns of agents have the names of AWS's own Athena tables, so that the queries that
AWS documents run on them (Application Discovery Service User Guide, "Using predefined queries in
Amazon Athena"). The other tables have the names of their files, in snake_case.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ._names import snake_case, spelling, spelling_with_unit

__all__ = [
    "AGENT_TABLES",
    "ID_MAPPING",
    "TABLES",
    "Column",
    "Layout",
    "Selection",
    "Table",
    "Type",
    "lay_out",
]


class Type(Enum):
    """The type of the values of a column."""

    TEXT = "text"
    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """A column, under its name in a table."""

    name: str
    type: Type = Type.TEXT

    @property
    def text_name(self) -> str:
        """The column for values that do not fit the type."""
        return f"{self.name}_text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are known, at least in part."""

    name: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file, and their positions in its rows.

    The known columns come first, in their order, whether the file has them or not. The new ones
    follow, in the order of the file.
    """

    columns: tuple[Column, ...]
    #: The position of each column in a row of the file. None if the file does not have it.
    positions: tuple[int | None, ...]
    #: How many cells a row has.
    width: int


def _columns(*texts: str) -> tuple[Column, ...]:
    """Make columns from names, each with its type after a colon if it is not text."""
    columns = []
    for text in " ".join(texts).split():
        name, _, type_ = text.partition(":")
        columns.append(Column(snake_case(name), Type(type_ or "text")))
    return tuple(columns)


_CONNECTION = _columns(
    "account_number agent_id source_ip source_port:integer destination_ip destination_port:integer",
    "ip_version transport_protocol agent_assigned_process_id agent_creation_date:time",
)

#: The tables in the files of an agent's export.
AGENT_TABLES = {
    "osInfo": Table(
        "os_info_agent",
        _columns(
            "account_number agent_id os_name os_version cpu_type host_name hypervisor",
            "timestamp:time",
        ),
    ),
    "networkInterface": Table(
        "network_interface_agent",
        _columns(
            "account_number agent_id name mac_address family ip_address gateway net_mask",
            "timestamp:time",
        ),
    ),
    "process": Table(
        "processes_agent",
        _columns(
            "account_number agent_id agent_assigned_process_id is_system:boolean name cmd_line",
            "path agent_provided_timestamp:time",
        ),
    ),
    "sourceProcessConnection": Table("outbound_connection_agent", _CONNECTION),
    "destinationProcessConnection": Table("inbound_connection_agent", _CONNECTION),
    "systemPerformance": Table(
        "sys_performance_agent",
        _columns(
            "account_number agent_id",
            # Whatever the unit is: AWS's texts call these both kilobits and kilobytes.
            "total_disk_bytes_read_per_sec_in_kbps:double",
            "total_disk_bytes_written_per_sec_in_kbps:double",
            "total_disk_read_ops_per_sec:double total_disk_write_ops_per_sec:double",
            "total_network_bytes_read_per_sec_in_kbps:double",
            "total_network_bytes_written_per_sec_in_kbps:double",
            "total_num_logical_processors:integer total_num_cores:integer total_num_cpus:integer",
            "total_num_disks:integer total_num_network_cards:integer total_cpu_usage_pct:double",
            "total_disk_size_in_gb:double total_disk_free_size_in_gb:double",
            "total_ram_in_mb:double free_ram_in_mb:double timestamp:time",
        ),
    ),
}

_SUMMARY_TABLES = {
    "Application": Table("application", _columns("id name")),
    "ApplicationResourceAssociation": Table(
        "application_resource_association", _columns("config_id application_configuration_id")
    ),
    "ImportTemplate": Table(
        "import_template",
        _columns(
            "ExternalId SMBiosId IPAddress MACAddress HostName VMware.MoRefId VMware.VCenterId",
            "CPU.NumberOfProcessors:integer CPU.NumberOfCores:integer",
            "CPU.NumberOfLogicalCores:integer OS.Name OS.Version VMware.VMName",
            "RAM.TotalSizeInMB:double RAM.UsedSizeInMB.Avg:double RAM.UsedSizeInMB.Max:double",
            "CPU.UsagePct.Avg:double CPU.UsagePct.Max:double",
            "DiskReadsPerSecondInKB.Avg:double DiskWritesPerSecondInKB.Avg:double",
            "DiskReadsPerSecondInKB.Max:double DiskWritesPerSecondInKB.Max:double",
            "DiskReadsOpsPerSecond.Avg:double DiskWritesOpsPerSecond.Avg:double",
            "DiskReadsOpsPerSecond.Max:double DiskWritesOpsPerSecond.Max:double",
            "NetworkReadsPerSecondInKB.Avg:double NetworkWritesPerSecondInKB.Avg:double",
            "NetworkReadsPerSecondInKB.Max:double NetworkWritesPerSecondInKB.Max:double",
            "Applications Tags",
        ),
    ),
    "NetworkInterface": Table("network_interface"),
    "Server": Table(
        "server",
        _columns(
            "id account_number agent_id cpu_type host_name hypervisor os_name os_version",
            "sm_bios_id type creation_timestamp:time last_modified_timestamp:time",
            "agent_provided_timestamp:time",
        ),
    ),
    "SystemPerformance": Table("system_performance"),
    "Tags": Table("tags"),
    "VMwareInfo": Table("vmware_info"),
}

_RECOMMENDATIONS = Table(
    "ec2_instance_recommendations",
    _columns(
        "ServerId Server.ExternalId Server.HostName Server.VMware.VMname",
        "Recommendation.EC2.Remarks Server.OS.Name Server.OS.Version",
        "Server.CPU.NumberOfProcessors:integer",
        "Server.CPU.NumberOfCores:integer Server.CPU.NumberOfLogicalCores:integer",
        "Recommendation.EC2.RequestedCPU.UsagePct:double Recommendation.EC2.RequestedvCPU:double",
        "Server.RAM.TotalSizeInMB:double Recommendation.EC2.RequestedRAM.UsagePct:double",
        "Recommendation.EC2.RequestedRAMinMB:double Recommendation.EC2.Instance.Model",
        "Recommendation.EC2.Instance.vCPUCount:integer",
        "Recommendation.EC2.Instance.RAM.TotalSizeinMB:double",
        "Recommendation.EC2.Instance.Price.UpfrontCost:double",
        "Recommendation.EC2.Instance.Price.HourlyRate:double",
        "Recommendation.EC2.Instance.Price.AmortizedHourlyRate:double",
        "Recommendation.EC2.Instance.Price.EffectiveDate.UTC:time",
        "Recommendation.EC2.Instance.OSType UserPreference.Recommendation.CPUSizing",
        "UserPreference.Recommendation.RAMSizing UserPreference.Region UserPreference.EC2.Tenancy",
        "UserPreference.EC2.PricingModel UserPreference.EC2.PricingModel.ContractTerm",
        "UserPreference.EC2.PricingModel.Payment UserPreference.EC2.ExcludedInstances",
        "Applications Tags Server.SMBiosId Server.VMware.MoRefId Server.VMware.VCenterId",
        "Server.VMware.vCenterName Server.VMware.vmFolderPath",
        "Server.CPU.UsagePct.Avg:double Server.CPU.UsagePct.Max:double",
        "Server.RAM.UsedSizeInMB.Avg:double Server.RAM.UsedSizeInMB.Max:double",
        "Server.RAM.UsagePct.Avg:double Server.RAM.UsagePct.Max:double",
        "Server.NumberOfDisks:integer",
        "Server.DiskReadsPerSecondInKB.Avg:double Server.DiskWritesPerSecondInKB.Avg:double",
        "Server.DiskReadsPerSecondInKB.Max:double Server.DiskWritesPerSecondInKB.Max:double",
        "Server.DiskReadOpsPerSecond.Avg:double Server.DiskWriteOpsPerSecond.Avg:double",
        "Server.DiskReadOpsPerSecond.Max:double Server.DiskWriteOpsPerSecond.Max:double",
        "Server.NetworkReadsPerSecondInKB.Avg:double Server.NetworkWritesPerSecondInKB.Avg:double",
        "Server.NetworkReadsPerSecondInKB.Max:double Server.NetworkWritesPerSecondInKB.Max:double",
    ),
)

#: The table of each file, by the type in its name.
TABLES = {**AGENT_TABLES, **_SUMMARY_TABLES, "EC2InstanceRecommendations": _RECOMMENDATIONS}


@dataclass(frozen=True, slots=True)
class Selection:
    """A table that is made from another one: some of its columns, of some of its rows."""

    table: Table
    #: The name of the other table, and for each column its column in that table.
    source: str
    picks: tuple[str, ...]
    #: The column of that table in which a row must have a value.
    required: str


#: Athena has this table. Files of agents do not contain the id of a server.
ID_MAPPING = Selection(
    Table("id_mapping_agent", _columns("account_number agent_id server_id")),
    source="server",
    picks=("account_number", "agent_id", "id"),
    required="agent_id",
)

#: Other names of columns: an earlier User Guide uses this one.
_ALIASES = {"free_ram_in_mb": ("total_free_ram_in_mb",)}
_LOOKS_LIKE_DATA = re.compile(r"\s*(?:\d{12}|[iod]-[0-9a-z]{17}|\d+\.\d+\.\d+\.\d+)\s*")


def lay_out(table: Table, header: Sequence[str]) -> Layout:
    """Find the columns of a table by the header of a file.

    Case, underscores, order and the unit do not matter, unless the unit is a different one. Unknown
    columns are kept as text, under their own names.

    :raises ValueError: if it is not a header but the first row of data.
    """
    known = _Known(table.columns)
    found: dict[str, int] = {}
    new: list[tuple[str, int]] = []
    for position, text in enumerate(header):
        column = known.find(text)
        if column is None or column in found:
            new.append((text, position))
        else:
            found[column] = position
    if not found and any(_LOOKS_LIKE_DATA.fullmatch(text) for text in header):
        raise ValueError("the first row is data, and not a header")
    taken = {name for column in table.columns for name in (column.name, column.text_name)}
    columns, positions = list(table.columns), [found.get(column.name) for column in table.columns]
    for text, position in new:
        name = _free_name(snake_case(text) or f"column_{position + 1}", taken)
        taken.add(name)
        columns.append(Column(name))
        positions.append(position)
    return Layout(tuple(columns), tuple(positions), len(header))


def _free_name(name: str, taken: Iterable[str]) -> str:
    number, free = 2, name
    while free in taken:
        free = f"{name}_{number}"
        number += 1
    return free


class _Known:
    """The known columns, by their spelling."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._by_spelling: dict[str, str] = {}
        self._by_base: dict[str, tuple[str, str | None]] = {}
        for column in columns:
            for name in (column.name, *_ALIASES.get(column.name, ())):
                self._by_spelling[spelling(name)] = column.name
                base, unit = spelling_with_unit(name)
                if unit is None and column.type is Type.TIME:
                    unit = "utc"
                elif unit is None and "_ops_" in name:
                    unit = "kb"  # as in AWS's own table, where it means nothing
                self._by_base[base] = (column.name, unit)

    def find(self, header: str) -> str | None:
        exact = self._by_spelling.get(spelling(header))
        if exact is not None:
            return exact
        base, unit = spelling_with_unit(header)
        name, known_unit = self._by_base.get(base, (None, None))
        return name if unit in (None, known_unit) else None
