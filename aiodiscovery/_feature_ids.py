"""Calls that carry one of botocore's feature ids in their user agent.

botocore keeps the feature ids of a call in a context variable. The modules that hold it call
themselves private, but nothing else reaches it: this is the only place that uses them.
"""

from collections.abc import Awaitable, Callable
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
    # botocore copies the context deeply, which takes longer than the rest of a page.
    features = set() if outer is None else set(outer.features)
    token = set_context(ClientContext(features=features))
    try:
        register_feature_id(feature_id)
        return await method(**parameters)
    finally:
        reset_context(token)
