"""Webhooks: signatures, retries, and every kind of trouble that can be asked for."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.harness import Receiver, Server, wait_for


@pytest.fixture
def endpoint(client: stripe.StripeClient, receiver: Receiver) -> stripe.WebhookEndpoint:
    return client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


def make(client: stripe.StripeClient, name: str = "a") -> str:
    return client.v1.customers.create({"name": name}).id


def verified(got: tuple[dict[str, str], bytes], secret: str | None) -> stripe.Event:
    headers, body = got
    event: stripe.Event = stripe.Webhook.construct_event(
        body, headers["Stripe-Signature"], str(secret)
    )
    return event


def test_signed_over_the_raw_bytes(
    client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint, receiver: Receiver
) -> None:
    make(client, "Ωμέγα 請求書")
    receiver.wait("customer.created")
    headers, body = receiver.got[0]
    event = verified((headers, body), endpoint.secret)
    assert event.type == "customer.created"
    assert "Ωμέγα 請求書".encode() in body
    with pytest.raises(stripe.SignatureVerificationError):
        verified((headers, body + b" "), endpoint.secret)
    with pytest.raises(stripe.SignatureVerificationError):
        verified((headers, body), "whsec_other")


def test_the_secret_is_told_once(
    client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint
) -> None:
    assert str(endpoint.secret).startswith("whsec_")
    again = client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert "secret" not in again.to_dict()


def test_only_the_wanted_types_of_ones_own_account_and_mode(
    sandbox: Server, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.updated", "customer.deleted"]}
    )
    make(sandbox.client("sk_test_other_1"))
    make(sandbox.client("sk_live_acme_1"))
    id_ = make(client)
    client.v1.customers.update(id_, {"name": "b"})
    client.v1.customers.delete(id_)
    receiver.wait("customer.deleted")
    wait_for(lambda: sorted(receiver.types()) == ["customer.deleted", "customer.updated"])
    updated = receiver.wait("customer.updated")[0]
    assert updated["data"]["previous_attributes"] == {"name": "a"}


def test_events_carry_the_endpoints_version(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["*"], "api_version": "2020-08-27"}
    )
    make(client)
    assert receiver.wait("customer.created")[0]["api_version"] == "2020-08-27"
    assert client.v1.events.list().data[0].api_version == stripe.api_version


def test_retried_until_2xx_with_growing_waits(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:  # fmt: skip
    receiver.answers = [500, 302, 404]
    make(client)
    receiver.wait("customer.created", 4)
    (delivery,) = wait_for(
        lambda: sandbox.control("GET deliveries", state="succeeded")["deliveries"]
    )
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 404, 200]
    times = [attempt["time"] for attempt in delivery["attempts"]]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits[0] < waits[1] < waits[2]
    assert len({event["id"] for event in receiver.events()}) == 1
    for got in receiver.got:
        verified(got, endpoint.secret)


def test_a_disabled_endpoint_gets_nothing(
    client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint, receiver: Receiver
) -> None:
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    make(client)
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": False})
    second = make(client)
    assert receiver.wait("customer.created")[0]["data"]["object"]["id"] == second


def test_a_hanging_endpoint_blocks_nobody(
    client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint, receiver: Receiver
) -> None:
    slow = Receiver()
    slow.hanging = True
    try:
        client.v1.webhook_endpoints.create({"url": slow.url, "enabled_events": ["*"]})
        started = time.monotonic()
        for _ in range(5):
            make(client)
        receiver.wait("customer.created", 5)
        assert time.monotonic() - started < 3
    finally:
        slow.close()


def test_delivery_success_filters_events(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:  # fmt: skip
    sandbox.control("POST webhooks/drop", {"count": 1})
    lost = make(client)
    make(client)
    receiver.wait("customer.created")
    wait_for(lambda: len(client.v1.events.list({"delivery_success": False}).data) == 1)
    (event,) = client.v1.events.list({"delivery_success": False, "type": "customer.*"}).data
    assert event.pending_webhooks == 1
    assert event.data.object["id"] == lost
    sandbox.control("POST webhooks/resend", {"event": event.id})
    assert not client.v1.events.list({"delivery_success": False}).data
    assert len(client.v1.events.list({"types": ["customer.created", "x.y"]}).data) == 2


@pytest.mark.parametrize("order", ["given", "reverse", "listed"])
def test_held_then_released_in_order(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver, order: str,
) -> None:  # fmt: skip
    sandbox.control("POST webhooks/hold", {"types": ["customer.*"]})
    for name in "abc":
        make(client, name)
    held = sandbox.control("GET webhooks/rules")["held"]
    assert len(held) == 3
    assert not receiver.got
    wanted: Any = [held[1], held[2], held[0]] if order == "listed" else order
    sandbox.control("POST webhooks/release", {"order": wanted})
    names = [event["data"]["object"]["name"] for event in receiver.events()]
    assert "".join(names) == {"given": "abc", "reverse": "cba", "listed": "bca"}[order]
    make(client, "d")
    receiver.wait("customer.created", 4)


def test_duplicated_at_once(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:  # fmt: skip
    sandbox.control("POST webhooks/duplicate", {"copies": 10, "count": 1})
    make(client)
    events = receiver.wait("customer.created", 10)
    assert len({event["id"] for event in events}) == 1
    (event,) = client.v1.events.list().data
    sent = sandbox.control("POST webhooks/resend", {"event": event.id, "copies": 20})
    assert [item["attempts"][0]["status"] for item in sent["deliveries"]] == [200] * 20
    assert len(receiver.got) == 30


def test_delayed(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:  # fmt: skip
    sandbox.control("POST webhooks/delay", {"seconds": 0.4, "count": 1})
    make(client, "late")
    make(client, "early")
    names = [e["data"]["object"]["name"] for e in receiver.wait("customer.created", 2)]
    assert names == ["early", "late"]


@pytest.mark.parametrize("part", ["body", "signature", "timestamp"])
def test_corrupted_once_then_right(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver, part: str,
) -> None:  # fmt: skip
    receiver.answers = [400]
    sandbox.control("POST webhooks/corrupt", {"part": part, "count": 1})
    make(client)
    receiver.wait("customer.created", 2)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver.got[0], endpoint.secret)
    verified(receiver.got[1], endpoint.secret)


def test_a_rolled_secret_signs_beside_the_old_one(
    client: stripe.StripeClient, sandbox: Server, endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:  # fmt: skip
    new = sandbox.control(f"POST webhook_endpoints/{endpoint.id}/roll_secret")["secret"]
    make(client)
    receiver.wait("customer.created")
    verified(receiver.got[0], endpoint.secret)
    verified(receiver.got[0], new)
    new = sandbox.control(f"POST webhook_endpoints/{endpoint.id}/roll_secret",
                          {"expire_old": True})["secret"]  # fmt: skip
    make(client)
    receiver.wait("customer.created", 2)
    verified(receiver.got[1], new)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver.got[1], endpoint.secret)


def test_what_failed_can_be_sent_at_once(tmp_path: Any, receiver: Receiver) -> None:
    server = Server(tmp_path / "state.db", webhook_retry_base=60)
    try:
        client = server.client()
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        receiver.answers = [500]
        make(client)
        receiver.wait("customer.created")
        wait_for(lambda: server.control("GET deliveries")["deliveries"][0]["tries"] == 1)
        server.control("POST webhooks/retry")
        receiver.wait("customer.created", 2)
    finally:
        server.stop()


def test_undelivered_events_survive_a_restart(tmp_path: Any, receiver: Receiver) -> None:
    server = Server(tmp_path / "state.db", webhook_retry_base=0.5)
    client = server.client()
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    receiver.answers = [500]
    make(client)
    receiver.wait("customer.created")
    server.stop()
    server = Server(tmp_path / "state.db", webhook_retry_base=0.5)
    try:
        receiver.wait("customer.created", 2)
    finally:
        server.stop()


def test_given_up_after_the_last_try(tmp_path: Any, receiver: Receiver) -> None:
    server = Server(tmp_path / "state.db", webhook_retry_base=0.01, webhook_max_tries=3)
    try:
        client = server.client()
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        receiver.answers = [500] * 10
        make(client)
        wait_for(lambda: server.control("GET deliveries", state="failed")["deliveries"])
        assert len(receiver.got) == 3
        assert len(client.v1.events.list({"delivery_success": False}).data) == 1
    finally:
        server.stop()


def test_bodies_are_stripes_json(
    client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint, receiver: Receiver
) -> None:
    make(client)
    receiver.wait("customer.created")
    body = receiver.got[0][1]
    assert body == json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode()
    assert receiver.got[0][0]["User-Agent"].startswith("Stripe/1.0")


def test_a_reset_can_keep_endpoints(
    client: stripe.StripeClient,
    sandbox: Server,
    endpoint: stripe.WebhookEndpoint,
    receiver: Receiver,
) -> None:
    make(client, "old")
    receiver.wait("customer.created")
    sandbox.control("POST reset", {"keep_endpoints": True})
    assert not client.v1.customers.list().data
    make(client, "new")
    receiver.wait("customer.created", 2)
    verified(receiver.got[1], endpoint.secret)
    sandbox.control("POST reset")
    assert not client.v1.webhook_endpoints.list().data
