"""Calls of webhook endpoints: strangers' addresses, so only checked ones, and never for long.

The name is resolved once, every address that it has is checked, and the connection goes to one of
those, while Host header, SNI and certificate stay the name's: what the name resolves to a moment
later doesn't matter. Time-outs of sockets start anew with each byte, so a clock of our own ends the
call. The response's body is never read.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from http.client import HTTPException
from typing import Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_match_hostname import CertificateError

from paylink.domain.webhook import Attempt
from paylink.domain.webhook_target import Target, TargetRefusedError, check_address, parse_target

CALL_SECONDS = 10.0
_RESOLVE_SECONDS = 4.0
# A name server that doesn't answer holds a thread for longer than we wait; the next run needs some.
_RESOLVERS = 256

# A certificate for another IP address is a ValueError to urllib3, for another name an SSLError.
_TROUBLE: Final = (OSError, HTTPError, HTTPException, CertificateError)

Resolve = Callable[[str, int], Sequence[str]]


class HttpWebhooks:
    """Fulfils `paylink.ports.WebhookSender`."""

    def __init__(
        self,
        *,
        local: bool,
        resolve: Resolve | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> None:
        """``local`` lets http and this machine through."""
        self._local = local
        self._resolve = resolve or _addresses
        self._tls = tls or _tls
        self._seconds = seconds

    def check(self, url: str) -> None:
        target = parse_target(url, local=self._local)
        try:
            self._checked(target)
        except OSError:
            # A name may be registered before it exists; the call will look again.
            return

    def send(self, url: str, headers: Mapping[str, str], body: bytes, at: datetime) -> Attempt:
        started = time.monotonic()
        status, error = None, None
        try:
            target = parse_target(url, local=self._local)
            addresses = self._checked(target)
            status = self._post(target, addresses, headers, body, started + self._seconds)
        except TargetRefusedError:
            error = "address_refused"
        except TimeoutError:
            error = "timeout"
        except socket.gaierror:
            error = "name_not_resolved"
        except _TROUBLE as problem:
            late = time.monotonic() - started >= self._seconds
            error = "timeout" if late else _word(problem)
        milliseconds = round((time.monotonic() - started) * 1000)
        return Attempt(at, milliseconds, status, error)

    def _checked(self, target: Target) -> Sequence[str]:
        """Every address of the target; TargetRefusedError if a single one isn't public."""
        addresses = self._resolve(target.host, target.port)
        for address in addresses:
            check_address(address, local=self._local)
        return addresses

    def _post(
        self,
        target: Target,
        addresses: Sequence[str],
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
    ) -> int:
        sent = {"host": target.authority, "connection": "close", **headers}
        failure: Exception = OSError("no address")
        for position, address in enumerate(addresses):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # One that doesn't answer leaves time for the next one.
            patience = left / (len(addresses) - position)
            connection = self._connection(target, address, patience)
            with _ended_by(connection, left):
                try:
                    connection.connect()
                except _TROUBLE as problem:
                    connection.close()
                    failure = problem
                    continue  # such as an IPv6 address where there is no IPv6
                try:
                    connection.sock.settimeout(max(deadline - time.monotonic(), 0.001))
                    connection.request("POST", target.path, body, sent, preload_content=False)
                    return connection.getresponse().status
                finally:
                    connection.close()
        raise failure

    def _connection(self, target: Target, address: str, seconds: float) -> _Connection:
        if target.scheme == "http":
            return _PlainConnection(address, target.port, timeout=seconds)
        return _TlsConnection(
            address,
            target.port,
            timeout=seconds,
            ssl_context=self._tls(),
            server_hostname=target.host,
            assert_hostname=target.host,
        )


class _PlainConnection(HTTPConnection):
    wire: socket.socket | None = None
    """The same connection as `sock`, also while TLS is being set up on it."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.wire = made.dup()
        return made


class _TlsConnection(HTTPSConnection):
    wire: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.wire = made.dup()
        return made


_Connection = _PlainConnection | _TlsConnection


@contextmanager
def _ended_by(connection: _Connection, seconds: float) -> Iterator[None]:
    """Cuts the connection after a time, whatever its peer does to keep it."""

    def cut() -> None:
        if connection.wire is not None:
            with suppress(OSError):
                connection.wire.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if connection.wire is not None:
            connection.wire.close()


def _word(problem: Exception) -> str:
    """What an owner is told of a failure: a word, nothing that came from the other side."""
    if isinstance(problem, HTTPException) and not isinstance(problem, OSError):
        return "no_http_response"
    cause = problem.args[-1] if problem.args else problem
    refused = (CertificateError, ssl.SSLError)
    if isinstance(problem, refused) or isinstance(cause, refused):
        return "tls_failed"
    return "timeout" if isinstance(cause, TimeoutError) else "connection_failed"


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_RESOLVERS)


def _addresses(host: str, port: int) -> Sequence[str]:
    """Every address of a name, in the system's order; TimeoutError and gaierror."""
    looked_up = _resolvers().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return [str(found[4][0]) for found in looked_up.result(timeout=_RESOLVE_SECONDS)]
