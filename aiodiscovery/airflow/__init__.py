"""Await exports in Airflow: one poller for all deferred tasks of a triggerer.

Needs the extra ``airflow``. The names are looked up when they are used first: Airflow reads this
package's provider information before it is ready to be imported itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hooks import DiscoveryHook
    from .operators import DiscoveryExportOperator
    from .sensors import DiscoveryExportSensor
    from .triggers import DiscoveryExportTrigger

__all__ = [
    "DiscoveryExportOperator",
    "DiscoveryExportSensor",
    "DiscoveryExportTrigger",
    "DiscoveryHook",
]

_MODULES = {
    "DiscoveryExportOperator": "operators",
    "DiscoveryExportSensor": "sensors",
    "DiscoveryExportTrigger": "triggers",
    "DiscoveryHook": "hooks",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
