"""Servers between a client and an emulator: one that speaks TLS, an HTTP proxy, a recorder."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["CERTIFICATE", "http_proxy", "recorder", "tls_relay"]

#: A self-signed certificate for 127.0.0.1 and localhost, and its key. For tests only.
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@contextlib.contextmanager
def tls_relay(target: int) -> Iterator[int]:
    """Speak TLS on a port, and pass the data on to another port of this machine.

    :return: the port.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def relay(incoming: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(incoming, server_side=True) as client,
            socket.create_connection(("127.0.0.1", target)) as server,
        ):
            _pass_on(client, server)

    with _listening(relay) as port:
        yield port


@contextlib.contextmanager
def http_proxy(asked: list[str]) -> Iterator[int]:
    """Run an HTTP proxy on a port, for plain HTTP and CONNECT.

    :param asked: gets the first line of each request.
    :return: the port.
    """

    def relay(incoming: socket.socket) -> None:
        with contextlib.suppress(OSError), incoming as client:
            head = b""
            while b"\r\n\r\n" not in head:
                received = client.recv(65536)
                if not received:
                    return
                head += received
            line, _, rest = head.partition(b"\r\n")
            asked.append(line.decode())
            method, url, version = line.split()
            address = url if method == b"CONNECT" else url.split(b"/", 3)[2]
            host, _, port = address.decode().rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port))) as server:
                if method == b"CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    path = b"/" + url.split(b"/", 3)[3]
                    # A connection for each request, whose line is rewritten.
                    rest = b"Connection: close\r\n" + rest
                    server.sendall(b" ".join((method, path, version)) + b"\r\n" + rest)
                _pass_on(client, server)

    with _listening(relay) as port:
        yield port


@contextlib.contextmanager
def _listening(relay: Callable[[socket.socket], None]) -> Iterator[int]:
    threads: list[threading.Thread] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                incoming, _ = listening.accept()
                incoming.settimeout(30)
                thread = threading.Thread(target=relay, args=(incoming,), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join(5)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    def requests() -> None:
        with contextlib.suppress(OSError):
            while received := client.recv(65536):
                server.sendall(received)
            server.shutdown(socket.SHUT_WR)

    asking = threading.Thread(target=requests, daemon=True)
    asking.start()
    with contextlib.suppress(OSError):
        while received := server.recv(65536):
            client.sendall(received)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    asking.join(5)


@contextlib.contextmanager
def recorder(
    asked: list[str], answer: bytes = b"HTTP/1.1 404 Not Found", *, whole: bool = False
) -> Iterator[int]:
    """Answer every request in the same way.

    :param asked: gets the first line of each request.
    :param answer: the first line of the answer, and headers.
    :param whole: whether ``asked`` gets all lines before the body.
    :return: the port.
    """

    def reply(incoming: socket.socket) -> None:
        with contextlib.suppress(OSError), incoming as client:
            head = b""
            while b"\r\n\r\n" not in head and (received := client.recv(65536)):
                head += received
            end = b"\r\n\r\n" if whole else b"\r\n"
            asked.append(head.partition(end)[0].decode("latin-1"))
            client.sendall(answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with _listening(reply) as port:
        yield port
