"""Calls that carry one of botocore's feature ids in their user agent.

botocore keeps the feature ids of a call in a context variable. The modules that hold it call
themselves private, but nothing else reaches it: this is the only place that uses them.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from botocore.context import ClientContext, get_context, reset_context, set_context
from botocore.useragent import register_feature_id

__all__ = ["call_with_feature_id"]


async def call_with_feature_id(
    feature_id: str, method: Callable[..., Awaitable[Any]], parameters: dict[str, Any]
) -> Any:
    """Return what the client's method answers, called with a feature id of botocore's.

    :param feature_id: a name that botocore knows, such as ``PAGINATOR`` or ``WAITER``.
    """
    outer: ClientContext | None = get_context()
    features = set(_short(feature_id))
    if outer is not None:
        features |= outer.features
    token = set_context(ClientContext(features=features))
    try:
        return await method(**parameters)
    finally:
        reset_context(token)


@cache
def _short(feature_id: str) -> frozenset[str]:
    """Return what the user agent says for a feature id."""
    context = ClientContext()
    token = set_context(context)
    try:
        register_feature_id(feature_id)
    finally:
        reset_context(token)
    return frozenset(context.features)
