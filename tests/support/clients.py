"""Clients made in each way: by create_client, and by aiobotocore alone."""

from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

__all__ = ["Maker"]


class Maker:
    """Makes clients that send a request once, in one of those ways."""

    def __init__(
        self, name: str, backend: str, session: AioSession, *, with_keys: bool = True
    ) -> None:
        self.name = name
        self.backend = backend
        self._session = session
        self._with_keys = with_keys

    def open(
        self, emulator: Emulator, *, endpoint_url: str | None = None, **options: Any
    ) -> "AbstractAsyncContextManager[ApplicationDiscoveryServiceClient]":
        kwargs: dict[str, Any] = {
            name: value
            for name, value in emulator.client_kwargs.items()
            if self._with_keys or not name.startswith("aws_")
        }
        if endpoint_url is not None:
            kwargs["endpoint_url"] = endpoint_url
        config = AioConfig(retries={"total_max_attempts": 1}).merge(AioConfig(**options))
        if self.name == "ours":
            return aiodiscovery.create_client(session=self._session, config=config, **kwargs)
        chosen: Any = HttpxSession if self.backend == "trio" else AIOHTTPSession
        config = config.merge(AioConfig(http_session_cls=chosen))
        made: Any = self._session.create_client("discovery", config=config, **kwargs)
        return made  # type: ignore[no-any-return]
