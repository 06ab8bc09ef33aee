"""A server with an untrusted certificate, in front of another server."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["behind_tls", "make_certificate"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1, and return it and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", str(key)),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:TRUE"),
            *("-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextmanager
def behind_tls(url: str, certificate: Path, key: Path) -> Iterator[str]:
    """Yield the URL of a server that speaks TLS and forwards to another one.

    :param url: the URL of the other one, over HTTP.
    """
    target = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            # Until the listener is closed.
            with suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    threading.Thread(target=connect, args=(plain,), daemon=True).start()

        def connect(plain: socket.socket) -> None:
            with suppress(OSError), plain:
                secret = context.wrap_socket(plain, server_side=True)
                other = socket.create_connection((target.hostname or "", target.port or 80))
                with secret, other:
                    back = threading.Thread(target=copy, args=(other, secret), daemon=True)
                    back.start()
                    copy(secret, other)
                    back.join()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, until it ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
