"""Whom connections to Stripe believe: those whom the SDK's own bundle of certificates names."""

from __future__ import annotations

from pathlib import Path

import pytest
import stripe

from paylink.adapters.stripe.http_client import PooledClient
from tests.receiver import Receiver, certificate, receiver


def client_of(server: Receiver) -> tuple[PooledClient, str]:
    base = f"https://localhost:{server.url.rpartition(':')[2]}"
    return PooledClient(base, connect_timeout=2, read_timeout=2), base


@pytest.mark.parametrize("named", ["localhost", "elsewhere.example"])
def test_a_certificate_that_is_vouched_for_counts_for_its_name_alone(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = certificate(tmp_path, named)
    monkeypatch.setattr(stripe, "ca_bundle_path", str(bundle))
    with receiver(certificate=bundle) as server:
        client, base = client_of(server)
        if named == "localhost":
            assert client.request("post", base, {}, "a=b")[1] == 200
        else:
            with pytest.raises(stripe.APIConnectionError):
                client.request("post", base, {}, "a=b")


def test_nobody_is_believed_whom_the_bundle_does_not_know(tmp_path: Path) -> None:
    with receiver(certificate=certificate(tmp_path, "localhost")) as server:
        client, base = client_of(server)
        with pytest.raises(stripe.APIConnectionError):
            client.request("post", base, {}, "a=b")
        assert server.got == []


def test_the_bundle_is_read_when_the_client_is_made_and_not_while_somebody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = certificate(tmp_path, "localhost")
    monkeypatch.setattr(stripe, "ca_bundle_path", str(bundle))
    with receiver(certificate=bundle) as server:
        client, base = client_of(server)
        bundle.unlink()
        assert client.request("post", base, {}, "a=b")[1] == 200
