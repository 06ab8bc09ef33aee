"""The wire protocol: AWS JSON 1.1 and the downloads, over HTTP."""

import asyncio
import contextlib
import json
import logging
import re
import threading
import uuid
from typing import Any, cast
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ._archive import Archive, ArchiveAbandoned
from ._errors import DroppedConnection, ServiceError
from ._faults import BrokenDownload, ForeignDownload, Latency
from ._foreign import PORTAL, ForeignAnswer
from ._links import LinkError, Links
from ._model import TARGET_PREFIX
from ._ranges import requested_range
from ._requests import (
    MAX_PARAMETERS,
    RecordedDownload,
    RecordedRequest,
    RequestLog,
    memory,
)
from ._service import OPERATIONS, Download, Service

__all__ = ["Server"]

_MAX_BODY = 1024 * 1024
_JSON = "application/x-amz-json-1.1"
_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM} Credential=[^\s,/]+/\d{{8}}/[^\s,/]+/[^\s,/]+/aws4_request"
    r",\s*SignedHeaders=[^\s,]+,\s*Signature=[0-9a-f]{64}"
)

_logger = logging.getLogger("aiodiscovery.emulator")


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Let errors of the server through. A client that does not speak HTTP has got its 400."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_logger.addFilter(_is_worth_a_line)


class Server:
    """Answers HTTP requests on behalf of a service.

    :param service: the service that is called
    :param log: where the calls are recorded
    :param downloads: where the downloads are recorded
    :param lock: guards all of them, because tests use them from other threads
    """

    def __init__(
        self,
        service: Service,
        log: RequestLog[RecordedRequest],
        downloads: RequestLog[RecordedDownload],
        lock: threading.RLock,
    ) -> None:
        self._service = service
        self._log = log
        self._downloads = downloads
        self._lock = lock
        self._stopping = asyncio.Event()

    def runner(self) -> web.AppRunner:
        """Make the runner of the server on a socket."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return web.AppRunner(
            app,
            access_log=None,
            logger=_logger,
            # The service does not accept a compressed body either.
            auto_decompress=False,
            # Closing need not wait, because long requests are told to stop.
            shutdown_timeout=0.05,
        )

    def stop(self) -> None:
        """End every wait of a request that is being handled."""
        self._stopping.set()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/archives/"):
            try:
                return await self._download(request)
            except ArchiveAbandoned:  # the server is stopping
                return web.Response(status=503)
        if request.path == "/login":
            return _foreign_response(PORTAL.answer(b""))
        if request.method != "POST" or request.path != "/":
            error = ServiceError("UnknownOperationException", "There is nothing here.", 404)
            return _error_response(error)
        try:
            return await self._call(request)
        except DroppedConnection:
            if request.transport is not None:
                request.transport.close()
            # Never sent, because the connection is closed.
            return web.Response()

    # Calls of the API.

    async def _call(self, request: web.Request) -> web.StreamResponse:
        parameters = await _read_parameters(request)
        operation = _operation(request)
        with self._lock:
            number = self._log.add(
                RecordedRequest(
                    operation=operation,
                    parameters=_kept(parameters),
                    user_agent=request.headers.get("User-Agent", ""),
                )
            )
        error_code = None
        try:
            response = _json_response(await self._answer(request, operation, parameters), 200)
        except ServiceError as error:
            error_code = error.code
            response = _error_response(error)
        except ForeignAnswer as answer:
            response = _foreign_response(answer)
        with self._lock:
            self._log.close(number, response.status, error_code)
        return response

    async def _answer(
        self, request: web.Request, operation: str | None, parameters: dict[str, Any] | ServiceError
    ) -> dict[str, Any]:
        _check_authorization(request)
        if operation is None:
            raise ServiceError("UnknownOperationException", "The request names no operation.")
        await self._delay(operation)
        if isinstance(parameters, ServiceError) and operation in OPERATIONS:
            raise parameters
        with self._lock:
            return self._service.call(operation, parameters)

    async def _delay(self, operation: str) -> None:
        with self._lock:
            latency = self._service.faults.take(Latency, operation)
        if latency is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(latency.seconds):
                await self._stopping.wait()
                raise DroppedConnection

    # Downloads.

    async def _download(self, request: web.Request) -> web.StreamResponse:
        recorded = RecordedDownload(
            export_id=Links.export_id(request.path),
            range=request.headers.get("Range"),
            if_range=request.headers.get("If-Range"),
        )
        with self._lock:
            number = self._downloads.add(recorded)
        try:
            download = self._find(request)
            archive = await self._archive(download)
            part = _part(recorded, download, archive)
        except LinkError as error:
            with self._lock:
                self._downloads.close(number, error.status, error.code)
            return _xml_response(error)
        except ForeignAnswer as answer:
            with self._lock:
                self._downloads.close(number, answer.status, None)
            return _foreign_response(answer)
        with self._lock:
            self._downloads.close(number, 200 if part is None else 206, None)
        return await self._send(request, download, archive, part)

    def _find(self, request: web.Request) -> Download:
        if request.method not in ("GET", "HEAD"):
            raise LinkError("MethodNotAllowed", "Only GET and HEAD.", 405)
        if request.method == "HEAD":
            # The method is part of what is signed.
            raise LinkError("SignatureDoesNotMatch", "The URL is presigned for GET.", 403)
        with self._lock:
            return self._service.download(request.path, request.query)

    async def _archive(self, download: Download) -> Archive:
        """Return the archive. If it does not exist yet, it is made in another thread.

        :raises ForeignAnswer: if something else answers
        """
        failure = download.failure
        if isinstance(failure, ForeignDownload) and not failure.recipe.carried_out:
            raise failure.recipe.answer(b"")
        archive = await asyncio.to_thread(
            self._service.archives.get, download.contents, self._stopping.is_set
        )
        if isinstance(failure, ForeignDownload):
            raise failure.recipe.answer(archive.read())
        return archive.corrupted() if download.is_corrupt else archive

    async def _send(
        self, request: web.Request, download: Download, archive: Archive, part: range | None
    ) -> web.StreamResponse:
        wanted = range(archive.size) if part is None else part
        response = web.StreamResponse(headers={"ETag": archive.etag})
        response.content_type = "application/zip"
        if download.has_ranges:
            response.headers["Accept-Ranges"] = "bytes"
        if part is not None:
            response.set_status(206)
            last = part.stop - 1
            response.headers["Content-Range"] = f"bytes {part.start}-{last}/{archive.size}"
        response.content_length = max(0, len(wanted) + download.length_error)
        failure = download.failure
        if isinstance(failure, BrokenDownload):
            wanted = wanted[: failure.size]
        with contextlib.suppress(ConnectionError):  # the client has gone away
            await response.prepare(request)
            for chunk in archive.chunks(wanted):
                await response.write(chunk)
            if isinstance(failure, BrokenDownload) and failure.stalled:
                await self._stall(request)
        if request.transport is not None and len(wanted) < response.content_length:
            # No more bytes are sent.
            request.transport.close()
        return response

    async def _stall(self, request: web.Request) -> None:
        """Wait until the client has gone away, or the server stops."""
        while request.transport is not None and not request.transport.is_closing():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await self._stopping.wait()
                    return


async def _read_parameters(request: web.Request) -> dict[str, Any] | ServiceError:
    """Read the body: a JSON object, or the error that it causes.

    The error is raised later, because the signature of the request is checked first.

    :raises DroppedConnection: if the body breaks off
    """
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return ServiceError(
            "RequestEntityTooLargeException", f"The body is over {_MAX_BODY} bytes.", 413
        )
    except (OSError, web.RequestPayloadError, HttpProcessingError):
        # The client disconnected in the middle of it, so no answer is needed.
        raise DroppedConnection from None
    try:
        # From text, because json.loads would guess the encoding of bytes.
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return ServiceError("SerializationException", "The body is not JSON.")
    if not isinstance(value, dict):
        return ServiceError("SerializationException", "The body is not a JSON object.")
    return cast("dict[str, Any]", value)


def _kept(parameters: dict[str, Any] | ServiceError) -> dict[str, Any]:
    """Return the part of the parameters that is recorded."""
    if isinstance(parameters, ServiceError) or memory(parameters) > MAX_PARAMETERS:
        return {}
    return parameters


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _operation(request: web.Request) -> str | None:
    prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
    return operation if prefix == TARGET_PREFIX and operation else None


def _check_authorization(request: web.Request) -> None:
    """Check that a request is signed. The emulator does not verify the signature."""
    header = request.headers.get("Authorization", "")
    if not header.startswith(_ALGORITHM):
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if not _AUTHORIZATION.fullmatch(header):
        raise ServiceError(
            "IncompleteSignatureException",
            "The Authorization header must have Credential, SignedHeaders and Signature.",
        )


def _json_response(value: object, status: int) -> web.Response:
    return web.Response(
        body=json.dumps(value).encode("ascii"),
        status=status,
        headers={"Content-Type": _JSON, "x-amzn-RequestId": str(uuid.uuid4())},
    )


def _error_response(error: ServiceError) -> web.Response:
    return _json_response({"__type": error.code, "message": error.message}, error.status)


def _foreign_response(answer: ForeignAnswer) -> web.Response:
    return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


def _part(recorded: RecordedDownload, download: Download, archive: Archive) -> range | None:
    """Return which bytes to send; None for all of them."""
    if not download.has_ranges:
        return None
    return requested_range(recorded.range, recorded.if_range, archive.etag, archive.size)


def _xml_response(error: LinkError) -> web.Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"<RequestId>{uuid.uuid4()}</RequestId></Error>"
    )
    return web.Response(
        text=body, status=error.status, content_type="application/xml", headers=error.headers
    )
