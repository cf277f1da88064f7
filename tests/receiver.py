"""A company's server that gets webhooks: it answers as told and remembers what came."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Answer:
    """``pause`` in seconds before it; with ``drip``, a byte of it each such pause."""

    status: int = 200
    pause: float = 0
    location: str | None = None
    drip: bool = False


@dataclass(frozen=True)
class Got:
    """One request, its header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


Answers = Callable[[str, int], Answer]
"""From the path and how often it was asked before (or the same event, if it has an id)."""


@dataclass
class Receiver:
    """``got`` is in the order of arrival."""

    answer: Answers = lambda _path, _before: Answer()
    got: list[Got] = field(default_factory=list)
    url: str = ""
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, path: str, event: str | None = None) -> list[Got]:
        with self._lock:
            found = list(self.got)
        return [g for g in found if g.path == path and event in {None, g.headers["x-commet-event"]}]

    def take(self, got: Got) -> Answer:
        with self._lock:
            event = (got.path, got.headers.get("webhook-id", ""))
            before = self._seen[event]
            self._seen[event] += 1
            self.got.append(got)
        return self.answer(got.path, before)


def certificate(folder: Path, name: str) -> Path:
    """A key and a certificate of its own making for a name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is what some tests are about."""


@contextlib.contextmanager
def receiver(
    answer: Answers | None = None, *, certificate: Path | None = None
) -> Iterator[Receiver]:
    """A receiver that listens on a free port of this machine, with TLS if it has a certificate."""
    made = Receiver(answer) if answer else Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = made.take(Got(self.path, headers, body, time.time()))
            if answer.drip:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x-slow: y\r\n" * 1000:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answer.pause)
            time.sleep(answer.pause)
            self.send_response(answer.status)
            if answer.location:
                self.send_header("location", answer.location)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_arguments: Any) -> None:
            """Nothing: what came is kept."""

    server = _Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
