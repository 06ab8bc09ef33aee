"""Calls that carry one of botocore's feature ids in their user agent.

botocore keeps the feature ids of a call in a context variable, in modules that are declared
private. There is no other way to set them, and this is the only place that does.
"""

from functools import cache
from typing import Any

from botocore.context import ClientContext, get_context, reset_context, set_context
from botocore.useragent import register_feature_id

__all__ = ["FeatureId"]


class FeatureId:
    """A feature id, for calls one after another.

    :param feature_id: a name that botocore knows, such as ``PAGINATOR`` or ``WAITER``.
    """

    __slots__ = ("_context", "_ids", "_token")

    def __init__(self, feature_id: str) -> None:
        self._ids = _short(feature_id)
        self._context = ClientContext()
        self._token: Any = None

    def add(self) -> None:
        """Add it to the call that follows, besides those of the caller's context."""
        outer: ClientContext | None = get_context()
        # A new set each time, because botocore adds to it during a call.
        self._context.features = {*self._ids} if outer is None else outer.features | self._ids
        self._token = set_context(self._context)

    def remove(self) -> None:
        """Undo ``add()``."""
        reset_context(self._token)


@cache
def _short(feature_id: str) -> frozenset[str]:
    """Return what the user agent shows for a feature id."""
    context = ClientContext()
    token = set_context(context)
    try:
        register_feature_id(feature_id)
    finally:
        reset_context(token)
    return frozenset(context.features)
