"""The connection to an archive: proxies, trust, addresses, redirects, servers that want a pause.

The places that decide about it: ``verify``, ``Config(proxies=...)``, the profile and the
environment of the client; the URL; ``Retry-After``; ``Location``.
"""

import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from support.downloads import describe, names, own_client
from support.relays import CERTIFICATE, http_proxy, recorder, tls_relay

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

Open = Callable[..., AbstractAsyncContextManager["ApplicationDiscoveryServiceClient"]]


@pytest.fixture
def open_client(emulator: Emulator) -> Open:
    """Open a client of the emulator, which ignores proxies of the environment."""

    def opened(
        session: AioSession | None = None, **options: Any
    ) -> AbstractAsyncContextManager["ApplicationDiscoveryServiceClient"]:
        settings: Any = emulator.client_kwargs | options
        return aiodiscovery.create_client(session=session, **settings)

    return opened


def port_of(emulator: Emulator) -> int:
    port = urlsplit(emulator.endpoint_url).port
    assert port is not None
    return port


def info_of(export_id: str, url: str) -> Any:
    return {
        "exportId": export_id,
        "exportStatus": "SUCCEEDED",
        "configurationsDownloadUrl": url,
    }


# Trust


@pytest.fixture
def tls_port(emulator: Emulator) -> Iterator[int]:
    with tls_relay(port_of(emulator)) as port:
        yield port


async def over_tls(client: Any, export_id: str, tls_port: int) -> Any:
    """Return an export's ExportInfo with an HTTPS URL."""
    info = await describe(client, export_id)
    parts = urlsplit(info["configurationsDownloadUrl"])
    url = parts._replace(scheme="https", netloc=f"127.0.0.1:{tls_port}").geturl()
    return info | {"configurationsDownloadUrl": url}


@pytest.mark.parametrize("how", ["argument", "off", "environment", "profile", "requests"])
async def test_it_trusts_what_the_client_trusts(
    open_client: Open,
    export_id: str,
    archive: bytes,
    tls_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    options: dict[str, Any] = {}
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    if how == "argument":
        options["verify"] = str(CERTIFICATE)
    elif how == "off":
        options["verify"] = False
    elif how == "environment":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
    elif how == "requests":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    else:
        (tmp_path / "config").write_text(f"[profile p]\nca_bundle = {CERTIFICATE}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "p")
    async with open_client(**options) as client:
        info = await over_tls(client, export_id, tls_port)
        done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive


async def test_what_is_not_trusted_is_an_error_at_once_that_says_why(
    open_client: Open, export_id: str, tls_port: int, tmp_path: Path, caplog: Any
) -> None:
    async with open_client() as client:
        info = await over_tls(client, export_id, tls_port)
        with pytest.raises(aiodiscovery.DownloadError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await aiodiscovery.download_export(client, info, tmp_path)

    assert "self-signed" in str(caught.value)
    assert not any("trying again" in message for message in caplog.messages)
    assert "Signature" not in "".join(traceback.format_exception(caught.value))


async def test_what_speaks_no_tls_is_named(
    open_client: Open, emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    async with open_client() as client:
        info = await over_tls(client, export_id, port_of(emulator))
        with pytest.raises(aiodiscovery.DownloadError, match="SSL"):
            await aiodiscovery.download_export(client, info, tmp_path)


async def test_the_client_still_has_its_trust_where_this_looks_for_it(open_client: Open) -> None:
    """Notice when aiobotocore keeps it elsewhere, because it is private."""
    async with open_client(verify=str(CERTIFICATE)) as client:
        session: Any = client._endpoint.http_session  # type: ignore[attr-defined]
        assert isinstance(session._verify, str | ssl.SSLContext)
        # On asyncio it is created on first use, on trio at once.


@pytest.mark.parametrize("content", [None, "no certificate", ""])
async def test_a_ca_bundle_that_is_none_is_named(
    emulator: Emulator,
    session: AioSession,
    export_id: str,
    tmp_path: Path,
    content: str | None,
    anyio_backend: str,
) -> None:
    if anyio_backend == "trio":
        pytest.skip("there, such a client cannot be made")
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    settings: Any = emulator.client_kwargs | {"verify": str(bundle)}
    async with aiodiscovery.create_client(session=session, **settings) as client:
        info = info_of(export_id, f"{emulator.endpoint_url}/archives/x.zip")
        with pytest.raises(aiodiscovery.DownloadError, match=r"CA bundle, '.*ca\.pem', cannot be"):
            await aiodiscovery.download_export(client, info, tmp_path)


# Proxies


async def test_it_takes_the_proxy_of_the_client(
    open_client: Open,
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tls_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # not that of the environment
    asked: list[str] = []
    with http_proxy(asked) as port:
        proxies = {"http": f"127.0.0.1:{port}", "https": f"http://127.0.0.1:{port}"}
        config = AioConfig(proxies=proxies)
        async with open_client(config=config, verify=str(CERTIFICATE)) as client:
            info = await over_tls(client, export_id, tls_port)
            asked.clear()
            done = await aiodiscovery.download_export(client, info, tmp_path / "one")
            assert [line.partition(" ")[0] for line in asked] == ["CONNECT"]
            await aiodiscovery.download_export(client, export_id, tmp_path / "two")

    assert done.path.read_bytes() == archive
    assert asked[-1].startswith(f"GET {emulator.endpoint_url}/archives/")


async def test_a_client_without_proxies_has_none_for_a_download(
    open_client: Open,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with open_client(config=AioConfig(proxies={})) as client:
        done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive


async def test_without_any_it_takes_those_of_the_environment(
    open_client: Open,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    async with open_client() as client:
        info = await describe(client, export_id)
        with http_proxy(asked) as port:
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
            done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("socks5://user:secret@127.0.0.1:1080", "socksio"),
        ("socks5h://127.0.0.1:1080", "socksio"),
        ("socks://user:secret@127.0.0.1:1080", "socks5://"),
        ("socks4://127.0.0.1:1080", "scheme 'socks4'"),
        ("ftp://user:secret@127.0.0.1", "scheme 'ftp'"),
        ("http://user:secret@127.0.0.1:99999", "port 99999"),
        ("http://127.0.0.1:0", "port 0"),
        ("127.0.0.1:99999", "port 99999"),
        ("http://user:secret@127.0.0.1:port", "cannot be read"),
        ("http://", "no host"),
        ("http://[::1", "cannot be read"),
        ("http://a..b:80", "host name"),
        ("http://user:secret@a b:80", "host name"),
        (f"http://{'a' * 64}:80", "host name"),
    ],
)
async def test_a_proxy_that_is_none_is_named_by_its_variable(
    open_client: Open,
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    fault: str,
) -> None:
    monkeypatch.setattr("aiodiscovery._exports.connection.find_spec", lambda name: None)
    async with open_client() as client:
        info = await describe(client, export_id)
        monkeypatch.setenv("ALL_PROXY", value)
        with pytest.raises(aiodiscovery.DownloadError, match="variable ALL_PROXY ") as caught:
            await aiodiscovery.download_export(client, info, tmp_path)

    assert fault in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert emulator.downloads == ()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["all_proxy", "HTTPS_PROXY", "https_proxy", "http_proxy"])
async def test_each_variable_is_named(
    open_client: Open, export_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with open_client() as client:
        info = await describe(client, export_id)
        monkeypatch.setenv(name, "socks://127.0.0.1:1080")
        with pytest.raises(aiodiscovery.DownloadError, match=f"variable {name} names a SOCKS"):
            await aiodiscovery.download_export(client, info, tmp_path)


async def test_a_variable_that_another_one_stands_in_for_is_no_matter(
    open_client: Open,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_client() as client:
        info = await describe(client, export_id)
        monkeypatch.setenv("HTTP_PROXY", "socks://127.0.0.1:1080")
        monkeypatch.setenv("http_proxy", "")
        done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive


async def test_no_proxy_is_no_matter_where_none_is_used(
    open_client: Open,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_client() as client:
        info = await describe(client, export_id)
        monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080")
        monkeypatch.setenv("NO_PROXY", "example.com, *")
        done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1", "http://127.0.0.1:99999", "http://", 7])
async def test_a_proxy_of_the_client_that_is_none_is_named(
    open_client: Open, export_id: str, tmp_path: Path, proxy: Any
) -> None:
    async with open_client() as client:
        info = await describe(client, export_id)
        client.meta.config.proxies = {"https": proxy}  # type: ignore[attr-defined]
        with pytest.raises(aiodiscovery.DownloadError, match="the proxy for https in the client"):
            await aiodiscovery.download_export(client, info, tmp_path)


# Addresses


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://127.0.0.1:99999", "port 99999"),
        ("http://127.0.0.1:0", "port 0"),
        ("http://127.0.0.1:-1", "port -1"),
        ("http://127.0.0.1:x", "cannot be read"),
        ("http://a..b", "host name"),
        (f"http://{'a' * 64}.example", "host name"),
        ("http://a b", "host name"),
        ("http://", "no host"),
        ("http://a\nb", "cannot be read"),
        ("http://\ud800", "cannot be read"),
        ("ftp://127.0.0.1", "not for HTTP"),
        ("//127.0.0.1", "not for HTTP"),
        ("file:///etc/passwd", ""),
    ],
)
async def test_an_address_that_nothing_can_have_is_an_error_at_once(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path, address: str, fault: str
) -> None:
    info = info_of("export-1", f"{address}/a.zip?X-Amz-Signature=secret")

    with pytest.raises(aiodiscovery.DownloadError) as caught:
        await aiodiscovery.download_export(client, info, tmp_path)

    assert fault in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b.zip",
        "/./b.zip",
        "//b.zip",
        "/a%2F..%2Fb.zip",
        "/%7eb.zip",
        "/b|c",
        "/{}",
        "/a//../b",
    ],
)
@pytest.mark.parametrize("through_proxy", [False, True])
async def test_a_path_is_sent_as_it_stands(
    client: "ApplicationDiscoveryServiceClient",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    through_proxy: bool,
) -> None:
    asked: list[str] = []
    with recorder(asked) as port:
        address = f"http://127.0.0.1:{port}"
        if through_proxy:
            monkeypatch.setenv("HTTP_PROXY", address)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            address = "http://localhost:1"
        info = info_of("export-1", f"{address}{path}?X-Amz-Signature=1#fragment")
        with pytest.raises(aiodiscovery.DownloadError, match="does not know"):
            await aiodiscovery.download_export(client, info, tmp_path)

    sent = address if through_proxy else ""
    assert asked == [f"GET {sent}{path}?X-Amz-Signature=1 HTTP/1.1"]


# Redirects


S3 = "https://bucket.s3.us-west-2.amazonaws.com"
ELSEWHERE = {
    "bucket of the region": (S3, "https://bucket.s3-us-west-2.amazonaws.com", True),
    "bucket of all regions": ("https://bucket.s3.amazonaws.com", S3, True),
    "path": ("https://s3.amazonaws.com", "https://s3-us-west-2.amazonaws.com", True),
    "China": (
        "https://b.s3.cn-north-1.amazonaws.com.cn",
        "https://b.s3.cn-northwest-1.amazonaws.com.cn",
        True,
    ),
    "another port of this machine": ("http://127.0.0.1:1", "http://localhost:2", True),
    "plain HTTP": (S3, "http://bucket.s3.us-west-2.amazonaws.com", False),
    "another bucket": (S3, "https://mine.s3.us-west-2.amazonaws.com", False),
    "a longer bucket": (S3, "https://my.bucket.s3.us-west-2.amazonaws.com", False),
    "another domain": (S3, "https://bucket.s3.us-west-2.amazonaws.com.example.com", False),
    "a domain that ends alike": (S3, "https://bucket.s3.us-west-2.xamazonaws.com", False),
    "another service": (S3, "https://bucket.ec2.amazonaws.com", False),
    "a name in it": (S3, "https://user:pw@bucket.s3.us-west-2.amazonaws.com", False),
    "another partition": (S3, "https://bucket.s3.cn-north-1.amazonaws.com.cn", False),
    "another machine": ("http://127.0.0.1:1", "http://10.0.0.1:1", False),
    "a portal": (S3, "https://portal.example.com", False),
    "nowhere": (S3, "https://[", False),
    "a path of the same host": (S3, "", False),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
async def test_it_is_sent_on_once_and_only_within_the_service(
    client: "ApplicationDiscoveryServiceClient", archive: bytes, tmp_path: Path, kind: str
) -> None:
    old, new, allowed = ELSEWHERE[kind]
    path = "/bucket/a/../b.zip?X-Amz-Signature=1"
    asked: list[str] = []

    def answer(request: Any) -> Any:
        asked.append(str(request.url))
        if len(asked) == 1:
            return httpx2.Response(307, headers={"Location": new + path})
        return httpx2.Response(200, content=archive)

    async with own_client(answer) as http:
        try:
            done = await aiodiscovery.download_export(
                client, info_of("export-1", old + path), tmp_path, http_client=http
            )
        except aiodiscovery.DownloadError:
            assert not allowed
        else:
            assert allowed
            assert done.path.read_bytes() == archive
    assert len(asked) == 1 + allowed


async def test_one_redirect_after_the_other_is_an_error(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(request: Any) -> Any:
        asked.append(str(request.url))
        return httpx2.Response(307, headers={"Location": f"{S3}/b.zip?X-Amz-Signature=1"})

    async with own_client(answer) as http:
        with pytest.raises(aiodiscovery.DownloadError, match="does not know"):
            await aiodiscovery.download_export(
                client, info_of("export-1", f"{S3}/b.zip"), tmp_path, http_client=http
            )
    assert len(asked) == 2


# Servers that want a pause


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("45", 45, 45),
        (" 7 ", 7, 7),
        ("0", 0, 1),
        ("120", 120, 120),
        ("3600", 120, 120),
        ("9" * 5000, 120, 120),
        ("in 60 s", 30, 60),
        ("in 999999 s", 120, 120),
        ("in -60 s", 0, 1),
        ("-5", 0, 1),
        ("1e3", 0, 1),
        ("soon", 0, 1),
        ("", 0, 1),
        ("Fri, 99 Foo 2026 99:99:99 GMT", 0, 1),
        ("\u0663", 0, 1),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_what_a_server_asks_for_is_waited_for_within_bounds(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    least: float,
    most: float,
    status: int,
) -> None:
    pauses: list[float] = []
    asked: list[Any] = []

    async def sleep(delay: float) -> None:
        pauses.append(delay)

    def answer(request: Any) -> Any:
        asked.append(request)
        if len(asked) == 1:
            said = in_seconds(int(value.split()[1])) if value.startswith("in ") else value
            headers = [(b"Retry-After", said.encode())]
            return httpx2.Response(status, headers=headers)
        return httpx2.Response(200, content=archive)

    monkeypatch.setattr(anyio, "sleep", sleep)
    async with own_client(answer) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    (pause,) = pauses
    assert least <= pause <= most


async def test_a_date_is_by_the_clock_of_the_server(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(delay: float) -> None:
        pauses.append(delay)

    def answer(request: Any) -> Any:
        if pauses:
            return httpx2.Response(200, content=archive)
        headers = {"Date": in_seconds(-86_400), "Retry-After": in_seconds(-86_400 + 30)}
        return httpx2.Response(503, headers=headers)

    monkeypatch.setattr(anyio, "sleep", sleep)
    async with own_client(answer) as http:
        await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    (pause,) = pauses
    assert 29 <= pause <= 31


async def test_a_proxy_that_lets_nobody_through_is_an_error_at_once(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    with recorder(asked, b"HTTP/1.1 407 Proxy Authentication Required") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        info = info_of(export_id, "https://bucket.s3.amazonaws.com/a.zip?X-Amz-Signature=secret")
        with pytest.raises(aiodiscovery.DownloadError, match="407 Proxy Authentication"):
            await aiodiscovery.download_export(client, info, tmp_path)

    assert len(asked) == 1
