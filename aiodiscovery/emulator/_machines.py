"""The machines: the hardware of each server of the data center."""

from dataclasses import dataclass
from functools import lru_cache

from ._data import generator

__all__ = ["Machine", "machine_of"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware of a server: disk sizes in GB, memory in MB.

    :param phase: how many seconds into a quarter of an hour its performance is measured
    """

    cpus: int
    cores: int
    logical: int
    disks: int
    disk_size: float
    ram: float
    cpu_type: str
    hypervisor: str | None
    phase: int


@lru_cache(maxsize=1024)
def machine_of(seed: int, agent_id: str) -> Machine:
    """Return the machine that an agent runs on, or that of a server without an agent."""
    rng = generator(seed, f"machine/{agent_id}")
    cpus, per_cpu = rng.choice((1, 1, 2)), rng.choice((2, 4, 8))
    return Machine(
        cpus=cpus,
        cores=cpus * per_cpu,
        logical=2 * cpus * per_cpu,
        disks=rng.randrange(1, 5),
        disk_size=round(rng.uniform(40, 4000), 2),
        ram=float(rng.choice((4096, 8192, 16384, 65536))),
        cpu_type=rng.choice(("x86_64", "x86_64", "aarch64")),
        hypervisor=rng.choice(("VMware", "KVM", "Xen", None)),
        phase=rng.randrange(60),
    )
