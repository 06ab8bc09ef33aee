"""A listing that answers in the client itself, where HTTP is too slow or too strict.

The clients are real ones of aiobotocore or botocore: botocore's own ``before-call`` event gives the
answer in place of the network.
"""

import json
from types import SimpleNamespace
from typing import Any

EVENT = "before-call.application-discovery-service"


class ScriptedListing:
    """Pages through ``ids`` as the service does, and notes its requests."""

    def __init__(
        self, ids: list[str], *, default_page_size: int = 100, extra_items: int = 0
    ) -> None:
        self.ids = ids
        self.default_page_size = default_page_size
        #: How many more items than requested a page has.
        self.extra_items = extra_items
        self.requests: list[dict[str, Any]] = []
        self._answers_left: int | None = None
        self._failure: Exception | None = None

    def fail_after(self, answers: int | None, failure: Exception | None) -> None:
        """Raise the failure once, after this many more answers. None: never."""
        self._answers_left = answers
        self._failure = failure

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        if self._failure is not None and self._answers_left is not None:
            self._answers_left -= 1
            if self._answers_left < 0:
                failure, self._failure = self._failure, None
                raise failure
        wanted = request.get("exportIds")
        ids = (
            self.ids
            if wanted is None
            else [export_id for export_id in self.ids if export_id in set(wanted)]
        )
        start = int(request["nextToken"].removeprefix("at ")) if "nextToken" in request else 0
        stop = start + request.get("maxResults", self.default_page_size) + self.extra_items
        answer: dict[str, Any] = {
            "exportsInfo": [{"exportId": export_id} for export_id in ids[start:stop]]
        }
        if stop < len(ids):
            answer["nextToken"] = f"at {stop}"
        return answer

    def attach(self, client: Any) -> None:
        """Let the listing answer all requests of the client."""
        client.meta.events.register_first(EVENT, self._answer_call)

    def detach(self, client: Any) -> None:
        client.meta.events.unregister(EVENT, self._answer_call)

    def _answer_call(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=200), self.answer(json.loads(params["body"]))
