"""The one door to the service: every call that this package makes goes through ``call()``.

botocore reports the steps of a call as events, and handlers of events can change them. That is the
public way into any client. The handlers here prove an answer before it is decoded. They also turn
anything raised by decoding it, or by fetching credentials, into an error of botocore's kind. They
ignore the calls that other code makes with the same client.

An answer that a ``Stubber`` or a handler of ``before-call`` gives in place of the service was never
sent over a network, and needs no proof.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from .answers import answer_error, prove, readable_error, undecodable
from .connections import fetch_credentials, guard
from .progress import Progress, current_call

__all__ = ["call", "call_of"]

#: For the ``client.meta.events`` of each client that was used, the operations with the handlers
#: below. Registering them for all operations would take longer than making the client does.
_prepared = WeakKeyDictionary[Any, set[str]]()


async def call(client: Any, operation_name: str, /, **parameters: Any) -> dict[str, Any]:
    """Call an operation of the service, and return an answer that is proven to be the service's.

    :param operation_name: the client's name for it, such as ``describe_export_tasks``.
    :raises ResponseParserError: if the answer is not the service's, or cannot be decoded. Its text
        holds nothing of the answer.
    :raises CredentialRetrievalError: if credentials cannot be fetched, for any reason.
    :raises BotoCoreError, ClientError: as botocore raises it.
    :raises RuntimeError: if the client is closed, or belongs to another event loop.
    """
    method: Callable[..., Awaitable[Any]] = getattr(client, operation_name)
    api_name = client.meta.method_to_api_mapping.get(operation_name, operation_name)
    if api_name not in _prepared.get(client.meta.events, ()):
        _prepare(client, api_name)
    progress, outer = Progress(), current_call.get()
    current_call.set(progress)
    try:
        answer = await method(**parameters)
    except (BotoCoreError, ClientError, ResponseParserError):
        raise
    except Exception as error:
        if not progress.decoding:
            raise
        what = type(error).__name__
    else:
        if isinstance(answer, dict):
            return answer
        what = "not a dict"
    finally:
        # Not reset(): a task that is never resumed ends in a different context.
        current_call.set(outer)
    # Not chained: the other error may hold the answer, which may hold secrets.
    raise undecodable(api_name, f"it cannot be decoded ({what})")


def call_of(client: Any, operation_name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return ``call()`` of one operation, as a function of its parameters."""
    return partial(call, client, operation_name)


def _prepare(client: Any, api_name: str) -> None:
    """Register the handlers for an operation. They act on calls of this package only."""
    events = client.meta.events
    # Ours run next to botocore's own, so that exceptions of other handlers pass unchanged. Handlers
    # with the longest name are called first.
    if events not in _prepared:
        guard(client)
        events.register_last("before-sign", _fetch_credentials)
        events.register_last("before-parse", _prove)
        _prepared[events] = set()
    service_id = client.meta.service_model.service_id.hyphenize()
    events.register_first(f"response-received.{service_id}.{api_name}", _note_decoded)
    events.register_first(f"after-call.{service_id}.{api_name}", _complete)
    _prepared[events].add(api_name)


async def _fetch_credentials(request_signer: Any, **_: Any) -> None:
    if current_call.get() is not None:
        await fetch_credentials(request_signer)


def _prove(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    progress = current_call.get()
    if progress is None:
        return
    progress.decoding = True
    status, body = response_dict["status_code"], response_dict["body"]
    if status > 300:
        response_dict["body"] = readable_error(body)
    else:
        progress.keep(body, prove(operation_model, status, response_dict["headers"], body))


def _note_decoded(**_: Any) -> None:
    progress = current_call.get()
    if progress is not None:
        progress.decoding = False


def _complete(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    if current_call.get() is None:
        return
    # The responses of both aiohttp and httpx have this. A made-up answer does not.
    history = getattr(getattr(http_response, "raw", None), "history", None)
    if isinstance(history, (list, tuple)) and history:
        raise answer_error(model.name, "it came from another address, after a redirect")
    if isinstance(parsed, dict) and "Error" not in parsed and model.output_shape is not None:
        # The service may leave out an empty list, but callers need it.
        for name, member in model.output_shape.members.items():
            if member.type_name == "list":
                parsed.setdefault(name, [])
