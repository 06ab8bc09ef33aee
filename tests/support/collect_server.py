"""Run collections in separate processes, which are forked and so start at once.

python collect_server.py <endpoint URL> <directory>

For each line on stdin, a process is forked that collects. Its id is printed, and when it has ended,
its exit status.
"""

import os
import sys
import traceback
from typing import Any

import anyio

import aiodiscovery
from support.virtual import SESSION

#: All waiting follows from these, in seconds.
DELAYS: Any = {"min_delay": 0.02, "max_delay": 0.2, "not_found_timeout": 0.4}


async def collect(endpoint_url: str, directory: str) -> bool:
    async with aiodiscovery.create_client(
        session=SESSION,
        region_name="us-west-2",
        endpoint_url=endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        report = await aiodiscovery.collect_exports(client, directory, **DELAYS)
    return report.is_complete


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main(endpoint_url: str, directory: str) -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = 0 if anyio.run(collect, endpoint_url, directory) else 3
            except BaseException:  # noqa: BLE001  # os._exit() shows nothing
                traceback.print_exc()
            finally:
                os._exit(status)
        answer(pid)
        _, status = os.waitpid(pid, 0)
        answer(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
