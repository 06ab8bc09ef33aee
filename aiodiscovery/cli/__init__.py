"""The command ``aiodiscovery``, for a person at a terminal and for scripts.

It comes with the extra ``cli``. ``_commands`` and ``_options`` contain the command line and nothing
else. ``_actions`` and ``_lists`` do the work of the commands, and tell a view of ``_views`` or
``_terminal`` what happened. ``_run`` surrounds an action: the client, signals, logs and the exit
status. ``_errors`` and ``_credentials`` explain errors.
"""

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> int:
    """Run the command line of the process.

    :return: the exit status: 0 done, 1 an export or something else failed, 2 usage error, 3
        time-out, 128 + n stopped by signal n, 130 by Ctrl-C.
    """
    try:
        if any(find_spec(name) is None for name in ("click", "rich", "httpx2")):
            sys.stderr.write('The command needs its extra: pip install "aiodiscovery[cli]"\n')
            return 1
        from ._commands import run_command_line  # noqa: PLC0415  # it needs the extra
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    return run_command_line()
