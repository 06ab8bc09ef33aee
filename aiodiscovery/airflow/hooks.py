"""The connection to the service."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

__all__ = ["DiscoveryHook"]


class DiscoveryHook(AwsBaseHook):
    """Connect to the AWS Application Discovery Service.

    Uses an *Amazon Web Services* connection: its credentials, region, role and endpoint, as the
    Amazon provider reads them. Set the service's home region in the connection or here. Each
    account has one home region.

    ::

        async with await DiscoveryHook(aws_conn_id="aws_default").get_async_conn() as client:
            await aiodiscovery.download_export(client, export_id, directory)

    :param aws_conn_id: the Airflow connection; None: the settings that boto3 finds.
    :param region_name: the home region; None: that of the connection.
    :param verify: whether to verify the certificate, or the CA bundle to do it with.
    :param config: settings of botocore's client, as a dict or a ``Config``.
    :param endpoint_url: the URL of the service, for an emulator; None: as in the connection.
    """

    def __init__(self, *args: Any, endpoint_url: str | None = None, **kwargs: Any) -> None:
        kwargs["client_type"] = "discovery"
        super().__init__(*args, **kwargs)
        self.endpoint_url = endpoint_url

    @cached_property
    def conn_config(self) -> "AwsConnectionWrapper":
        """The Airflow connection, with the endpoint that was given."""
        config = super().conn_config
        if self.endpoint_url:
            service_config = config.get_service_config("discovery")
            config.service_config = {
                **config.service_config,
                "discovery": {**service_config, "endpoint_url": self.endpoint_url},
            }
        return config

    async def get_async_conn(
        self,
    ) -> "AbstractAsyncContextManager[ApplicationDiscoveryServiceClient]":
        """Return an aiobotocore client, to be opened with ``async with``."""
        connection: AbstractAsyncContextManager[
            ApplicationDiscoveryServiceClient
        ] = await super().get_async_conn()  # type: ignore[no-untyped-call]
        return connection
