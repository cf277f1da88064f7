"""Paying on the checkout page: what the API and the webhooks say of each outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.harness import Receiver, Server, session_params, wait_for

Make = Callable[..., stripe.checkout.Session]


def hook(client: stripe.StripeClient, receiver: Receiver) -> stripe.WebhookEndpoint:
    return client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


def intent_of(client: stripe.StripeClient, session_id: str) -> stripe.PaymentIntent:
    session = client.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    return session.payment_intent


def test_a_card_pays(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, new_session: Make
) -> None:
    endpoint = hook(client, receiver)
    session = new_session(
        customer_creation="always",
        metadata={"payment_id": "pay_1"},
        payment_intent_data={"setup_future_usage": "off_session", "metadata": {"a": "b"}},
        automatic_tax={"enabled": True},
    )
    assert session.status == "open"
    assert session.payment_status == "unpaid"
    assert session.payment_intent is None
    assert session.automatic_tax.status == "requires_location_inputs"
    assert session.url
    assert session.url.startswith(f"{sandbox.url}/c/pay/{session.id}#")

    answer = sandbox.pay(session.id)
    assert answer.json() == {"url": f"https://shop.example/done?s={session.id}"}

    paid = client.v1.checkout.sessions.retrieve(
        session.id,
        {
            "expand": [
                "payment_intent.latest_charge",
                "payment_intent.payment_method",
                "total_details.breakdown",
                "line_items",
                "customer",
            ]
        },
    )
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert (paid.amount_subtotal, paid.amount_total) == (10000, 11900)
    assert paid.total_details
    assert paid.total_details.breakdown
    tax = paid.total_details.breakdown.taxes[0]
    assert (tax.amount, tax.rate.percentage, tax.taxability_reason) == (1900, 19, "standard_rated")
    intent = paid.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.status, intent.amount_received) == ("succeeded", 11900)
    assert intent.metadata.to_dict() == {"a": "b"}, "session metadata isn't copied"
    charge, method = intent.latest_charge, intent.payment_method
    assert isinstance(charge, stripe.Charge)
    assert isinstance(method, stripe.PaymentMethod)
    assert charge.paid
    assert charge.payment_method == method.id
    assert method.card
    assert (method.card.brand, method.card.last4) == ("visa", "4242")
    assert isinstance(paid.customer, stripe.Customer)
    assert method.customer == paid.customer.id
    assert paid.customer.email == "buyer@example.com"
    assert paid.customer_details
    assert paid.customer_details.address
    assert paid.customer_details.address.country == "DE"

    receiver.wait("checkout.session.completed")
    receiver.wait("charge.updated")
    types = receiver.types()
    assert types.count("payment_intent.succeeded") == 1
    headers, body = receiver.got[0]
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], str(endpoint.secret))
    assert event.livemode is False
    refreshed = client.v1.charges.retrieve(charge.id, {"expand": ["balance_transaction"]})
    assert isinstance(refreshed.balance_transaction, stripe.BalanceTransaction)
    assert refreshed.balance_transaction.amount == 11900


def test_nothing_is_saved_unless_asked(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    session = new_session()
    sandbox.pay(session.id)
    intent = intent_of(client, session.id)
    assert intent.customer is None
    customer = client.v1.customers.create({"email": "a@b.example"})
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(str(intent.payment_method), {"customer": customer.id})


@pytest.mark.parametrize(
    ("card", "code", "decline"),
    [
        ("4000 0000 0000 0002", "card_declined", "generic_decline"),
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("4000 0000 0000 0069", "expired_card", "expired_card"),
        ("4000 0000 0000 0127", "incorrect_cvc", "incorrect_cvc"),
        ("4000 0000 0000 0341", "card_declined", "generic_decline"),
        ("4111 1111 1111 1111", "card_declined", "test_mode_live_card"),
    ],
)
def test_declined_then_paid_in_the_same_session(
    client: stripe.StripeClient,
    sandbox: Server,
    receiver: Receiver,
    new_session: Make,
    card: str,
    code: str,
    decline: str,
) -> None:
    hook(client, receiver)
    session = new_session()
    refused = sandbox.pay(session.id, card=card)
    assert refused.status_code == 402
    assert refused.json()["message"]
    first = intent_of(client, session.id)
    assert first.status == "requires_payment_method"
    assert first.last_payment_error
    assert (first.last_payment_error.code, first.last_payment_error.decline_code) == (code, decline)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    receiver.wait("payment_intent.payment_failed")
    assert "url" in sandbox.pay(session.id).json()
    second = intent_of(client, session.id)
    assert second.id == first.id
    assert second.status == "succeeded"
    charges = client.v1.charges.list({"payment_intent": second.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


def test_three_d_secure_approved_and_refused(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    session = new_session()
    answer = sandbox.pay(session.id, card="4000 0000 0000 3220")
    assert answer.json() == {"url": f"/c/pay/{session.id}/authenticate"}
    assert intent_of(client, session.id).status == "requires_action"
    sandbox.answer_challenge(session.id, "refuse")
    refused = intent_of(client, session.id)
    assert refused.status == "requires_payment_method"
    assert refused.last_payment_error
    assert refused.last_payment_error.code == "payment_intent_authentication_failure"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    sandbox.pay(session.id, card="4000 0000 0000 3220")
    sandbox.answer_challenge(session.id, "approve")
    assert intent_of(client, session.id).status == "succeeded"


@pytest.mark.parametrize(("currency", "kind"), [("eur", "sepa_debit"), ("usd", "us_bank_account")])
@pytest.mark.parametrize("settles", [True, False])
def test_a_bank_debit_is_processing_until_told(
    client: stripe.StripeClient,
    sandbox: Server,
    receiver: Receiver,
    new_session: Make,
    currency: str,
    kind: str,
    settles: bool,
) -> None:
    hook(client, receiver)
    session = new_session(price={"currency": currency})
    sandbox.pay(session.id, method="debit")
    complete = client.v1.checkout.sessions.retrieve(session.id)
    assert (complete.status, complete.payment_status) == ("complete", "unpaid")
    intent = intent_of(client, session.id)
    assert intent.status == "processing"
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert charge.payment_method_details
    assert charge.payment_method_details.type == kind
    receiver.wait("checkout.session.completed")
    word = "settle" if settles else "bounce"
    sandbox.control(f"POST payment_intents/{intent.id}/{word}")
    done = client.v1.checkout.sessions.retrieve(session.id)
    if settles:
        receiver.wait("checkout.session.async_payment_succeeded")
        assert done.payment_status == "paid"
        assert intent_of(client, session.id).status == "succeeded"
    else:
        receiver.wait("checkout.session.async_payment_failed")
        assert (done.status, done.payment_status) == ("complete", "unpaid")
        assert intent_of(client, session.id).status == "requires_payment_method"


def test_ten_clicks_at_once_charge_once(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    session = new_session()
    threads = [threading.Thread(target=sandbox.pay, args=(session.id,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    intent = intent_of(client, session.id)
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 1


def test_the_card_number_is_kept_nowhere(
    client: stripe.StripeClient, sandbox: Server, new_session: Make, tmp_path: Any
) -> None:
    path = tmp_path / "state.db"
    server = Server(path)
    try:
        other = server.client()
        session = other.v1.checkout.sessions.create(session_params())
        server.pay(session.id, card="4000000000000002", cvc="987")
        server.pay(session.id, card="4000000000003220", cvc="987")
        other.v1.payment_methods.create(
            {
                "type": "card",
                "card": {
                    "number": "4242424242424242",
                    "cvc": "987",
                    "exp_month": 12,
                    "exp_year": 2040,
                },
            }
        )
        log = server.http.get("/_control/requests").text
    finally:
        server.stop()
    kept = log.encode() + b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (b"4000000000000002", b"4000000000003220", b"4242424242424242", b'987"'):
        assert secret not in kept
    assert b"sk_test_acme_1" not in kept


def test_same_card_same_fingerprint_within_an_account(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    prints, ids = set(), set()
    for _ in range(2):
        session = new_session()
        sandbox.pay(session.id)
        method = client.v1.payment_methods.retrieve(
            str(intent_of(client, session.id).payment_method)
        )
        assert method.card
        prints.add(method.card.fingerprint)
        ids.add(method.id)
    assert len(prints) == 1
    assert len(ids) == 2
    other = sandbox.client("sk_test_other_1")
    session = other.v1.checkout.sessions.create(session_params())
    sandbox.pay(session.id)
    method = other.v1.payment_methods.retrieve(str(intent_of(other, session.id).payment_method))
    assert method.card
    assert method.card.fingerprint not in prints


def test_a_session_expires_by_itself(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, new_session: Make
) -> None:
    hook(client, receiver)
    session = new_session()
    sandbox.pay(session.id, card="4000000000000002")
    sandbox.control("POST clock", {"advance": 86_401})
    wait_for(lambda: client.v1.checkout.sessions.retrieve(session.id).status == "expired")
    receiver.wait("checkout.session.expired")
    assert intent_of(client, session.id).status == "canceled"
    page = sandbox.http.get(f"/c/pay/{session.id}")
    assert page.status_code == 410
    assert "expired" in page.text
    assert sandbox.pay(session.id).json()["url"] == f"/c/pay/{session.id}"
    with pytest.raises(stripe.InvalidRequestError, match="`expired`"):
        client.v1.checkout.sessions.expire(session.id)
