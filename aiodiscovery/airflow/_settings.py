"""The settings of tasks and triggers for the service and for waiting."""

from typing import Any

from .hooks import DiscoveryHook

__all__ = ["Settings"]


class Settings:
    """The settings of a task, which are also those of its trigger."""

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None
    endpoint_url: str | None
    min_delay: float
    max_delay: float
    relative_delay: float
    max_rate: float | None
    not_found_timeout: float

    def settings(self) -> dict[str, Any]:
        """Return all settings, by name."""
        return {name: getattr(self, name) for name in Settings.__annotations__}

    def hook(self) -> DiscoveryHook:
        """Make the hook that connects to the service."""
        return DiscoveryHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
            endpoint_url=self.endpoint_url,
        )
