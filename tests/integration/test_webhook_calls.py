"""Calls of endpoints over real sockets: ended in time, and only to addresses that were checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from paylink.adapters.webhook_http import HttpWebhooks
from paylink.domain.webhook import Attempt
from paylink.domain.webhook_target import TargetRefusedError
from tests.receiver import Answer, certificate, receiver

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def send(sender: HttpWebhooks, url: str) -> Attempt:
    return sender.send(url, {"x-commet-event": "x"}, b"{}", NOW)


def resolving(*answers: Sequence[str]) -> HttpWebhooks:
    """A sender for which any name has these addresses, one answer after the other."""
    calls = count()
    return HttpWebhooks(
        local=False, resolve=lambda _host, _port: answers[min(next(calls), len(answers) - 1)]
    )


def test_what_was_answered_is_its_status_only() -> None:
    with receiver(lambda _path, _before: Answer(201)) as company:
        attempt = send(HttpWebhooks(local=True), f"{company.url}/a?b=c")
        assert (attempt.status_code, attempt.error, attempt.at) == (201, None, NOW)
        (got,) = company.got
        assert (got.path, got.body) == ("/a?b=c", b"{}")
        assert got.headers["host"] == company.url.removeprefix("http://")


@pytest.mark.parametrize("drip", [False, True])
def test_o1_a_call_ends_when_its_time_is_over_whatever_trickles_in(drip: bool) -> None:
    pause = 0.05 if drip else 3
    with receiver(lambda _path, _before: Answer(pause=pause, drip=drip)) as company:
        attempt = send(HttpWebhooks(local=True, seconds=0.5), company.url)
        assert (attempt.status_code, attempt.error) == (None, "timeout")


def test_nobody_there_is_an_attempt_without_a_response() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        attempt = send(HttpWebhooks(local=True), f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert (attempt.status_code, attempt.error) == (None, "connection_failed")


def test_a_peer_without_tls_is_told_so() -> None:
    with receiver() as company:
        url = company.url.replace("http:", "https:")
        attempt = send(HttpWebhooks(local=True), url)
        assert (attempt.status_code, attempt.error) == (None, "tls_failed")
        assert company.got == []


@pytest.mark.parametrize(
    ("host", "named", "expected"),
    [
        ("localhost", "localhost", (200, None)),
        ("localhost", "elsewhere.example", (None, "tls_failed")),
        ("127.0.0.1", "elsewhere.example", (None, "tls_failed")),
    ],
)
def test_a_certificate_counts_only_for_the_name_it_was_made_for(
    tmp_path: Path, host: str, named: str, expected: tuple[int | None, str | None]
) -> None:
    file = certificate(tmp_path, named)
    with receiver(certificate=file) as company:
        port = company.url.rpartition(":")[2]
        trusting = HttpWebhooks(
            local=True,
            resolve=lambda _host, _port: ["127.0.0.1"],
            tls=lambda: ssl.create_default_context(cafile=str(file)),
        )
        attempt = send(trusting, f"https://{host}:{port}/")
        assert (attempt.status_code, attempt.error) == expected
        assert len(company.got) == (1 if expected[0] else 0)


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.5"],
        ["8.8.8.8", "10.0.0.5"],
        ["::ffff:127.0.0.1"],
        ["fd00:ec2::254"],
        ["fe80::1%lo"],
    ],
)
def test_x3_a_name_with_a_single_internal_address_is_refused(addresses: list[str]) -> None:
    sender = resolving(addresses)
    with pytest.raises(TargetRefusedError):
        sender.check("https://hooks.example.com/")
    attempt = send(sender, "https://hooks.example.com/")
    assert (attempt.status_code, attempt.error) == (None, "address_refused")


def test_x3_a_name_that_leads_inside_later_is_refused_then() -> None:
    sender = resolving(["8.8.8.8"], ["127.0.0.1"])
    sender.check("https://hooks.example.com/")
    assert send(sender, "https://hooks.example.com/").error == "address_refused"


def test_x3_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is asked for once: what it is a moment later makes no difference."""
    with receiver() as company:
        port = company.url.rsplit(":", 1)[1]
        asked: list[str] = []

        def resolve(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        sender = HttpWebhooks(local=True, resolve=resolve)
        attempt = send(sender, f"http://hooks.example.com:{port}/")
        assert attempt.status_code == 200
        assert asked == ["hooks.example.com"]
        assert company.got[0].headers["host"] == f"hooks.example.com:{port}"


def test_an_address_that_nobody_listens_at_leaves_the_next_one_to_try() -> None:
    with receiver() as company:
        port = company.url.rsplit(":", 1)[1]
        sender = HttpWebhooks(local=True, resolve=lambda _host, _port: ["::1", "127.0.0.1"])
        assert send(sender, f"http://hooks.example.com:{port}/").status_code == 200


def test_a_name_may_be_registered_before_it_exists() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    sender = HttpWebhooks(local=False, resolve=unknown)
    sender.check("https://hooks.example.com/")
    assert send(sender, "https://hooks.example.com/").error == "name_not_resolved"
