"""Collect in a separate process, as directed by test_collect_emulator.py.

python collect_in_process.py <endpoint URL> <directory>
"""

import sys
from typing import Any

import anyio

import aiodiscovery

#: All waiting follows from these, in seconds.
DELAYS: Any = {"min_delay": 0.02, "max_delay": 0.2, "not_found_timeout": 0.4}


async def main(endpoint_url: str, directory: str) -> bool:
    async with aiodiscovery.create_client(
        region_name="us-west-2",
        endpoint_url=endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        report = await aiodiscovery.collect_exports(client, directory, **DELAYS)
    return report.is_complete


if __name__ == "__main__":
    _, url, folder = sys.argv
    sys.exit(0 if anyio.run(main, url, folder) else 3)
