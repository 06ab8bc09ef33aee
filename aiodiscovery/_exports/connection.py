"""The connection to an archive, through the client's proxies and with the client's trust.

An archive is on a different host than the service, so the client's connections cannot be used.
"""

import os
import ssl
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx2

from .._client import printable
from ..exceptions import DownloadError
from .answers import fault_of_address

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["open_http_client"]

#: How long a server may send nothing, in seconds.
_TIMEOUT = 30.0


def open_http_client(client: "AioBaseClient", export_id: str) -> httpx2.AsyncClient:
    """Create the HTTP client of a download. It reads CA certificates from disk, so it blocks.

    :raises DownloadError: if the settings of the client or of the environment are wrong.
    """
    try:
        trust = _trust_of(client)
        proxies = _config_of(client, "proxies")
        if proxies is None:
            return _open_with_environment(trust)
        settings = _config_of(client, "proxies_config") or {}
        return httpx2.AsyncClient(
            timeout=_TIMEOUT,
            verify=trust,
            trust_env=False,
            mounts={
                f"{scheme}://": _proxied(scheme, proxies[scheme], settings, client, trust)
                for scheme in ("http", "https")
                if proxies.get(scheme)
            },
        )
    except _FaultError as error:
        problem = str(error)
    # Raised outside the except clause, because an error in the chain may name a proxy's password.
    raise DownloadError(f"export {export_id} cannot be downloaded: {problem}", export_id)


class _FaultError(Exception):
    """A setting with which no HTTP client can be created."""


def _config_of(client: "AioBaseClient", name: str) -> Any:
    return getattr(client.meta.config, name, None)


def _trust_of(client: "AioBaseClient") -> ssl.SSLContext:
    """Return what the client verifies certificates with.

    That is its argument ``verify``, else AWS_CA_BUNDLE, else ``ca_bundle`` of the profile, else
    REQUESTS_CA_BUNDLE. Only the client's HTTP session knows which one applies, and that is private:
    this is the only place that looks there. Seen with aiobotocore 3.10.0, where ``_verify`` of the
    httpx backend is the resulting SSLContext.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    verify = getattr(session, "_verify", True)
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, str):
        return _context_with(verify, "the client's CA bundle")
    try:
        return httpx2.create_ssl_context(verify=bool(verify))
    except OSError as error:
        # It reads these variables by itself.
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if os.environ.get(name):
                raise _FaultError(f"{name} cannot be used: {_reason(error)}") from None
        raise


def _context_with(path: str, what: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise _FaultError(
            f"{what}, {printable(path)!r}, cannot be read: {_reason(error)}"
        ) from None


def _reason(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _proxied(
    scheme: str, url: Any, settings: Any, client: "AioBaseClient", trust: ssl.SSLContext
) -> httpx2.AsyncHTTPTransport:
    """Create the transport for a proxy of ``Config(proxies=...)``."""
    name = f"the proxy for {scheme} in the client's Config"
    problem = _problem_of_proxy(url)
    if problem:
        raise _FaultError(f"{name} {problem}")
    address = _with_scheme(url)
    own_trust = None
    if address.lower().startswith("https:"):
        bundle, certificate = settings.get("proxy_ca_bundle"), settings.get("proxy_client_cert")
        if bundle is not None:
            own_trust = _context_with(bundle, f"the CA bundle of {name}")
        else:
            # The client's own context is unchanged: it does not show that certificate to servers.
            own_trust = trust if certificate is None else httpx2.create_ssl_context()
        if certificate is not None:
            try:
                own_trust.load_cert_chain(
                    *([certificate] if isinstance(certificate, str) else certificate)
                )
            except OSError as error:
                raise _FaultError(
                    f"the client certificate of {name} cannot be read: {_reason(error)}"
                ) from None
    return httpx2.AsyncHTTPTransport(
        verify=trust, proxy=httpx2.Proxy(address, ssl_context=own_trust)
    )


def _open_with_environment(trust: ssl.SSLContext) -> httpx2.AsyncClient:
    for scheme in ("https", "http", "all"):
        # httpx2 also uses ALL_PROXY, which botocore does not.
        name, url = _variable(f"{scheme}_proxy")
        problem = _problem_of_proxy(url) if url else ""
        if problem and not _is_without_proxies():
            raise _FaultError(f"the environment variable {name} {problem}")
    try:
        return httpx2.AsyncClient(timeout=_TIMEOUT, verify=trust)
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        name, exceptions = _variable("no_proxy")
        where = f"the environment variable {name}" if exceptions else "a proxy of the system"
        raise _FaultError(f"{where} cannot be used ({type(error).__name__})") from None


def _variable(name: str) -> tuple[str, str]:
    """Return the name of an environment variable as it is spelled there, and its value."""
    name = name if name in os.environ else name.upper()
    return name, os.environ.get(name, "")


def _is_without_proxies() -> bool:
    return "*" in [host.strip() for host in _variable("no_proxy")[1].split(",")]


def _with_scheme(url: str) -> str:
    # As in botocore.
    return url if "://" in url else f"http://{url.removeprefix('//')}"


def _problem_of_proxy(url: Any) -> str:
    """Say why a value is not the URL of a proxy; empty if it is.

    The value is not shown, because it may hold a password.
    """
    fault = "cannot be read"
    with suppress(httpx2.InvalidURL, TypeError, ValueError, AttributeError):
        parsed = httpx2.URL(_with_scheme(url))
        if parsed.scheme == "socks":
            return "names a SOCKS proxy with socks://, which has to be socks5://"
        if parsed.scheme in ("socks5", "socks5h") and find_spec("socksio") is None:
            return "is for a SOCKS proxy, for which httpx2 needs socksio: pip install socksio"
        fault = fault_of_address(parsed) or ""
        if parsed.scheme not in ("http", "https", "socks5", "socks5h"):
            fault = f"has the scheme {printable(parsed.scheme, 20)!r}"
    return fault and (
        f"is not the URL of a proxy, such as http://proxy.example.com:3128: it {fault}"
    )
