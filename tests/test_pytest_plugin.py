"""The pytest plugin: what the tests of users get from it, in separate runs of pytest."""

import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import aiodiscovery
import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.mark.anyio
async def test_the_package(discovery_emulator, discovery_client_kwargs):
    async with aiodiscovery.create_client(**discovery_client_kwargs) as client:
        found = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate().items()
        assert [export["exportId"] async for export in found] == list(discovery_emulator.export_ids)


def test_boto3(discovery_emulator, discovery_client_kwargs):
    client = boto3.client("discovery", **discovery_client_kwargs)
    found = client.describe_export_tasks()["exportsInfo"]
    assert [export["exportId"] for export in found] == list(discovery_emulator.export_ids)
    client.close()


def test_each_request_is_sent_once(discovery_emulator, discovery_client_kwargs):
    discovery_emulator.inject_throttling(calls=1)
    client = boto3.client("discovery", **discovery_client_kwargs)
    with pytest.raises(ClientError, match="Throttling"):
        client.describe_export_tasks()
    assert client.describe_export_tasks()["exportsInfo"]
    client.close()
"""

MARKED = """
import pytest

pytestmark = pytest.mark.discovery_emulator(exports=3, agents=2)


def test_a_marker_of_the_module_counts(discovery_emulator):
    assert len(discovery_emulator.export_ids) == 3


@pytest.mark.discovery_emulator(exports=4)
def test_that_of_the_test_counts_more(discovery_emulator):
    assert len(discovery_emulator.export_ids) == 4


def test_each_test_has_one_of_its_own(discovery_emulator):
    discovery_emulator.add_export()
    assert len(discovery_emulator.export_ids) == 4
"""

WRONG = """
import pytest


@pytest.mark.discovery_emulator(3)
def test_it(discovery_emulator):
    pass
"""


#: The options of a careful user's run. pytest-asyncio warns about its own default.
STRICT = ("--strict-markers", "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.mark.parametrize("parallel", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_any_client_can_call_the_emulator(
    pytester: pytest.Pytester, parallel: tuple[str, ...]
) -> None:
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess(*STRICT, *parallel)

    result.assert_outcomes(passed=4)


def test_the_marker_configures_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MARKED)

    result = pytester.runpytest_subprocess(*STRICT)

    result.assert_outcomes(passed=3)


def test_a_marker_with_a_positional_argument_is_an_error_that_says_what_is_right(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(WRONG)

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes keyword arguments only, such as exports=250*"])


def test_a_run_that_does_not_use_it_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "pytest_aiodiscovery" in sys.modules
            assert not {"aiodiscovery", "aiobotocore", "botocore"} & sys.modules.keys()
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1)


def test_it_is_one_small_module_beside_the_package() -> None:
    import pytest_aiodiscovery  # noqa: PLC0415  # it is loaded in any case

    path = Path(pytest_aiodiscovery.__file__)
    assert path.name == "pytest_aiodiscovery.py"
    assert "pytest_aiodiscovery" in sys.modules
