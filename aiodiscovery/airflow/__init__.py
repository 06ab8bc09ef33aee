"""Await exports in Airflow: one poller for all deferred tasks of a triggerer.

Needs the extra ``airflow``. The names are imported on first use, because Airflow reads this
package's provider information before Airflow itself can be imported.
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
