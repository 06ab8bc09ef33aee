"""The settings of all commands."""

import shlex
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Delays", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that every command has."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    #: Trust the CA certificates of this file instead of those that come with botocore.
    ca_bundle: str | None = None
    #: Whether certificates are verified at all.
    verify_ssl: bool = True
    #: Call an emulator inside the process instead of AWS.
    local: bool = False
    #: Print JSON, even to a terminal.
    json: bool = False
    debug: bool = False

    def command(self, *words: str) -> str:
        """Return a command line that calls the same service."""
        return shlex.join(["aiodiscovery", *words, *self._options()])

    def _options(self) -> list[str]:
        given: list[str] = []
        for name, value in (
            ("--region", self.region),
            ("--profile", self.profile),
            ("--endpoint-url", self.endpoint_url),
            ("--ca-bundle", self.ca_bundle),
        ):
            if value is not None:
                given += [name, value]
        if not self.verify_ssl:
            given.append("--no-verify-ssl")
        if self.local:
            given.append("--local")
        return given


class Delays(NamedTuple):
    """The times between two polls of an export, in seconds."""

    shortest: float
    longest: float
