"""The contents of a summary of all servers, and of the recommended EC2 instances."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ._data import BASE_TIME, Host, Item, generator
from ._machines import Machine, machine_of
from ._tables import Row, Table, columns
from ._times import DAY

__all__ = ["RECOMMENDATION_TABLES", "SUMMARY_TABLES", "SummaryData"]

# The columns of Server, ImportTemplate and EC2InstanceRecommendations are known, and the first ones
# of Application and ApplicationResourceAssociation. The others are modelled on related files.
_COLUMNS = {
    "Server": columns(
        "Id accountNumber agentId cpuType hostName hypervisor osName osVersion smBiosId type "
        "creationTimeStamp lastModifiedTimeStamp agentProvidedTimeStamp",
        times="creationTimeStamp lastModifiedTimeStamp agentProvidedTimeStamp",
    ),
    "Application": columns(
        "Id name description accountNumber creationTimeStamp lastModifiedTimeStamp",
        times="creationTimeStamp lastModifiedTimeStamp",
    ),
    "ApplicationResourceAssociation": columns(
        "configId applicationConfigurationId accountNumber resourceType"
    ),
    "ImportTemplate": columns(
        "ExternalId SMBiosId IPAddress MACAddress HostName VMware.MoRefId VMware.VCenterId "
        "CPU.NumberOfProcessors CPU.NumberOfCores CPU.NumberOfLogicalCores OS.Name OS.Version "
        "VMware.VMName RAM.TotalSizeInMB RAM.UsedSizeInMB.Avg RAM.UsedSizeInMB.Max "
        "CPU.UsagePct.Avg CPU.UsagePct.Max DiskReadsPerSecondInKB.Avg DiskWritesPerSecondInKB.Avg "
        "DiskReadsPerSecondInKB.Max DiskWritesPerSecondInKB.Max DiskReadsOpsPerSecond.Avg "
        "DiskWritesOpsPerSecond.Avg DiskReadsOpsPerSecond.Max DiskWritesOpsPerSecond.Max "
        "NetworkReadsPerSecondInKB.Avg NetworkWritesPerSecondInKB.Avg "
        "NetworkReadsPerSecondInKB.Max NetworkWritesPerSecondInKB.Max Applications Tags"
    ),
    "NetworkInterface": columns(
        "serverId accountNumber agentId name macAddress family ipAddress gateway netMask"
    ),
    "SystemPerformance": columns(
        "serverId accountNumber agentId avgCpuUsagePct maxCpuUsagePct avgFreeRAM minFreeRAM "
        "totalRAM totalDiskSize totalDiskFreeSize avgDiskReadOpsPerSecond "
        "avgDiskWriteOpsPerSecond avgNetworkBytesReadPerSecond avgNetworkBytesWrittenPerSecond"
    ),
    "Tags": columns(
        "configurationId configurationType key value timeOfCreation", times="timeOfCreation"
    ),
    "VMwareInfo": columns(
        "serverId accountNumber vmName moRefId vCenterId vCenterName vmFolderPath hostSystemName"
    ),
    "EC2InstanceRecommendations": columns(
        "ServerId Server.ExternalId Server.HostName Server.VMware.VMname "
        "Recommendation.EC2.Remarks Server.OS.Name Server.OS.Version "
        "Server.CPU.NumberOfProcessors Server.CPU.NumberOfCores Server.CPU.NumberOfLogicalCores "
        "Recommendation.EC2.RequestedCPU.UsagePct Recommendation.EC2.RequestedvCPU "
        "Server.RAM.TotalSizeInMB Recommendation.EC2.RequestedRAM.UsagePct "
        "Recommendation.EC2.RequestedRAMinMB Recommendation.EC2.Instance.Model "
        "Recommendation.EC2.Instance.vCPUCount Recommendation.EC2.Instance.RAM.TotalSizeinMB "
        "Recommendation.EC2.Instance.Price.UpfrontCost "
        "Recommendation.EC2.Instance.Price.HourlyRate "
        "Recommendation.EC2.Instance.Price.AmortizedHourlyRate "
        "Recommendation.EC2.Instance.Price.EffectiveDate.UTC Recommendation.EC2.Instance.OSType "
        "UserPreference.Recommendation.CPUSizing UserPreference.Recommendation.RAMSizing "
        "UserPreference.Region UserPreference.EC2.Tenancy UserPreference.EC2.PricingModel "
        "UserPreference.EC2.PricingModel.ContractTerm UserPreference.EC2.PricingModel.Payment "
        "UserPreference.EC2.ExcludedInstances Applications Tags Server.SMBiosId "
        "Server.VMware.MoRefId Server.VMware.VCenterId Server.VMware.vCenterName "
        "Server.VMware.vmFolderPath Server.CPU.UsagePct.Avg Server.CPU.UsagePct.Max "
        "Server.RAM.UsedSizeInMB.Avg Server.RAM.UsedSizeInMB.Max Server.RAM.UsagePct.Avg "
        "Server.RAM.UsagePct.Max Server.NumberOfDisks Server.DiskReadsPerSecondInKB.Avg "
        "Server.DiskWritesPerSecondInKB.Avg Server.DiskReadsPerSecondInKB.Max "
        "Server.DiskWritesPerSecondInKB.Max Server.DiskReadOpsPerSecond.Avg "
        "Server.DiskWriteOpsPerSecond.Avg Server.DiskReadOpsPerSecond.Max "
        "Server.DiskWriteOpsPerSecond.Max Server.NetworkReadsPerSecondInKB.Avg "
        "Server.NetworkWritesPerSecondInKB.Avg Server.NetworkReadsPerSecondInKB.Max "
        "Server.NetworkWritesPerSecondInKB.Max",
        fixed_times="Recommendation.EC2.Instance.Price.EffectiveDate.UTC",
    ),
}

#: The types of files in the archive of recommendations.
RECOMMENDATION_TABLES = ("EC2InstanceRecommendations",)
#: The types of files in the archive of a summary, in their order.
SUMMARY_TABLES = tuple(name for name in _COLUMNS if name not in RECOMMENDATION_TABLES)

_GB = 1024
_INSTANCES = (
    ("t3.medium", 2, 4 * _GB, 0.0416),
    ("m6i.large", 2, 8 * _GB, 0.096),
    ("m6i.xlarge", 4, 16 * _GB, 0.192),
    ("c6a.4xlarge", 16, 32 * _GB, 0.612),
    ("m6i.8xlarge", 32, 128 * _GB, 1.536),
)


@dataclass(frozen=True, slots=True)
class SummaryData:
    """The rows of summaries and recommendations.

    :param account: the number of the account
    :param seed: the source of the data
    :param servers: the servers, in listing order
    :param agent_ids: the agents that are listed; the other servers have none
    :param applications: what ListConfigurations lists
    :param tags: what DescribeTags lists
    """

    account: str
    seed: int
    servers: tuple[Host, ...]
    agent_ids: frozenset[str]
    applications: tuple[Item, ...]
    tags: tuple[Item, ...]

    def table(self, name: str, edition: str, gone: Collection[str]) -> Table:
        """Return a table.

        :param name: one of :data:`SUMMARY_TABLES` or :data:`RECOMMENDATION_TABLES`
        :param edition: which averages it has; they differ from export to export
        :param gone: the ids of the servers that were deleted
        """
        make: Callable[[Host, Random], Iterator[Row]] | None = {
            "Server": self._server,
            "ApplicationResourceAssociation": self._association,
            "ImportTemplate": self._template,
            "NetworkInterface": self._interfaces,
            "SystemPerformance": self._performance,
            "VMwareInfo": self._vmware,
            "EC2InstanceRecommendations": self._recommendation,
        }.get(name)

        def rows() -> Iterator[Row]:
            if name == "Application":
                yield from self._all_applications()
            elif name == "Tags":
                yield from self._all_tags(gone)
            elif make is not None:
                for host in self.servers:
                    if host.server_id not in gone:
                        rng = generator(self.seed, f"{name}/{edition}/{host.server_id}")
                        yield from make(host, rng)

        return Table(name, _COLUMNS[name], rows)

    def _agent_id(self, host: Host) -> str | None:
        return host.agent_id if host.agent_id in self.agent_ids else None

    def _server(self, host: Host, rng: Random) -> Iterator[Row]:
        machine = machine_of(self.seed, host.agent_id)
        created = int(BASE_TIME) - 60 * DAY
        agent_id = self._agent_id(host)
        yield (
            *(host.server_id, self.account, agent_id, machine.cpu_type, host.name),
            *(machine.hypervisor, host.os_name, host.os_version, _bios_id(host)),
            *("EC2" if host.agent_id.startswith("i-") else "OTHER", created),
            created + rng.randrange(DAY),
            None if agent_id is None else int(BASE_TIME) - rng.randrange(DAY),
        )

    def _all_applications(self) -> Iterator[Row]:
        for number, item in enumerate(self.applications):
            created = int(BASE_TIME) - 40 * DAY + number * 60
            yield (
                *(item["application.configurationId"], item["application.name"]),
                *(item["application.description"], self.account, created, created + DAY),
            )

    def _all_tags(self, gone: Collection[str]) -> Iterator[Row]:
        for item in self.tags:
            if item["configurationId"] not in gone:
                yield (
                    *(item["configurationId"], item["configurationType"], item["key"]),
                    *(item["value"], int(item["timeOfCreation"])),
                )

    def _application_of(self, host: Host) -> Item | None:
        """Return the application that a server belongs to; one in four has none."""
        rng = generator(self.seed, f"application of/{host.server_id}")
        if not self.applications or rng.random() < 0.25:
            return None
        return rng.choice(self.applications)

    def _association(self, host: Host, rng: Random) -> Iterator[Row]:
        del rng
        item = self._application_of(host)
        if item is not None:
            yield (host.server_id, item["application.configurationId"], self.account, "SERVER")

    def _labels(self, host: Host) -> tuple[str | None, str | None]:
        """Return the applications and the tags of a server, as lists within one cell."""
        application = self._application_of(host)
        tags = [
            f"{tag['key']}:{tag['value']}"
            for tag in self.tags
            if tag["configurationId"] == host.server_id
        ]
        return (
            None if application is None else str(application["application.name"]),
            ", ".join(tags) or None,
        )

    def _template(self, host: Host, rng: Random) -> Iterator[Row]:
        machine = machine_of(self.seed, host.agent_id)
        vmware = _vmware_of(host, machine)
        usage = _Usage.drawn(rng, machine)
        yield (
            *(None, _bios_id(host), host.ip_address, host.mac_address, host.name),
            *(vmware.get("moRefId"), vmware.get("vCenterId")),
            *(machine.cpus, machine.cores, machine.logical, host.os_name, host.os_version),
            *(vmware.get("vmName"), machine.ram, *usage.ram, *usage.cpu, *usage.rates),
            *self._labels(host),
        )

    def _interfaces(self, host: Host, rng: Random) -> Iterator[Row]:
        del rng
        network = host.ip_address.rpartition(".")[0]
        yield (
            *(host.server_id, self.account, self._agent_id(host), "eth0", host.mac_address),
            *("IPv4", host.ip_address, f"{network}.254", "255.255.255.0"),
        )

    def _performance(self, host: Host, rng: Random) -> Iterator[Row]:
        machine = machine_of(self.seed, host.agent_id)
        usage = _Usage.drawn(rng, machine)
        # In GB for servers with an agent, in MB for those without one.
        unit = _GB if self._agent_id(host) is None else 1
        free = [round(machine.ram - used, 2) for used in usage.ram]
        yield (
            *(host.server_id, self.account, self._agent_id(host), *usage.cpu, *free, machine.ram),
            round(machine.disk_size * unit, 2),
            round(machine.disk_size * unit * rng.random(), 2),
            *usage.rates[4:6],
            *usage.rates[8:10],
        )

    def _vmware(self, host: Host, rng: Random) -> Iterator[Row]:
        del rng
        vmware = _vmware_of(host, machine_of(self.seed, host.agent_id))
        if vmware:
            yield (host.server_id, self.account, *vmware.values())

    def _recommendation(self, host: Host, rng: Random) -> Iterator[Row]:
        machine = machine_of(self.seed, host.agent_id)
        vmware = _vmware_of(host, machine)
        usage = _Usage.drawn(rng, machine)
        pct = [round(100 * used / machine.ram, 2) for used in usage.ram]
        yield (
            *(host.server_id, None, host.name, vmware.get("vmName")),
            *_instance(host, machine),
            *("Specification", "Specification", "US West (Oregon)", "SHARED", "On-Demand"),
            *(None, None, None, *self._labels(host), _bios_id(host)),
            *(vmware.get("moRefId"), vmware.get("vCenterId"), vmware.get("vCenterName")),
            *(vmware.get("vmFolderPath"), *usage.cpu, *usage.ram, *pct, machine.disks),
            *usage.rates,
        )


@dataclass(frozen=True, slots=True)
class _Usage:
    """The load of a server: average and maximum of processor and memory, and twelve rates."""

    cpu: tuple[float, float]
    ram: tuple[float, float]
    rates: tuple[float, ...]

    @classmethod
    def drawn(cls, rng: Random, machine: Machine) -> "_Usage":
        cpu, ram = rng.uniform(1, 50), machine.ram * rng.uniform(0.1, 0.5)
        rates: list[float] = []
        for scale in (400, 60, 200):
            read, written = rng.expovariate(1 / scale), rng.expovariate(1 / scale)
            rates += [read, written, read * rng.uniform(1, 9), written * rng.uniform(1, 9)]
        return cls(
            (round(cpu, 2), round(cpu * rng.uniform(1, 2), 2)),
            (round(ram, 2), round(ram * rng.uniform(1, 1.9), 2)),
            tuple(round(rate, 2) for rate in rates),
        )


def _bios_id(host: Host) -> str:
    return str(generator("bios", host.server_id).randrange(10**20))


def _vmware_of(host: Host, machine: Machine) -> Mapping[str, str]:
    if machine.hypervisor != "VMware":
        return {}
    site = host.name.split(".")[1]
    number = host.ip_address.rpartition(".")[2]
    return {
        "vmName": host.name.split(".")[0],
        "moRefId": f"vm-{number}",
        "vCenterId": f"vcenter-{site}",
        "vCenterName": f"vcenter.{site}.example.com",
        "vmFolderPath": f"/{site}/vm/{host.role}",
        "hostSystemName": f"esx-{int(number) % 4}.{site}.example.com",
    }


def _instance(host: Host, machine: Machine) -> tuple[Any, ...]:
    """Return the instance that fits, with the requested values; if none fits, a remark."""
    fitting = [
        instance
        for instance in _INSTANCES
        if instance[1] >= machine.logical and instance[2] >= machine.ram
    ]
    server = (host.os_name, host.os_version, machine.cpus, machine.cores, machine.logical)
    asked = (100.0, machine.logical, machine.ram, 100.0, machine.ram)
    if machine.cpu_type != "x86_64" or not fitting:
        remark = "No instance type matches the server's processor, or is large enough"
        return (remark, *server, *asked, *[None] * 8)
    model, cpus, ram, price = fitting[0]
    effective = int(BASE_TIME) - 500 * DAY + 79_669
    system = "Windows" if host.os_name.startswith("Windows") else "Linux"
    return (None, *server, *asked, model, cpus, ram, 0, price, price, effective, system)
