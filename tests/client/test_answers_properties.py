"""Whatever bytes arrive, the result is a page, or an error of botocore's kind."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from anyio.from_thread import start_blocking_portal
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.answers import (
    GARBAGE,
    Body,
    answers,
    damaged,
    error_bodies,
    garbage,
    headers,
    statuses,
)

import aiodiscovery

OPERATIONS = {
    "DescribeExportTasks": ("describe_export_tasks", "exportsInfo"),
    "DescribeAgents": ("describe_agents", "agentsInfo"),
    "DescribeImportTasks": ("describe_import_tasks", "tasks"),
    "ListConfigurations": ("list_configurations", "configurations"),
}
SERVICE_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "request-1"}
KWARGS: dict[str, Any] = {
    "region_name": "us-west-2",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
    "config": Config(parameter_validation=False, retries={"total_max_attempts": 1}),
}


class Listener:
    """A client whose calls are answered in place of the network."""

    def __init__(self, portal: Any, client: Any) -> None:
        self.portal = portal
        self.client = client
        self.answer: Any = None
        client.meta.events.register("before-send", self._answer)

    def _answer(self, **_: Any) -> AioAWSResponse:
        status, headers, body = self.answer
        return AioAWSResponse("http://127.0.0.1", status, headers, Body(body))

    def first_page(self, method: Any) -> dict[str, Any]:
        async def main() -> dict[str, Any]:
            page: dict[str, Any]
            async for page in aiodiscovery.get_paginator(self.client, method).paginate():
                return page
            raise AssertionError("there is always a first page")

        return self.portal.call(main)  # type: ignore[no-any-return]

    def direct(self, method: str) -> dict[str, Any]:
        return self.portal.call(getattr(self.client, method))  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=["ours", "aiobotocore's"])
def listener(request: pytest.FixtureRequest, session: AioSession) -> Iterator[Listener]:
    with start_blocking_portal("asyncio") as portal:
        made: Any = (
            aiodiscovery.create_client(session=session, **KWARGS)
            if request.param == "ours"
            else session.create_client("discovery", **KWARGS)
        )
        with portal.wrap_async_context_manager(made) as client:
            yield Listener(portal, client)


def bodies(operation: str) -> st.SearchStrategy[bytes]:
    return st.one_of(
        answers(operation, wild=True),
        damaged(answers(operation, wild=False)),
        error_bodies,
        garbage,
        st.sampled_from(GARBAGE),
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_comes_is_a_page_of_objects_or_an_error_of_botocore_s_kind(
    listener: Listener, operation: str
) -> None:
    method, result_key = OPERATIONS[operation]

    @settings(deadline=None, max_examples=150)
    @given(bodies(operation), statuses, headers | st.just(SERVICE_HEADERS))
    @example(b"{}", 200, SERVICE_HEADERS)
    def check(body: bytes, status: int, headers: dict[str, str]) -> None:
        listener.answer = status, headers, body
        try:
            page = listener.first_page(method)
        except ClientError:
            assert status > 300
        except ResponseParserError:
            assert status <= 300
        else:
            assert status == 200
            items = page.get(result_key, [])
            assert all(type(item) is dict for item in items)
            # It is what aiobotocore makes of it.
            assert len(items) == len(listener.direct(method).get(result_key, []))

    check()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_like_the_model_is_a_page(listener: Listener, operation: str) -> None:
    method, result_key = OPERATIONS[operation]

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 100))
    def check(count: int) -> None:
        body = b'{"%b": [%b]}' % (result_key.encode(), b", ".join([b"{}"] * count))
        listener.answer = 200, SERVICE_HEADERS, body

        assert len(listener.first_page(method)[result_key]) == count

    check()
