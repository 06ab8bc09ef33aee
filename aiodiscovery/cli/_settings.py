"""What all commands can be told."""

import shlex
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Delays", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that each command has."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    #: Call an emulator inside the process, not AWS.
    local: bool = False
    #: Print JSON, whoever reads it.
    json: bool = False
    debug: bool = False

    def command(self, *words: str) -> str:
        """Return a command line that calls the same service."""
        options = (
            ("--region", self.region),
            ("--profile", self.profile),
            ("--endpoint-url", self.endpoint_url),
        )
        given = [word for name, value in options if value is not None for word in (name, value)]
        return shlex.join(["aiodiscovery", *words, *given])


class Delays(NamedTuple):
    """The times between two looks at an export, in seconds."""

    shortest: float
    longest: float
