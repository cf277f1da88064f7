"""Starting and ending the local stack, as a newcomer does it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.local.stack import Stack, make, ports_environment

MEMBERS = {
    "apiUrl",
    "apiKey",
    "liveApiKey",
    "otherApiKey",
    "organizationId",
    "payUrl",
    "stripeUrl",
    "stripeControlUrl",
    "stripeWebhookUrl",
    "stripeWebhookSecret",
    "mailboxUrl",
    "awsEndpointUrl",
    "tableName",
    "bucketName",
    "eventBusName",
}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"
    make("stop", state=tmp_path / "stack")


def listening(ports: set[int]) -> set[tuple[str, int]]:
    """Addresses that somebody listens on at these ports, of all that the machine has."""
    found = set()
    for table, width in (("tcp", 8), ("tcp6", 32)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, port = local.split(":")
            if state == "0A" and int(port, 16) in ports:
                assert len(address) == width
                found.add((address, int(port, 16)))
    return found


def processes_of(state: Path) -> list[str]:
    """Processes that were started for a stack: its folder is in their arguments or variables."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(state).encode() in told:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's own tables")
def test_run_prints_a_link_that_works_and_stop_leaves_nothing(state: Path) -> None:
    ports = ports_environment()
    started = make("run", state=state, **ports)
    assert started.returncode == 0, started.stdout + started.stderr
    about = json.loads((state / "stack.json").read_text())
    assert set(about) >= MEMBERS
    printed = (about["payUrl"], about["apiUrl"], about["apiKey"], "4242 4242 4242 4242", "curl")
    for part in printed:
        assert part in started.stdout
    link = httpx.get(about["payUrl"], trust_env=False)
    assert link.status_code == 303
    assert link.headers["location"].startswith(about["stripeUrl"])
    # 0100007F is 127.0.0.1 as the kernel writes it.
    numbers = {int(port) for port in ports.values()}
    assert listening(numbers) == {("0100007F", port) for port in numbers}
    assert processes_of(state)
    stopped = make("stop", state=state)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert not (state / "stack.json").exists()
    assert processes_of(state) == []
    assert listening(numbers) == set()


def test_the_printed_curl_line_makes_a_payment(state: Path) -> None:
    started = make("run", state=state, **ports_environment())
    lines = started.stdout.split("Make another:")[1].split("\n\n")[1]
    done = subprocess.run(
        ["sh", "-c", lines], capture_output=True, text=True, check=True, timeout=60
    )
    answer = json.loads(done.stdout)
    assert answer["success"] is True
    assert answer["data"]["status"] == "pending"


def test_a_restart_on_other_ports_issues_invoices_as_before(state: Path) -> None:
    assert make("run", state=state, **ports_environment()).returncode == 0
    assert make("stop", state=state).returncode == 0
    assert make("run", state=state, **ports_environment()).returncode == 0
    with contextlib.closing(Stack.at(state)) as stack:
        payment = stack.create()
        stack.pay_by_form(payment["url"])
        stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


def test_a_taken_port_is_said_in_one_line(state: Path) -> None:
    ports = ports_environment()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports["STRIPE_PORT"])))
        taken.listen()
        refused = make("run", state=state, **ports)
    assert refused.returncode != 0
    told = [line for line in refused.stderr.splitlines() if ports["STRIPE_PORT"] in line]
    assert len(told) == 1
    assert "Traceback" not in refused.stdout + refused.stderr
    assert processes_of(state) == []
