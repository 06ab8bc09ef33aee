"""``aiodiscovery emulate``."""

from collections.abc import Callable
from typing import Any

import click

__all__ = ["emulate"]


class _EmulatorCommand(click.Command):
    """Has the options of ``python -m aiodiscovery.emulator``, which are loaded on demand."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from aiodiscovery.emulator import OPTIONS  # noqa: PLC0415  # the import takes long

        if not self.params:
            self.params = [
                click.Option(
                    [f"--{option.name}"],
                    type=_Parsed(option.parse),
                    default=option.default,
                    show_default=option.default is not None,
                    help=f"{option.help[0].upper()}{option.help[1:]}.",
                )
                for option in OPTIONS
            ]
        return super().get_params(ctx)


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A value that a function makes of a text. The function rejects it with a ValueError."""

    name = "value"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(
    cls=_EmulatorCommand,
    short_help="Run a local Application Discovery Service.",
    epilog="""\b
Examples:
  aiodiscovery emulate --port 4510 --exports 250
  aiodiscovery emulate --port 0 --export-duration 60
""",
)
def emulate(**options: Any) -> int:
    """Run a local Application Discovery Service until you press Ctrl-C.

    It prints how to call it. Ctrl-C ends it with status 0.
    """
    from aiodiscovery.emulator import run  # noqa: PLC0415  # the import takes long

    return run(options)
