"""Charging saved cards, refunds, disputes and tax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.harness import Receiver, Server

Make = Callable[..., stripe.checkout.Session]


@pytest.fixture
def saved(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> Callable[..., tuple[str, str]]:
    """Pays on the checkout page and keeps the card: (customer, payment method)."""

    def save(card: str = "4242424242424242") -> tuple[str, str]:
        customer = client.v1.customers.create({"email": "a@b.example"})
        session = new_session(
            customer=customer.id, payment_intent_data={"setup_future_usage": "off_session"}
        )
        sandbox.pay(session.id, card=card)
        sandbox.answer_challenge(session.id, "approve")
        (method,) = client.v1.customers.payment_methods.list(customer.id).data
        return customer.id, method.id

    return save


def charge(
    client: stripe.StripeClient, customer: str, method: str, **changes: Any
) -> stripe.PaymentIntent:
    params: Any = {
        "amount": 5000,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
        "metadata": {"payment_id": "pay_2"},
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        **changes,
    }
    return client.v1.payment_intents.create(params)


def test_a_saved_card_is_charged_off_session(
    client: stripe.StripeClient, saved: Callable[..., tuple[str, str]]
) -> None:
    customer, method = saved()
    intent = charge(client, customer, method)
    assert (intent.status, intent.amount_received) == ("succeeded", 5000)
    (made,) = client.v1.charges.list({"payment_intent": intent.id}).data
    assert made.metadata.to_dict() == {"payment_id": "pay_2"}
    assert client.v1.payment_intents.list({"customer": customer}).data[0].id == intent.id


def test_authentication_required_is_402(
    client: stripe.StripeClient, saved: Callable[..., tuple[str, str]]
) -> None:
    customer, method = saved("4000002760003184")
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer, method)
    error = caught.value
    assert (error.http_status, error.code) == (402, "authentication_required")
    assert error.error
    assert error.error.payment_intent
    left = client.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert left.status == "requires_payment_method"
    assert left.last_payment_error
    assert left.last_payment_error.code == "authentication_required"
    canceled = client.v1.payment_intents.cancel(left.id, {"cancellation_reason": "abandoned"})
    assert canceled.status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        client.v1.payment_intents.cancel(left.id)


def test_a_card_saved_by_the_api_fails_when_charged(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_chargeCustomerFail",
                                              {"customer": customer.id})  # fmt: skip
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer.id, method.id)
    assert caught.value.code == "card_declined"
    assert caught.value.error
    assert caught.value.error.decline_code == "generic_decline"


def test_a_decline_can_be_asked_for(
    client: stripe.StripeClient, sandbox: Server, saved: Callable[..., tuple[str, str]]
) -> None:
    customer, method = saved()
    sandbox.control(f"POST payment_methods/{method}", {"off_session": "insufficient_funds"})
    with pytest.raises(stripe.CardError):
        charge(client, customer, method)
    sandbox.control(f"POST payment_methods/{method}", {"off_session": "ok"})
    assert charge(client, customer, method).status == "succeeded"


def test_a_declined_charge_is_replayed_by_its_key(
    client: stripe.StripeClient, sandbox: Server, saved: Callable[..., tuple[str, str]]
) -> None:
    customer, method = saved()
    sandbox.control(f"POST payment_methods/{method}", {"off_session": "generic_decline"})
    before = len(client.v1.payment_intents.list({"customer": customer}).data)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.create(
                {"amount": 5000, "currency": "eur", "customer": customer, "confirm": True,
                 "payment_method": method, "off_session": True,
                 "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}},
                {"idempotency_key": "charge-1"},
            )  # fmt: skip
    assert len(client.v1.payment_intents.list({"customer": customer}).data) == before + 1


def test_rules_of_charging(
    client: stripe.StripeClient, saved: Callable[..., tuple[str, str]]
) -> None:
    customer, method = saved()
    other = client.v1.customers.create().id
    cases: list[tuple[dict[str, Any], str]] = [
        ({"customer": other}, "different Customer"),
        ({"confirm": False}, "off_session"),
        ({"automatic_payment_methods": {"enabled": True}}, "return_url"),
        ({"method": "pm_none"}, "No such PaymentMethod"),
        ({"currency": "xyz"}, "Invalid currency"),
        ({"amount": 1}, "at least"),
        ({"payment_method_types": ["card"]}, "unknown parameter"),
        ({"hooks": {"inputs": {"tax": {"calculation": "taxcalc_none"}}}}, "No such tax"),
    ]
    for changes, message in cases:
        with pytest.raises(stripe.InvalidRequestError, match=message):
            charge(client, **{"customer": customer, "method": method, **changes})
    client.v1.payment_methods.detach(method)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        charge(client, customer, method)
    assert not client.v1.customers.payment_methods.list(customer).data


@pytest.fixture
def paid(client: stripe.StripeClient, sandbox: Server, new_session: Make) -> str:
    session = new_session()
    sandbox.pay(session.id)
    return str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)


def test_refunds_add_up_to_the_charge(
    client: stripe.StripeClient, receiver: Receiver, paid: str
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    refund = client.v1.refunds.create({"payment_intent": paid, "amount": 300})
    assert (refund.status, refund.payment_intent) == ("succeeded", paid)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": paid, "amount": 9701})
    client.v1.refunds.create({"payment_intent": paid})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid})
    assert caught.value.code == "charge_already_refunded"
    events = receiver.wait("charge.refunded", 2)
    assert {e["data"]["object"]["amount_refunded"] for e in events} == {300, 10000}
    assert "refunds" not in events[0]["data"]["object"]
    (one,) = client.v1.charges.list({"payment_intent": paid}).data
    assert one.refunded is True
    assert one.amount_refunded == 10000
    assert [r.amount for r in client.v1.refunds.list({"payment_intent": paid}).data] == [9700, 300]
    full = client.v1.charges.retrieve(one.id, {"expand": ["refunds"]})
    assert full.refunds
    assert len(full.refunds.data) == 2


def test_a_refund_can_be_pending_then_fail(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, paid: str
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    sandbox.control("POST accounts/acct_acme", {"refund_status": "pending"})
    refund = client.v1.refunds.create({"payment_intent": paid})
    assert refund.status == "pending"
    sandbox.control(f"POST refunds/{refund.id}/fail", {"reason": "expired_or_canceled_card"})
    failed = receiver.wait("refund.failed")[0]["data"]["object"]
    assert (failed["status"], failed["failure_reason"]) == ("failed", "expired_or_canceled_card")
    (one,) = client.v1.charges.list({"payment_intent": paid}).data
    assert (one.amount_refunded, one.refunded) == (0, False)
    second = client.v1.refunds.create({"payment_intent": paid})
    sandbox.control(f"POST refunds/{second.id}/succeed")
    receiver.wait("refund.updated", 2)
    assert client.v1.refunds.retrieve(second.id).status == "succeeded"


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_disputes(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, paid: str, outcome: str
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    dispute = sandbox.control("POST disputes", {"payment_intent": paid, "reason": "fraudulent"})
    receiver.wait("charge.dispute.created")
    assert client.v1.disputes.retrieve(dispute["id"]).status == "needs_response"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid})
    assert caught.value.code == "charge_disputed"
    sandbox.control(f"POST disputes/{dispute['id']}/close", {"outcome": outcome})
    closed = receiver.wait("charge.dispute.closed")[0]["data"]["object"]
    assert (closed["status"], closed["payment_intent"]) == (outcome, paid)
    if outcome == "won":
        receiver.wait("charge.dispute.funds_reinstated")


def test_an_inquiry_takes_no_money_until_it_is_escalated(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, paid: str
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    asked = sandbox.control("POST disputes", {"payment_intent": paid, "inquiry": True})
    dispute = client.v1.disputes.retrieve(asked["id"])
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert dispute.is_charge_refundable
    client.v1.refunds.create({"payment_intent": paid, "amount": 100})
    assert "charge.dispute.funds_withdrawn" not in receiver.types()
    client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "It was sent."}})
    assert client.v1.disputes.retrieve(dispute.id).status == "warning_under_review"
    sandbox.control(f"POST disputes/{dispute.id}/escalate")
    receiver.wait("charge.dispute.funds_withdrawn")
    (listed,) = client.v1.disputes.list({"payment_intent": paid}).data
    assert (listed.status, listed.is_charge_refundable) == ("needs_response", False)
    assert client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.v1.refunds.create({"payment_intent": paid})


def test_an_inquiry_that_is_closed_is_over(
    client: stripe.StripeClient, sandbox: Server, paid: str
) -> None:
    asked = sandbox.control("POST disputes", {"payment_intent": paid, "inquiry": True})
    assert client.v1.disputes.close(asked["id"]).status == "warning_closed"
    with pytest.raises(stripe.InvalidRequestError, match="closed"):
        client.v1.disputes.close(asked["id"])


@pytest.mark.parametrize(
    ("card", "status", "reason"),
    [
        ("4000000000000259", "needs_response", "fraudulent"),
        ("4000000000002685", "needs_response", "product_not_received"),
        ("4000000000001976", "warning_needs_response", "fraudulent"),
    ],
)
def test_some_cards_are_disputed_after_they_paid(
    client: stripe.StripeClient,
    sandbox: Server,
    new_session: Make,
    card: str,
    status: str,
    reason: str,
) -> None:
    session = new_session()
    sandbox.pay(session.id, card=card)
    sandbox.control("POST clock", {"advance": 5})
    intent = str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent}).data
    assert (dispute.status, dispute.reason) == (status, reason)


def test_a_balance_transaction_may_come_late(
    client: stripe.StripeClient, sandbox: Server, receiver: Receiver, new_session: Make
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    sandbox.control("POST accounts/acct_acme", {"balance_delay": -1})
    session = new_session()
    sandbox.pay(session.id)
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    (one,) = client.v1.charges.list({"payment_intent": str(intent)}).data
    assert one.balance_transaction is None
    sandbox.control(f"POST charges/{one.id}/post_balance")
    receiver.wait("charge.updated")
    assert client.v1.charges.retrieve(one.id).balance_transaction


# -- tax


def calculate(client: stripe.StripeClient, **changes: Any) -> stripe.tax.Calculation:
    params: Any = {
        "currency": changes.pop("currency", "eur"),
        "customer_details": {
            "address": changes.pop("address", {"country": "DE"}),
            "address_source": "billing",
            "tax_ids": changes.pop("tax_ids", []),
        },
        "line_items": [{"amount": changes.pop("amount", 1000), "reference": "one", **changes}],
        "expand": ["line_items.data.tax_breakdown"],
    }
    return client.v1.tax.calculations.create(params)


@pytest.mark.parametrize(
    ("address", "amount", "behavior", "currency", "tax", "total"),
    [
        ({"country": "DE"}, 350, "exclusive", "eur", 67, 417),
        ({"country": "AE"}, 1050, "exclusive", "aed", 0, 1050),
        ({"country": "NL"}, 1200, "inclusive", "eur", 208, 1200),
        ({"country": "JP"}, 1000, "inclusive", "jpy", 91, 1000),
        ({"country": "US", "postal_code": "94102"}, 10000, "exclusive", "usd", 863, 10863),
        ({"country": "US", "postal_code": "97201"}, 10000, "exclusive", "usd", 0, 10000),
        ({"country": "CA", "postal_code": "H2X 1Y4"}, 10000, "exclusive", "cad", 1498, 11498),
        ({"country": "CH"}, 10000, "exclusive", "chf", 0, 10000),
    ],
)
def test_tax(
    client: stripe.StripeClient, address: dict[str, str], amount: int, behavior: str,
    currency: str, tax: int, total: int,
) -> None:  # fmt: skip
    made = calculate(client, address=address, amount=amount, tax_behavior=behavior,
                     currency=currency)  # fmt: skip
    assert made.tax_amount_exclusive + made.tax_amount_inclusive == tax
    assert made.amount_total == total
    if tax == 0:
        assert made.tax_breakdown[0].taxability_reason == "not_collecting"
    assert made.line_items
    assert made.line_items.data[0].amount_tax == tax
    assert made.line_items.data[0].tax_breakdown


@pytest.mark.parametrize(
    ("country", "tax_id", "reason", "tax"),
    [
        ("FR", "FR12345678901", "reverse_charge", 0),
        ("DE", "DE123456789", "standard_rated", 190),
        ("FR", None, "standard_rated", 200),
        ("FR", "DE123456789", "standard_rated", 200),
    ],
)
def test_reverse_charge_between_businesses_across_borders(
    client: stripe.StripeClient, sandbox: Server, country: str, tax_id: str | None, reason: str,
    tax: int,
) -> None:  # fmt: skip
    sandbox.control(
        "POST accounts/acct_acme",
        {"tax_settings": {"head_office": {"country": "DE"}}, "country": "DE"},
    )
    ids = [{"type": "eu_vat", "value": tax_id}] if tax_id else []
    made = calculate(client, address={"country": country}, tax_ids=ids)
    assert made.tax_breakdown[0].taxability_reason == reason
    assert made.tax_amount_exclusive == tax


def test_tax_needs_a_place_and_active_settings(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        calculate(client, address={"country": "US"})
    assert caught.value.code == "customer_tax_location_invalid"
    sandbox.control("POST accounts/acct_acme", {"tax_settings": {"status": "pending"}})
    assert client.v1.tax.settings.retrieve().status == "pending"
    with pytest.raises(stripe.InvalidRequestError, match="head office address"):
        new_session(automatic_tax={"enabled": True})
    with pytest.raises(stripe.InvalidRequestError, match="not active"):
        calculate(client)


def test_three_decimal_totals_end_in_zero(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    sandbox.control("POST accounts/acct_acme", {"tax_registrations": ["BH"]})
    session = new_session(price={"currency": "bhd", "unit_amount": 18650},
                          automatic_tax={"enabled": True})  # fmt: skip
    sandbox.pay(session.id, country="BH")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.amount_total == 20520
    (registration,) = client.v1.tax.registrations.list({}).data
    assert registration.country == "BH"


def test_static_tax_rates(client: stripe.StripeClient, sandbox: Server) -> None:
    rate = client.v1.tax_rates.create(
        {"display_name": "VAT", "percentage": 19, "inclusive": False, "country": "DE"}
    )
    item: Any = {"price_data": {"currency": "eur", "unit_amount": 350,
                                "product_data": {"name": "x"}},
                 "quantity": 1, "tax_rates": [rate.id]}  # fmt: skip
    session = client.v1.checkout.sessions.create(
        {"mode": "payment", "success_url": "https://a.example", "line_items": [item],
         "expand": ["total_details.breakdown"]}
    )  # fmt: skip
    assert session.amount_total == 417
    assert session.total_details
    assert session.total_details.breakdown
    assert session.total_details.breakdown.taxes[0].rate.id == rate.id
    with pytest.raises(stripe.InvalidRequestError, match="tax_rates"):
        client.v1.checkout.sessions.create(
            {"mode": "payment", "success_url": "https://a.example", "line_items": [item],
             "automatic_tax": {"enabled": True}}
        )  # fmt: skip


def test_a_vat_id_typed_at_checkout(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    customer = client.v1.customers.create({"email": "a@b.example"}).id
    session = new_session(
        customer=customer, automatic_tax={"enabled": True}, tax_id_collection={"enabled": True},
        customer_update={"address": "auto", "name": "auto"},
    )  # fmt: skip
    price = sandbox.http.post(f"/c/pay/{session.id}/price",
                              data={"country": "FR", "vat": "FR12345678901"}).json()  # fmt: skip
    assert price["total"] == "€100.00"
    assert price["tax_label"] == "VAT (reverse charge)"
    sandbox.pay(session.id, country="FR", postal="75001", vat="FR12345678901")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.amount_total == 10000
    assert done.customer_details
    assert done.customer_details.tax_ids
    assert done.customer_details.tax_ids[0].value == "FR12345678901"
    known = client.v1.customers.retrieve(customer, {"expand": ["tax_ids"]})
    assert known.tax_ids
    assert known.tax_ids.data[0].value == "FR12345678901"
    assert known.address
    assert known.address.country == "FR"


@pytest.mark.parametrize("approve", [True, False])
def test_three_d_secure_of_an_intent_made_by_the_api(
    client: stripe.StripeClient, sandbox: Server, approve: bool
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "eur",
            "payment_method": "pm_card_threeDSecure2Required",
            "confirm": True,
            "return_url": "https://shop.example/back",
        }
    )
    assert intent.status == "requires_action"
    assert intent.next_action
    assert intent.next_action.type == "redirect_to_url"
    sandbox.control(f"POST payment_intents/{intent.id}/authenticate", {"approve": approve})
    wanted = "succeeded" if approve else "requires_payment_method"
    assert client.v1.payment_intents.retrieve(intent.id).status == wanted
