"""Starts the stack's processes detached from the terminal, and ends exactly those.

Each leads a process group of its own, in which the emulator's functions are too, so that a group's
end leaves nothing behind. A recorded id is trusted only while the process that has it started when
ours did: ids are used again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from local.settings import LOGS, PROCESSES_FILE, ROOT, LocalStackError, read_json, write_json


def _started(pid: int) -> str:
    """When the process began, as ps says; empty if there is none."""
    output = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    status, _, when = output.partition(" ")
    return "" if status.startswith("Z") else when.strip()


def recorded() -> list[dict[str, object]]:
    return read_json(PROCESSES_FILE) or []


def running() -> list[str]:
    """Names of the recorded processes that are alive."""
    return [str(p["name"]) for p in recorded() if _started(int(str(p["pid"]))) == p["started"]]


def start(name: str, command: list[str], environment: dict[str, str]) -> None:
    """Starts a process; its output goes to .local/logs/<name>.log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    entry = {"name": name, "pid": process.pid, "started": _started(process.pid)}
    write_json(PROCESSES_FILE, [*(p for p in recorded() if p["name"] != name), entry])


def stop(grace: float = 20) -> list[str]:
    """Ends all recorded processes, the last started first. Returns their names."""
    ended = []
    for process in reversed(recorded()):
        pid = int(str(process["pid"]))
        alive = _started(pid) == process["started"]
        if alive:
            ended.append(str(process["name"]))
            # Only the leader: the emulator saves its state while its functions are still there.
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + grace
            while _started(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if alive or _group_is_ours(pid):
                os.killpg(pid, signal.SIGKILL)
                deadline = time.monotonic() + 10
                while _group_is_ours(pid) and time.monotonic() < deadline:
                    time.sleep(0.05)
    PROCESSES_FILE.unlink(missing_ok=True)
    return ended


def _group_is_ours(group: int) -> bool:
    """Whether a group whose leader is gone still has processes of this checkout."""
    output = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,command="], capture_output=True, text=True, check=False
    ).stdout
    lines = [line.split(maxsplit=2) for line in output.splitlines()]
    return any(
        line[0] == str(group) and not line[1].startswith("Z") and str(ROOT) in line[2]
        for line in lines
        if len(line) == 3
    )


def check_port(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalStackError(
                f"port {port} is taken ({error.strerror}); choose another: make run {variable}=…"
            ) from error


def await_port(name: str, port: int, timeout: float = 30) -> None:
    """Waits until the process answers on its port; its log's end is the error if it never does."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if name not in running():
            break
        time.sleep(0.05)
    raise LocalStackError(f"{name} did not start.\n{tail(name)}")


def tail(name: str, lines: int = 25) -> str:
    file: Path = LOGS / f"{name}.log"
    if not file.exists():
        return f"(no log {file})"
    text = file.read_text(errors="replace").strip().splitlines()[-lines:]
    return f"The end of {os.path.relpath(file)}:\n" + "\n".join(f"  | {line}" for line in text)
