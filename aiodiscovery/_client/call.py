"""The one door to the service: every call that this package makes goes through ``call()``.

botocore tells what it does with a call in events, and its handlers may have a say in it: the public
way into a client, whoever made it. The handlers here prove an answer before it is decoded, and have
whatever comes out of decoding it, or of fetching credentials, raised as an error of botocore's
kind. Of the calls that somebody else makes with the same client they take no notice.

What a ``Stubber`` or a handler of ``before-call`` says in place of the service was never sent over
a network, and needs no proof.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from .answers import answer_error, prove, readable_error, undecodable
from .connections import fetch_credentials, guard
from .progress import Progress, current_call

__all__ = ["call", "call_of"]

#: What has the handlers below: the ``client.meta.events`` of each client that was used.
_prepared = WeakSet[Any]()


async def call(client: Any, operation_name: str, /, **parameters: Any) -> dict[str, Any]:
    """Call an operation of the service, and return an answer that is proven to be the service's.

    :param operation_name: the client's name for it, such as ``describe_export_tasks``.
    :raises ResponseParserError: if the answer is not the service's, or cannot be decoded. The text
        holds nothing of it.
    :raises CredentialRetrievalError: if credentials cannot be fetched, for whatever reason.
    :raises BotoCoreError, ClientError: as botocore raises it.
    :raises RuntimeError: if the client is closed, or belongs to another event loop.
    """
    method: Callable[..., Awaitable[Any]] = getattr(client, operation_name)
    events = client.meta.events
    if events not in _prepared:
        _prepare(client)
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
        # Not reset(): a task that is never resumed ends in another context.
        current_call.set(outer)
    # Not chained: the other error may hold the answer, which may hold anything.
    api_name = client.meta.method_to_api_mapping.get(operation_name, operation_name)
    raise undecodable(api_name, f"it cannot be decoded ({what})")


def call_of(client: Any, operation_name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return ``call()`` of one operation, as a function of its parameters."""
    return partial(call, client, operation_name)


def _prepare(client: Any) -> None:
    """Let a client's calls be seen, if they are calls of this package."""
    guard(client)
    events = client.meta.events
    service = client.meta.service_model
    service_id = service.service_id.hyphenize()
    # Ours come next to what botocore does itself, so that the exceptions of other handlers stay
    # theirs. Those with the longest name are called first.
    events.register_last("before-sign", _fetch_credentials)
    events.register_last("before-parse", _prove)
    for operation in service.operation_names:
        events.register_first(f"response-received.{service_id}.{operation}", _note_decoded)
        events.register_first(f"after-call.{service_id}.{operation}", _complete)
    _prepared.add(events)


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
    # Both aiohttp and httpx say this of their responses. An answer that was made up has none.
    history = getattr(getattr(http_response, "raw", None), "history", None)
    if isinstance(history, (list, tuple)) and history:
        raise answer_error(model.name, "it came from another address, after a redirect")
    if isinstance(parsed, dict) and "Error" not in parsed and model.output_shape is not None:
        # The service may leave out an empty list, but an answer without it is no use to a caller.
        for name, member in model.output_shape.members.items():
            if member.type_name == "list":
                parsed.setdefault(name, [])
