"""A pytest plugin: an Application Discovery Service on loopback, fresh for each test.

It comes with aiodiscovery and needs no import. Nothing of the package is imported before a test
asks for one of the fixtures.

- ``discovery_emulator`` is an :class:`aiodiscovery.emulator.Emulator`.
- ``discovery_client_kwargs`` are the arguments for a client that calls it:
  ``aiodiscovery.create_client(**discovery_client_kwargs)``, or boto3's and aiobotocore's
  ``client("discovery", **discovery_client_kwargs)``.
- ``@pytest.mark.discovery_emulator(exports=250, seed=7)`` sets the emulator's options. A marker of
  the test takes precedence over one of its class, and that over one of its module.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiodiscovery.emulator import Emulator

__all__ = ["discovery_client_kwargs", "discovery_emulator"]

_MARKER = "discovery_emulator"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for runs with ``--strict-markers``."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(**options): the options of the Emulator that the test gets."
    )


@pytest.fixture
def discovery_emulator(request: pytest.FixtureRequest) -> "Iterator[Emulator]":
    """Run an emulator of the Application Discovery Service for one test.

    Its options are those of the marker ``discovery_emulator``.
    """
    # Imported here, so that a run that does not use it does not pay for it.
    from aiodiscovery.emulator import Emulator  # noqa: PLC0415

    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        if marker.args:
            raise pytest.UsageError(
                f"the marker {_MARKER} takes keyword arguments only, such as exports=250"
            )
        options |= marker.kwargs
    with Emulator(**options) as emulator:
        yield emulator


@pytest.fixture
def discovery_client_kwargs(discovery_emulator: "Emulator") -> dict[str, Any]:
    """Return the arguments for a client that calls the emulator.

    The client sends each request once. botocore's own retries would make a test of a fault wait for
    seconds, and hide the fault. Pass a different ``config`` to test with retries.
    """
    from botocore.config import Config  # noqa: PLC0415

    return {
        **discovery_emulator.client_kwargs,
        "config": Config(retries={"total_max_attempts": 1}),
    }
