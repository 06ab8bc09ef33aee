"""The service that ``compare.py`` lists exports from. It is as fast as possible, and not measured.

It answers DescribeExportTasks from memory. For a page, the emulator would take longer than the
client that is measured.
"""

import argparse
import asyncio
import contextlib
import json
import re

PAGE = 100
# Opaque to clients, and long.
TOKEN = "AQICAHhqUu7S3cd0Hx8i5p1pDnTSVfkF0Zvu2dSZ0c1Gk2l5cQF{:09d}"
_TOKEN = re.compile(rb'"nextToken": ?"AQICAH[^"]*?(\d{9})"')
_IDS = re.compile(rb'"(export-[^"]+)"')


def export(number: int) -> dict[str, object]:
    """Return an export of an agent, with all its fields."""
    asked = 1_780_000_000.0 + number
    return {
        "exportId": f"export-{number:08d}-58cd-4a5a-94f6-5d0c5b1a6f1e",
        "exportStatus": "SUCCEEDED",
        "statusMessage": "Your export data is ready for download.",
        "configurationsDownloadUrl": "https://example.com/archive.zip?X-Amz-Signature=" + "0" * 700,
        "exportRequestTime": asked,
        "isTruncated": False,
        "requestedStartTime": asked - 86400.5,
        "requestedEndTime": asked - 3600.25,
    }


class Service(asyncio.Protocol):
    """One connection: requests come one after another, each with a Content-Length."""

    def __init__(self, exports: int, latency: float) -> None:
        self._pages = -(-exports // PAGE)
        # The same items on every page. Only the token differs from page to page.
        items = [export(number) for number in range(PAGE)]
        self._by_id = {str(item["exportId"]): json.dumps(item) for item in items}
        self._items = json.dumps(items)
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, body = self._received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            size = 0 if length is None else int(length[1])
            if len(body) < size:
                return
            self._received = body[size:]
            answer = self._answer(body[:size])
            asyncio.get_running_loop().call_later(self._latency, self._send, answer)

    def _answer(self, body: bytes) -> bytes:
        if ids := _IDS.findall(body):
            items = (json.dumps(export(0) | {"exportId": export_id.decode()}) for export_id in ids)
            content = f'{{"exportsInfo": [{", ".join(items)}]}}'
        else:
            token = _TOKEN.search(body)
            page = int(token[1]) if token is not None else 0
            following = (
                f', "nextToken": "{TOKEN.format(page + 1)}"' if page + 1 < self._pages else ""
            )
            content = f'{{"exportsInfo": {self._items}{following}}}'
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
            "x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        ).encode()

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(exports: int, latency: float) -> None:
    """Serve on a free port of loopback, which is printed, until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Service(exports, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--exports", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.exports, arguments.latency))


if __name__ == "__main__":
    main()
