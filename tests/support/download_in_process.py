"""Download an export in a separate process, as directed by test_download_processes.py.

python download_in_process.py <backend> <endpoint URL> <export id> <destination>
"""

import sys

import anyio

import aiodiscovery


async def main(endpoint_url: str, export_id: str, destination: str) -> None:
    async with aiodiscovery.create_client(
        region_name="us-west-2",
        endpoint_url=endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        await aiodiscovery.download_export(client, export_id, destination)


if __name__ == "__main__":
    _, backend, url, export, folder = sys.argv
    anyio.run(main, url, export, folder, backend=backend)
