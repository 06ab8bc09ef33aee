"""Clients that fit the running event loop."""

import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession, get_session
from anyio.lowlevel import current_token
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, HTTPClientError
from botocore.loaders import Loader, create_loader

from .connections import guard
from .parser import with_fast_parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiobotocore.awsrequest import HttpxAWSResponse
    from botocore.awsrequest import AWSPreparedRequest
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

__all__ = ["check_client", "create_client"]


@asynccontextmanager
async def create_client(
    *, session: AioSession | None = None, config: Config | None = None, **kwargs: Any
) -> "AsyncGenerator[ApplicationDiscoveryServiceClient]":
    """Open an aiobotocore client for ``discovery`` that fits the running event loop.

    ::

        async with aiodiscovery.create_client(region_name="us-west-2") as client:
            ...

    On asyncio it uses aiobotocore's aiohttp backend, on trio its httpx backend. The httpx backend
    also runs on asyncio if ``config`` or the session asks for it. Leaving the block closes the
    connections.

    On both backends the client treats a redirect as an error, and sends nothing to its target. It
    sends no cookies. It waits without a limit for a free connection of the pool. It raises an error
    if it is used after it was closed, or in another event loop.

    Answers are those of any aiobotocore client, decoded faster. The one difference: timestamps are
    aware datetimes in UTC, not in the time zone of the machine. A session with its own
    ``response_parser_factory``, or with its own parser defaults, keeps those.

    :param session: the aiobotocore session to create the client in; a new one if not given. New
        sessions share the files of botocore that are read for the first client. On
        trio, your own session needs ``AioConfig(http_session_cls=HttpxSession)`` as its default
        client config if its credentials have to be fetched (SSO, roles, IMDS ...).
    :param config: a ``Config`` or ``AioConfig``. All its settings are kept, except aiohttp as the
        backend on trio, where it cannot run.
    :param kwargs: other arguments of the session's ``create_client``: ``region_name``,
        ``endpoint_url``, ``verify``, ``aws_access_key_id`` ...
    :raises ValueError: on trio, if the session's default client config is a ``Config`` instead of
        an ``AioConfig``.
    :raises ImportError: on trio, if the extra ``trio`` is not installed.
    """
    if session is None:
        session = get_session()
        data_path = session.get_config_variable("data_path")
        session.register_component("data_loader", _shared_loader(data_path))
        if _runs_on_trio():
            # The session fetches credentials with the backend of its own default config.
            session.set_default_client_config(_httpx_config())
    default = session.get_default_client_config()
    chosen = _merge(default, config).http_session_cls
    if chosen is HttpxSession or (_runs_on_trio() and not issubclass(chosen, HttpxSession)):
        if not isinstance(default, AioConfig | None):
            # The session will merge the two, and a Config cannot hold the backend.
            raise ValueError(
                "for aiobotocore's httpx backend, the only one on trio, the session's default "
                "client config must be an AioConfig, not a Config"
            )
        config = _merge(config, _httpx_config())
    open_client: Any = with_fast_parser(session).create_client
    async with open_client("discovery", config=config, **kwargs) as client:
        guarding = guard(client)
        if guarding is None:  # the caller's own backend
            yield client
            return
        guarding.always = True
        guarding.loop = current_token().native_token
        try:
            yield client
        finally:
            guarding.closed = True


def check_client(client: Any) -> None:
    """Raise ValueError unless this is an aiobotocore client for the service."""
    if isinstance(client, BaseClient) and not isinstance(client, AioBaseClient):
        raise ValueError(  # noqa: TRY004  # the right kind of object, but the wrong client
            "the client is a blocking one of botocore or boto3; "
            "aiodiscovery.create_client() returns an asynchronous one"
        )
    meta = getattr(client, "meta", None)
    service_name = getattr(getattr(meta, "service_model", None), "service_name", None)
    if service_name is None:
        if isinstance(client, AbstractAsyncContextManager):
            raise ValueError("the client is not open yet: use `async with ... as client`")
        raise ValueError(
            "the client must be an aiobotocore client for 'discovery', "
            f"not {type(client).__module__}.{type(client).__qualname__}"
        )
    if service_name != "discovery":
        raise ValueError(f"the client must be one for 'discovery', not for {service_name!r}")


@cache
def _shared_loader(data_path: str | None) -> Loader:
    """Return the loader of the service's model and endpoints for all sessions that are made here.

    A loader keeps what it has read. Reading takes thirty times as long as creating a client.
    """
    return create_loader(data_path)


def _runs_on_trio() -> bool:
    trio = sys.modules.get("trio")
    try:
        return trio is not None and trio.lowlevel.in_trio_run()
    except AttributeError:
        return False  # another thread is about to import it


def _merge(*layers: Config | None) -> Any:
    """Return an ``AioConfig`` of all the layers. A later one takes precedence."""
    merged: Any = AioConfig()
    for layer in layers:
        if layer is not None:
            merged = merged.merge(layer)
    return merged


def _httpx_config() -> Config:
    _import_httpx()
    backend: Any = _RetryableHttpxSession  # aiobotocore's stubs only know the aiohttp backend
    return AioConfig(http_session_cls=backend)


def _import_httpx() -> ModuleType:
    """Import the package that aiobotocore's httpx backend uses. It prefers httpx2."""
    for name in ("httpx2", "httpx"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(
        "aiobotocore's httpx backend, which runs on trio, needs httpx2: "
        'pip install "aiodiscovery[trio]"'
    )


class _RetryableHttpxSession(HttpxSession):
    """aiobotocore's httpx backend, reporting closed connections so that botocore retries them.

    It reports a connection that the server closed as a plain ``HTTPClientError``, which botocore
    does not retry in its legacy mode. The aiohttp backend raises ``ConnectionClosedError`` (seen
    with 3.10.0). An answer that is not HTTP counts as one too: httpx does not tell them apart.
    """

    async def send(self, request: "AWSPreparedRequest") -> "HttpxAWSResponse":
        try:
            return await super().send(request)
        except HTTPClientError as error:
            httpx = _import_httpx()
            closed = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
            cause = error.kwargs.get("error")
            if type(error) is HTTPClientError and isinstance(cause, closed):
                raise ConnectionClosedError(
                    request=request, endpoint_url=request.url, error=cause
                ) from cause
            raise
