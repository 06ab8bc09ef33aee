"""The connections of a client, made to behave the same with each backend of aiobotocore.

aiobotocore's aiohttp backend follows redirects, and sends the session token along. Its httpx
backend keeps working after it was closed, over connections that are never closed. It also gives up
waiting for a connection of the pool after five seconds, while aiohttp waits. Both keep the cookies
of a portal, and on httpx one with a character that is not ASCII makes every later call fail. There
are no public settings for these. So this module, and no other, uses what aiobotocore keeps private:
the HTTP session of a client, its ``_get_session()``, and what tells that it is closed. If a release
names them differently, a client works as aiobotocore made it, and ``call`` still refuses an answer
that came after a redirect. ``tests/client/test_connections.py`` notices.

With a client that the caller made, only the calls of this package change.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.httpxsession import HttpxSession
from anyio.lowlevel import current_token
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from .progress import current_call

__all__ = ["Guard", "fetch_credentials", "guard"]


def guard(client: Any) -> "Guard | None":
    """Guard a client's connections, once, and return the guard.

    :return: None if the client does not have connections of aiobotocore's.
    """
    http_session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    if not isinstance(http_session, (AIOHTTPSession, HttpxSession)):
        return None
    guarding = getattr(http_session.send, "__self__", None)
    if isinstance(guarding, Guard):
        return guarding
    connector_args = getattr(client.meta.config, "connector_args", None) or {}
    return Guard(http_session, patient="pool_timeout" not in connector_args)


async def fetch_credentials(signer: Any) -> None:
    """Fetch the credentials of a client's signer, so that their source fails here or nowhere.

    :raises CredentialRetrievalError: in place of an exception that botocore does not know. For
        example, botocore passes on any error from reading the output of a ``credential_process``.
    """
    credentials = getattr(signer, "_credentials", None)
    if credentials is None:
        return
    try:
        await credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # noqa: BLE001  # the source may raise anything
        source = str(getattr(credentials, "method", None))
        failure = CredentialRetrievalError(provider=source, error_msg=type(error).__name__)
    else:
        return
    # Not chained: the text that could not be read may be the credentials.
    raise failure


class Guard:
    """Stands between a client and its HTTP session.

    :param patient: whether to wait without a limit for a connection of the pool.
    """

    def __init__(self, http_session: Any, *, patient: bool) -> None:
        self._http_session = http_session
        self._patient = patient
        #: Whether it applies to all calls, not only to those of this package.
        self.always = False
        #: Whether the client is known to be closed.
        self.closed = False
        #: The event loop that the connections belong to, once it is known.
        self.loop: object = None
        self._send = self._take_the_place_of("send", self.send)
        self._get_session = self._take_the_place_of("_get_session", self.get_session)

    def _take_the_place_of(self, name: str, stand_in: Any) -> Callable[..., Awaitable[Any]] | None:
        """Replace a method of the HTTP session with one of this class. Return the original."""
        http_session = self._http_session
        own = vars(http_session).get(name)
        if own is None and not hasattr(http_session, name):
            return None
        setattr(http_session, name, stand_in)
        if own is not None:
            return own  # type: ignore[no-any-return]
        # Looked up on each call, because a test may patch the class.
        return lambda argument: getattr(type(http_session), name)(http_session, argument)

    def _is_on_duty(self) -> bool:
        return self.always or current_call.get() is not None

    async def send(self, request: Any) -> Any:
        """Send a request if the client is open and belongs to this event loop."""
        assert self._send is not None  # noqa: S101  # this is called in its place
        if self._is_on_duty():
            if self.closed or _is_closed(self._http_session):
                raise RuntimeError(
                    "the client is closed: use it inside the `async with` that opened it"
                )
            loop = current_token().native_token
            if self.loop is None:
                self.loop = loop
            elif self.loop is not loop:
                raise RuntimeError(
                    "the client belongs to another event loop: open one in each event loop"
                )
        return await self._send(request)

    async def get_session(self, argument: Any) -> Any:
        """Return the session of aiohttp or httpx that sends requests, adjusted."""
        assert self._get_session is not None  # noqa: S101  # this is called in its place
        session = await self._get_session(argument)
        if not self._is_on_duty():
            return session
        if isinstance(self._http_session, AIOHTTPSession):
            return _Aiohttp(session)
        return _Httpx(session, patient=self._patient)


def _is_closed(http_session: Any) -> bool:
    if isinstance(http_session, AIOHTTPSession):
        return getattr(http_session, "_sessions", ()) is None
    return getattr(http_session, "_entered", True) is False


class _Delegate:
    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class _Aiohttp(_Delegate):
    """An aiohttp session that returns a redirect as the answer, and sends no cookies."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._session.cookie_jar.clear()
        return self._session.request(*args, **kwargs | {"allow_redirects": False})


class _Httpx(_Delegate):
    """An httpx client that waits for a connection of its pool, if patient, and sends no cookies."""

    def __init__(self, session: Any, *, patient: bool) -> None:
        super().__init__(session)
        self._patient = patient

    def build_request(self, *args: Any, **kwargs: Any) -> Any:
        self._session.cookies.clear()
        if self._patient:
            given = kwargs.get("timeout", self._session.timeout)
            kwargs["timeout"] = type(given)(
                connect=given.connect, read=given.read, write=given.write, pool=None
            )
        return self._session.build_request(*args, **kwargs)
