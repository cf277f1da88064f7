"""Stands between a function and what it calls, and notes each call: how long the other side took,
and for DynamoDB the capacity that it reports. What was answered once it can also answer by itself.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from benchmarks.capacity import batch_read_units

_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Call:
    """One request to an upstream; ``units`` as DynamoDB counts them."""

    operation: str
    began: float
    ended: float
    """Of one clock, in seconds; several may run at once."""
    read_units: float = 0.0
    write_units: float = 0.0


@dataclass
class Upstream:
    """Forwards to ``target``; ``calls`` are those since it was last emptied."""

    target: str
    calls: list[Call] = field(default_factory=list)
    count_units: bool = False
    """Asks DynamoDB for what each call consumed, which makes the answer longer."""
    heard: dict[str, bytes] = field(default_factory=dict)
    """The last good answer, as it went over the wire, to each question."""
    alone: bool = False
    """Forwards nothing, but answers by what was heard: the same question gets the same answer."""

    def __post_init__(self) -> None:
        upstream = self

        class Handler(_Handler):
            owner = upstream

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> list[Call]:
        """The calls since this was last asked."""
        calls, self.calls = self.calls, []
        return calls


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: ClassVar[Upstream]

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(urlsplit(self.owner.target).netloc, timeout=30)

    def finish(self) -> None:
        super().finish()
        self._upstream.close()

    def log_message(self, *_: object) -> None:
        """Nothing: a line for each request would be measured too."""

    def _forward(self) -> None:
        started = time.perf_counter()
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = self.headers.get("x-amz-target", "")
        question = _question(target or f"{self.command} {self.path}", body)
        if self.owner.alone:
            self.wfile.write(self.owner.heard[question])
            named = target.rpartition(".")[2] or question
            self.owner.calls.append(Call(named, started, time.perf_counter()))
            return
        counted = self.owner.count_units and target.startswith("DynamoDB_")
        if counted:
            body = json.dumps({**json.loads(body), "ReturnConsumedCapacity": "INDEXES"}).encode()
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _OF_ONE_CONNECTION}
        self._upstream.request(self.command, self.path, body, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        operation = target.rpartition(".")[2] or f"{self.command} {_resource(self.path)}"
        read, written = _units(operation, body, content) if counted else (0.0, 0.0)
        self.owner.calls.append(Call(operation, started, time.perf_counter(), read, written))
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [
            f"{n}: {v}" for n, v in answer.getheaders() if n.lower() not in _OF_ONE_CONNECTION
        ]
        lines += [f"content-length: {len(content)}", "", ""]
        whole = "\r\n".join(lines).encode("latin-1") + content
        if answer.status < 400:  # such as a conflict between deliveries: it isn't for all writes
            self.owner.heard[question] = whole
        self.wfile.write(whole)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward  # noqa: N815 - the base's names


def _question(operation: str, body: bytes) -> str:
    """What decides about the answer: of a read all that was asked, of a write only which it is."""
    reads = re.search(r"\.(Get|BatchGet|Query)", operation)
    return f"{operation} {body.decode()}" if reads else operation


def _resource(path: str) -> str:
    """A path without what differs from call to call."""
    parts = path.partition("?")[0].split("/")
    return "/".join("…" if _is_id(part) else part for part in parts)


def _is_id(part: str) -> bool:
    """One in a hundred has no digit, and all are longer than any word."""
    return len(part) > 24 or (len(part) > 3 and any(c.isdigit() for c in part))


def _units(operation: str, body: bytes, content: bytes) -> tuple[float, float]:
    """Read and write units of one answer, or of its tables. Of a batch's reads the emulator reports
    none."""
    answer = json.loads(content)
    consumed = answer.get("ConsumedCapacity") or []
    total = sum(one["CapacityUnits"] for one in _as_list(consumed))
    if operation == "BatchGetItem" and "Responses" in answer and not consumed:
        total = batch_read_units(json.loads(body), answer)
    reads = operation in {"GetItem", "BatchGetItem", "Query", "TransactGetItems"}
    return (total, 0.0) if reads else (0.0, total)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def company() -> Upstream:
    """A server as webhooks call it, which takes them all at once; the path is ``/hook``."""
    taken = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    return Upstream("", heard={"POST /hook": taken}, alone=True)


def spent(calls: list[Call]) -> float:
    """Milliseconds in which at least one of the calls was under way."""
    total, until = 0.0, 0.0
    for call in sorted(calls, key=lambda one: one.began):
        total += max(0.0, call.ended - max(call.began, until))
        until = max(until, call.ended)
    return total * 1000
