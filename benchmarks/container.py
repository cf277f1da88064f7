"""One function's process as Lambda runs it: AWS's own runtime client, and the API that it asks for
events, which is small enough to be answered by hand, without anything between event and clock.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_SECONDS = 60


class FunctionFailedError(Exception):
    """The process ended or the handler raised; the message has what it printed."""


@dataclass(frozen=True)
class Artifact:
    """Where a function's code and layers are, in the order in which Lambda looks."""

    folder: Path
    layers: tuple[Path, ...]

    @property
    def path(self) -> str:
        return os.pathsep.join(str(part) for part in (self.folder, *self.layers))


@dataclass(frozen=True)
class Answer:
    """What a call returned, and what it took; times in ms."""

    value: Any
    wall: float
    cpu: float


class Container:
    """Starts the process, measures its init, and hands it events one by one."""

    def __init__(self, python: Path, artifact: Artifact, environment: Mapping[str, str]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_START_SECONDS)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the container
        port = self._listener.getsockname()[1]
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [python, "-m", "awslambdaric", "app.lambda_handler"],
            cwd=artifact.folder,
            # Read-only as on AWS: no bytecode is written that the next start would find.
            env={
                **environment,
                "PYTHONPATH": artifact.path,
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_FUNCTION_NAME": artifact.folder.name,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                # What Lambda sets by the template's LoggingConfig.
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_LEVEL": "INFO",
                "LAMBDA_TASK_ROOT": str(artifact.folder),
                "TZ": ":UTC",
            },
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self._connection: socket.socket | None = None
        self._buffer = b""
        self._await_next()
        self.init = (time.perf_counter() - started) * 1000
        self.init_cpu = self._cpu()

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for part in (self._connection, self._listener, self._output):
            if part is not None:
                part.close()

    def call(self, event: Any) -> Answer:
        cpu_before = self._cpu()
        body = json.dumps(event).encode()
        head = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 25) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": (
                "arn:aws:lambda:eu-central-1:123456789012:function:benchmark"
            ),
            # Sent with tracing off, too.
            "Lambda-Runtime-Trace-Id": (
                "Root=1-5fe4cf1b-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"
            ),
            "Content-Type": "application/json",
        }
        started = time.perf_counter()
        self._send("200 OK", head, body)
        path, answer = self._receive()
        wall = (time.perf_counter() - started) * 1000
        if not path.endswith("/response"):
            raise self._failed(f"the handler raised: {answer.decode()}")
        self._send("202 Accepted", {"Content-Type": "application/json"}, b"{}")
        self._await_next()
        return Answer(json.loads(answer), wall, self._cpu() - cpu_before)

    @property
    def logged(self) -> tuple[int, int]:
        """Bytes and lines that the function has written to its log so far."""
        size = os.fstat(self._output.fileno()).st_size
        written = os.pread(self._output.fileno(), size, 0)  # the function goes on where it is
        return size, written.count(b"\n")

    @property
    def peak(self) -> float:
        """The most memory that the process has had so far, in MB, by the kernel."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def _await_next(self) -> None:
        path, body = self._receive()
        if not path.endswith("/invocation/next"):
            raise self._failed(f"{path}: {body.decode()}")

    def _receive(self) -> tuple[str, bytes]:
        """Path and body of the runtime client's next request."""
        while True:
            if self._connection is None:
                self._connection = self._accepted()
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if separator:
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
                length = int(headers.get("content-length", 0))
                if len(rest) >= length:
                    self._buffer = rest[length:]
                    return lines[0].split()[1], rest[:length]
            received = self._connection.recv(65536)
            if not received:  # the client opens another connection when it likes to
                self._connection.close()
                self._connection = None
            self._buffer += received

    def _accepted(self) -> socket.socket:
        deadline = time.monotonic() + _START_SECONDS
        self._listener.settimeout(0.5)
        while time.monotonic() < deadline:
            try:
                connection = self._listener.accept()[0]
            except TimeoutError:
                if self._process.poll() is not None:
                    break
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(_START_SECONDS)
            return connection
        raise self._failed("the process did not ask for an event")

    def _send(self, status: str, headers: Mapping[str, str], body: bytes) -> None:
        assert self._connection is not None  # noqa: S101 - it has just asked
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self._connection.sendall("\r\n".join(lines).encode() + body)

    def _cpu(self) -> float:
        """Milliseconds of processor time so far, all threads together: the kernel's own clock of a
        process, whose number is made of the process's (clock_getcpuclockid(3))."""
        return time.clock_gettime_ns((~self._process.pid << 3) | 2) / 1e6

    def _failed(self, what: str) -> FunctionFailedError:
        self._output.seek(0)
        return FunctionFailedError(f"{what}\n{self._output.read().decode(errors='replace')}")
