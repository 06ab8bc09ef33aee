"""A clock for the emulator that a test sets."""


class Clock:
    """Seconds since the epoch, as the test last set them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now
