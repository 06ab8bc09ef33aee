"""Clients from create_client: the backend that fits the loop, and what the caller asked for."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession, get_session
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.loaders import JSONFileLoader

import aiodiscovery
from aiodiscovery.emulator import Emulator

# The arguments that a client needs besides an endpoint.
NOWHERE: dict[str, Any] = {
    "region_name": "us-west-2",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}
HTTPX = AioConfig(http_session_cls=HttpxSession)  # type: ignore[arg-type]  # not in the stubs


def config_of(client: Any) -> Any:
    return client.meta.config


def backend_of(client: Any) -> Any:
    return config_of(client).http_session_cls


@pytest.mark.asyncio
async def test_on_asyncio_it_uses_aiohttp() -> None:
    async with aiodiscovery.create_client(**NOWHERE) as client:
        assert backend_of(client) is AIOHTTPSession


@pytest.mark.asyncio
async def test_another_thread_may_be_importing_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    async with aiodiscovery.create_client(**NOWHERE) as client:
        assert backend_of(client) is AIOHTTPSession


def test_on_trio_it_uses_httpx() -> None:
    async def main() -> Any:
        async with aiodiscovery.create_client(**NOWHERE) as client:
            return backend_of(client)

    assert issubclass(anyio.run(main, backend="trio"), HttpxSession)


@pytest.mark.asyncio
async def test_on_asyncio_a_chosen_httpx_backend_is_kept() -> None:
    async with aiodiscovery.create_client(config=HTTPX, **NOWHERE) as client:
        assert issubclass(backend_of(client), HttpxSession)


@pytest.mark.anyio
async def test_a_backend_of_the_caller_s_own_is_kept(anyio_backend: str) -> None:
    class Own(HttpxSession):
        pass

    config = AioConfig(http_session_cls=Own)  # type: ignore[arg-type]
    async with aiodiscovery.create_client(config=config, **NOWHERE) as client:
        assert backend_of(client) is Own


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Config, AioConfig])
async def test_a_config_is_merged(anyio_backend: str, kind: type[Config]) -> None:
    config = kind(read_timeout=7, user_agent_extra="mine/1")

    async with aiodiscovery.create_client(config=config, **NOWHERE) as client:
        assert config_of(client).read_timeout == 7
        assert "mine/1" in config_of(client).user_agent_extra


@pytest.mark.anyio
async def test_a_session_of_the_caller_s_own_is_used(anyio_backend: str) -> None:
    session = get_session()
    session.set_config_variable("region", "eu-central-1")
    session.set_default_client_config(AioConfig(read_timeout=7))
    keys = {name: value for name, value in NOWHERE.items() if name != "region_name"}

    async with aiodiscovery.create_client(session=session, **keys) as client:
        assert client.meta.region_name == "eu-central-1"
        assert config_of(client).read_timeout == 7


def test_a_session_whose_default_is_no_aio_config_is_refused_where_it_cannot_work() -> None:
    session = get_session()
    session.set_default_client_config(Config(read_timeout=5))

    async def open_with(config: Config | None) -> None:
        async with aiodiscovery.create_client(session=session, config=config, **NOWHERE):
            pass

    anyio.run(open_with, None, backend="asyncio")
    anyio.run(open_with, AioConfig(connect_timeout=5), backend="asyncio")
    with pytest.raises(ValueError, match="must be an AioConfig"):
        anyio.run(open_with, HTTPX, backend="asyncio")
    with pytest.raises(ValueError, match="must be an AioConfig"):
        anyio.run(open_with, None, backend="trio")


@pytest.mark.anyio
async def test_the_files_of_botocore_are_read_once(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aiodiscovery.create_client(**NOWHERE):
        pass

    def read_again(self: JSONFileLoader, file_path: str) -> Any:
        raise AssertionError(f"{file_path} was read again")

    monkeypatch.setattr(JSONFileLoader, "load_file", read_again)
    async with aiodiscovery.create_client(**NOWHERE):
        pass


@pytest.mark.anyio
async def test_models_of_the_caller_s_own_are_used(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = get_session().get_component("data_loader").load_service_model("discovery", "service-2")
    own = tmp_path / "discovery/2015-11-01/service-2.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps(model | {"metadata": model["metadata"] | {"serviceId": "Own"}}))

    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    async with aiodiscovery.create_client(**NOWHERE) as client:
        assert client.meta.service_model.service_id == "Own"
    monkeypatch.delenv("AWS_DATA_PATH")
    async with aiodiscovery.create_client(**NOWHERE) as client:
        assert client.meta.service_model.service_id != "Own"


@pytest.mark.anyio
async def test_the_client_works_as_aiobotocore_s(anyio_backend: str, emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
        answer = await client.describe_export_tasks()

    assert [export["exportId"] for export in answer["exportsInfo"]] == list(emulator.export_ids)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("config", [None, HTTPX], ids=["fitting", "httpx"])
async def test_a_connection_that_the_server_closed_is_tried_again(
    anyio_backend: str, emulator: Emulator, config: Config | None, mode: Any
) -> None:
    retries = Config(retries={"mode": mode, "total_max_attempts": 3})
    merged = retries if config is None else config.merge(retries)
    async with aiodiscovery.create_client(config=merged, **emulator.client_kwargs) as client:
        await client.describe_tags()
        emulator.inject_dropped_connection(calls=2)

        assert await client.describe_export_tasks()


@pytest.mark.anyio
@pytest.mark.parametrize("config", [None, HTTPX], ids=["fitting", "httpx"])
async def test_a_closed_connection_is_reported_as_one(
    anyio_backend: str, emulator: Emulator, config: Config | None
) -> None:
    once = Config(retries={"total_max_attempts": 1})
    merged = once if config is None else config.merge(once)
    emulator.inject_dropped_connection(calls=1)

    async with aiodiscovery.create_client(config=merged, **emulator.client_kwargs) as client:
        with pytest.raises(ConnectionClosedError, match=r"127\.0\.0\.1"):
            await client.describe_export_tasks()


@pytest.mark.anyio
@pytest.mark.parametrize("config", [None, HTTPX], ids=["fitting", "httpx"])
async def test_an_answer_that_does_not_come_is_reported_as_a_time_out(
    anyio_backend: str, emulator: Emulator, config: Config | None
) -> None:
    once = Config(retries={"total_max_attempts": 1}, read_timeout=0.05)
    merged = once if config is None else config.merge(once)
    emulator.inject_latency(60)

    async with aiodiscovery.create_client(config=merged, **emulator.client_kwargs) as client:
        with pytest.raises(ReadTimeoutError):
            await client.describe_export_tasks()


@pytest.mark.anyio
async def test_an_endpoint_that_is_not_there_is_reported_as_botocore_does(
    anyio_backend: str, emulator: Emulator
) -> None:
    with Emulator() as stopped:
        kwargs = stopped.client_kwargs
    once = Config(retries={"total_max_attempts": 1})

    async with aiodiscovery.create_client(config=once, **kwargs) as client:
        with pytest.raises(EndpointConnectionError):
            await client.describe_export_tasks()


def test_on_trio_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.setitem(sys.modules, "httpx", None)

    async def main() -> None:
        async with aiodiscovery.create_client(**NOWHERE):
            pass

    with pytest.raises(ImportError, match=r'pip install "aiodiscovery\[trio\]"'):
        anyio.run(main, backend="trio")


@pytest.mark.anyio
async def test_the_keys_are_in_no_repr_of_the_client(anyio_backend: str) -> None:
    keys: dict[str, Any] = NOWHERE | {"aws_secret_access_key": "very-secret"}

    async with aiodiscovery.create_client(**keys) as client:
        assert "very-secret" not in repr(client)


class Session:
    """Another library's session, which is not a client."""

    def create_client(self) -> None: ...


NO_CLIENTS: dict[str, tuple[Callable[[AioSession], Any], str]] = {
    "ours, not entered": (lambda _: aiodiscovery.create_client(**NOWHERE), "not open yet"),
    "a session": (lambda session: session, r"not aiobotocore\.session\.AioSession"),
    "another session": (lambda _: Session(), r"not .*\.Session"),
    "None": (lambda _: None, r"not builtins\.NoneType"),
    "a name": (lambda _: "discovery", r"not builtins\.str"),
    "a class": (lambda _: AioBaseClient, r"not builtins\.type"),
}
USES: dict[str, Callable[[Any], Any]] = {
    "get_paginator": lambda client: aiodiscovery.get_paginator(client, "describe_tags"),
    "ExportWatcher": aiodiscovery.ExportWatcher,
    "ImportWatcher": aiodiscovery.ImportWatcher,
    "BatchDeleteWatcher": aiodiscovery.BatchDeleteWatcher,
}
AWAITED_USES: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "describe_exports": lambda client: aiodiscovery.describe_exports(client, ["export-1"]),
    "wait_for_exports": lambda client: aiodiscovery.wait_for_exports(client, ["export-1"]),
    "start_export": aiodiscovery.start_export,
    "download_export": lambda client: aiodiscovery.download_export(client, "export-1", "."),
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", NO_CLIENTS)
async def test_what_is_no_client_is_refused_everywhere(
    anyio_backend: str, session: AioSession, kind: str
) -> None:
    make, message = NO_CLIENTS[kind]
    wrong = make(session)

    for use in USES.values():
        with pytest.raises(ValueError, match=message):
            use(wrong)
    for awaited_use in AWAITED_USES.values():
        with pytest.raises(ValueError, match=message):
            await awaited_use(wrong)


@pytest.mark.anyio
async def test_a_client_of_aiobotocore_s_that_was_not_entered_is_refused(
    anyio_backend: str, session: AioSession
) -> None:
    opening: Any = session.create_client("discovery", **NOWHERE)

    for use in USES.values():
        with pytest.raises(ValueError, match="not open yet: use `async with"):
            use(opening)

    if anyio_backend == "asyncio":
        async with opening as client:
            aiodiscovery.get_paginator(client, "describe_tags")
    else:
        opening._coro.close()  # or it warns that nobody awaited it
