"""What tests of the watcher share."""

import random

import pytest


@pytest.fixture
def longest_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jitter always draw the longest delay, so that times are known in advance."""
    monkeypatch.setattr(random, "random", lambda: 1.0)
