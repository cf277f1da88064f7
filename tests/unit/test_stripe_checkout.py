"""Between a payment and Stripe's Checkout: what is asked for, and what the answer means."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from paylink.adapters.stripe.checkout import checkout_state, session_parameters
from paylink.adapters.stripe.failures import is_tax_inactive, tax_refusal, translated_failures
from paylink.domain.errors import ProviderRejectedError, ProviderUnavailableError
from paylink.domain.organization import Address
from paylink.domain.payment import CheckoutState, LineItem, observe
from paylink.domain.tax import Place, SettledTax, TaxLine, untaxed
from tests.unit.fakes import START
from tests.unit.test_payment import in_status
from tests.unit.world import World, a_payment

CARD_DETAILS = {
    "type": "card",
    "card": {
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "fp_4242",
        "funding": "credit",
    },
}
DEBIT_DETAILS = {
    "type": "sepa_debit",
    "sepa_debit": {"last4": "3000", "fingerprint": "fp_debit", "bank_code": "37040044"},
}
CHARGED_AT = int(datetime(2026, 11, 25, 12, 1, tzinfo=UTC).timestamp())


def charge(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "created": CHARGED_AT,
        "paid": True,
        "status": "succeeded",
        "failure_code": None,
        "failure_message": None,
        "payment_method": "pm_1",
        "payment_method_details": CARD_DETAILS,
    } | changes


def declined(charge_id: str = "ch_1") -> dict[str, Any]:
    return charge(
        id=charge_id,
        paid=False,
        status="failed",
        failure_code="card_declined",
        failure_message="Your card was declined.",
    )


def error(**changes: Any) -> dict[str, Any]:
    method = {"id": "pm_1", "object": "payment_method"} | CARD_DETAILS
    return {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "generic_decline",
        "charge": "ch_1",
        "message": "Your card was declined.",
        "payment_method": method,
    } | changes


def intent(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "setup_future_usage": "off_session",
        "last_payment_error": None,
        "latest_charge": charge(),
    } | changes


TAX = {
    "amount": 190,
    "taxable_amount": 1000,
    "taxability_reason": "standard_rated",
    "rate": {
        "id": "txr_1",
        "object": "tax_rate",
        "display_name": "VAT",
        "percentage": 19.0,
        "effective_percentage": 19.0,
    },
}


def session(**changes: Any) -> Any:
    values = {
        "id": "cs_1",
        "object": "checkout.session",
        "status": "complete",
        "payment_status": "paid",
        "currency": "eur",
        "amount_subtotal": 1000,
        "amount_total": 1190,
        "customer": "cus_stripe",
        "automatic_tax": {"enabled": True, "status": "complete"},
        "total_details": {"amount_tax": 190, "breakdown": {"discounts": [], "taxes": [TAX]}},
        "payment_intent": intent(),
        "customer_details": {
            "email": "buyer@example.com",
            "name": "Bea Buyer",
            "address": {
                "line1": "Rue 1",
                "line2": None,
                "city": "Lyon",
                "state": None,
                "postal_code": "69001",
                "country": "FR",
            },
            "tax_ids": [{"type": "eu_vat", "value": "FR123"}],
        },
    } | changes
    return stripe.checkout.Session.construct_from(deepcopy(values), "sk_test")


def state(**changes: Any) -> CheckoutState:
    return checkout_state(session(**changes))


def test_a_paid_session_has_money_tax_buyer_and_card() -> None:
    seen = state()
    assert (seen.session_id, seen.session_status, seen.outcome) == ("cs_1", "complete", "paid")
    assert (seen.currency, seen.amount_subtotal, seen.tax_amount) == ("eur", 1000, 190)
    assert seen.tax_status == "final"
    assert seen.tax_lines == (TaxLine("VAT", "19", 1000, 190, "standard_rated"),)
    assert (seen.payment_intent_id, seen.provider_customer_id) == ("pi_1", "cus_stripe")
    assert seen.paid_at == datetime.fromtimestamp(CHARGED_AT, UTC)
    assert seen.buyer.email == "buyer@example.com"
    assert seen.buyer.address == Address("Rue 1", None, "Lyon", None, "69001", "FR")
    assert seen.buyer.tax_ids == ("FR123",)
    assert seen.attempt is not None
    assert (seen.attempt.id, seen.attempt.charge_id) == ("ch_1", "ch_1")
    method = seen.attempt.payment_method
    assert method is not None
    assert (method.key, method.provider_id, method.brand) == ("fp_4242", "pm_1", "visa")
    assert (method.last4, method.exp_month, method.exp_year) == ("4242", 12, 2034)
    assert method.reusable


OPEN = {"status": "open", "payment_status": "unpaid"}
COMPLETE = {"status": "complete", "payment_status": "unpaid"}
EXPIRED = {"status": "expired", "payment_status": "unpaid"}


@pytest.mark.parametrize(
    ("around", "payment_intent", "outcome"),
    [
        (OPEN, None, "unpaid"),
        (EXPIRED, None, "unpaid"),
        (OPEN, intent("requires_payment_method", latest_charge=None), "unpaid"),
        (OPEN, intent("requires_confirmation", latest_charge=None), "unpaid"),
        (OPEN, intent("requires_capture"), "unpaid"),
        (OPEN, intent("something_new"), "unpaid"),
        (OPEN, intent("requires_action", latest_charge=None), "requires_action"),
        (
            OPEN,
            intent("requires_payment_method", latest_charge=declined(), last_payment_error=error()),
            "failed",
        ),
        (
            EXPIRED,
            intent("canceled", latest_charge=declined(), last_payment_error=error()),
            "failed",
        ),
        (EXPIRED, intent("canceled", latest_charge=None), "unpaid"),
        (COMPLETE, intent("processing", latest_charge=charge(paid=False)), "processing"),
        (COMPLETE, intent("succeeded"), "paid"),
        (EXPIRED, intent("succeeded"), "paid"),
        (OPEN, intent("succeeded"), "paid"),
        ({"status": "complete", "payment_status": "paid"}, intent("processing"), "paid"),
    ],
)
def test_the_outcome_is_where_the_money_is(
    around: dict[str, Any], payment_intent: dict[str, Any] | None, outcome: str
) -> None:
    seen = state(**around, payment_intent=payment_intent)
    assert seen.outcome == outcome
    assert seen.session_status == around["status"]


def test_a_declined_card_tells_the_charges_reason() -> None:
    seen = state(
        **OPEN,
        payment_intent=intent(
            "requires_payment_method", latest_charge=declined(), last_payment_error=error()
        ),
    )
    assert seen.attempt is not None
    assert seen.attempt.id == "ch_1"
    assert seen.attempt.failure_code == "card_declined"
    assert seen.attempt.failure_message == "Your card was declined."
    assert seen.paid_at is None


def refused_3ds(method_id: str = "pm_2") -> dict[str, Any]:
    method = {"id": method_id, "object": "payment_method"} | CARD_DETAILS
    return error(
        code="payment_intent_authentication_failure",
        charge=None,
        message="We are unable to authenticate your payment method.",
        payment_method=method,
    )


@pytest.mark.parametrize("latest", [None, declined()])
def test_a_refused_3ds_step_is_an_attempt_of_its_own(latest: dict[str, Any] | None) -> None:
    def attempt_with(method_id: str) -> Any:
        seen = state(
            **OPEN,
            payment_intent=intent(
                "requires_payment_method",
                latest_charge=latest,
                last_payment_error=refused_3ds(method_id),
            ),
        )
        assert seen.outcome == "failed"
        return seen.attempt

    first, second = attempt_with("pm_2"), attempt_with("pm_3")
    assert first.failure_code == "payment_intent_authentication_failure"
    assert first.charge_id is None
    assert len({first.id, second.id, "ch_1"}) == 3
    assert first.payment_method.provider_id == "pm_2"


def test_a_debit_is_one_attempt_from_processing_to_its_end() -> None:
    pending = charge(id="py_1", paid=False, status="pending", payment_method_details=DEBIT_DETAILS)
    bounced = pending | {
        "status": "failed",
        "failure_code": "debit_not_authorized",
        "failure_message": "It bounced.",
    }
    processing = state(**COMPLETE, payment_intent=intent("processing", latest_charge=pending))
    failed = state(
        **COMPLETE,
        payment_intent=intent(
            "requires_payment_method",
            latest_charge=bounced,
            last_payment_error=error(code="debit_not_authorized", charge="py_1"),
        ),
    )
    assert processing.attempt is not None
    assert failed.attempt is not None
    assert processing.attempt.id == failed.attempt.id == "py_1"
    assert processing.attempt.failure_code is None
    assert failed.attempt.failure_code == "debit_not_authorized"
    assert processing.attempt.payment_method is not None
    assert processing.attempt.payment_method.last4 == "3000"
    change = observe(in_status("pending"), processing, START, "evt_1")
    assert change is not None
    bounce = observe(change.after, failed, START, "evt_2")
    assert bounce is not None
    assert (bounce.after.status, bounce.after.failure_code) == ("failed", "debit_not_authorized")


@pytest.mark.parametrize(
    ("automatic_tax", "taxes", "status"),
    [
        ({"enabled": True, "status": "complete"}, [TAX], "final"),
        ({"enabled": True, "status": "complete"}, [], "final"),
        ({"enabled": True, "status": "requires_location_inputs"}, [], "pending"),
        ({"enabled": True, "status": "failed"}, [], "pending"),
        ({"enabled": True, "status": None}, [], "pending"),
        ({"enabled": False, "status": None}, [], "pending"),
        (
            {"enabled": True, "status": "complete"},
            [TAX | {"amount": 0, "taxability_reason": "not_collecting"}],
            "not_collecting",
        ),
        (
            {"enabled": True, "status": "complete"},
            [TAX, TAX | {"taxability_reason": "not_collecting"}],
            "final",
        ),
        (
            {"enabled": True, "status": "complete"},
            [TAX | {"amount": 0, "taxability_reason": "reverse_charge"}],
            "final",
        ),
    ],
)
def test_a_tax_is_final_only_once_it_was_calculated(
    automatic_tax: dict[str, Any], taxes: list[Any], status: str
) -> None:
    details = {"amount_tax": 0, "breakdown": {"taxes": taxes}}
    assert state(automatic_tax=automatic_tax, total_details=details).tax_status == status


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        ({"percentage": 19.0, "effective_percentage": 19.0}, "19"),
        ({"percentage": 8.875, "effective_percentage": None}, "8.875"),
        ({"percentage": 20.0, "effective_percentage": 5.5}, "5.5"),
        ({"percentage": 20.0, "effective_percentage": 0.0}, "0"),
    ],
)
def test_the_effective_rate_is_shown_where_there_is_one(rate: dict[str, Any], shown: str) -> None:
    taxes = [TAX | {"rate": {"id": "txr_1", "display_name": "VAT"} | rate}]
    seen = state(total_details={"amount_tax": 1, "breakdown": {"taxes": taxes}})
    assert seen.tax_lines[0].percentage == shown


@pytest.mark.parametrize(
    "changes",
    [
        {"total_details": None},
        {"total_details": {"amount_tax": 0, "breakdown": None}},
        {"customer_details": None},
        {"customer": None},
        {"customer": {"id": "cus_stripe", "object": "customer"}},
        {"payment_intent": None, "status": "open", "payment_status": "unpaid"},
        {"status": None},
        {"amount_subtotal": None, "amount_total": None, "currency": None},
        {"payment_intent": intent(latest_charge=None)},
        {"payment_intent": intent(setup_future_usage=None)},
        {"payment_intent": intent(latest_charge=charge(payment_method=None))},
        {"payment_intent": intent(latest_charge=charge(payment_method_details=None))},
        {"payment_intent": intent(latest_charge=charge(payment_method_details={"type": "link"}))},
        {
            "payment_intent": intent(
                "requires_payment_method", latest_charge=None, last_payment_error=error()
            )
        },
        {
            "payment_intent": intent(
                "requires_payment_method",
                latest_charge=None,
                last_payment_error=error(payment_method=None, charge=None),
            )
        },
    ],
)
def test_what_may_be_missing_may_be_missing(changes: dict[str, Any]) -> None:
    seen, fields = state(**changes), session(**changes)
    assert seen.amount_subtotal + seen.tax_amount == (fields.amount_total or 0)


def test_a_session_of_nothing_matches_no_payment() -> None:
    empty = state(amount_subtotal=None, amount_total=None, currency=None)
    assert (empty.currency, empty.amount_subtotal) == ("", 0)


def test_a_card_that_may_not_be_charged_again_says_so() -> None:
    seen = state(payment_intent=intent(setup_future_usage=None))
    assert seen.attempt is not None
    assert seen.attempt.payment_method is not None
    assert not seen.attempt.payment_method.reusable


def test_a_session_that_was_not_expanded_is_our_own_mistake() -> None:
    with pytest.raises(TypeError):
        state(payment_intent="pi_1")
    with pytest.raises(TypeError):
        state(payment_intent=intent(latest_charge="ch_1"))


@given(subtotal=st.integers(1, 10**9), tax=st.integers(0, 10**8))
def test_subtotal_and_tax_are_the_total_that_stripe_took(subtotal: int, tax: int) -> None:
    seen = state(amount_subtotal=subtotal, amount_total=subtotal + tax)
    assert (seen.amount_subtotal, seen.tax_amount) == (subtotal, tax)


def parameters(**changes: Any) -> dict[str, Any]:
    return session_parameters(a_payment(**changes), None, "deployment_1", START)


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 500), ("kwd", 18600), ("ugx", 500_000)])
def test_the_provider_gets_the_very_amount(currency: str, amount: int) -> None:
    price = parameters(currency=currency, amount_subtotal=amount)["line_items"][0]["price_data"]
    assert (price["currency"], price["unit_amount"]) == (currency, amount)
    assert price["tax_behavior"] == "exclusive"


def test_only_our_own_marks_are_sent_and_on_the_intent_too() -> None:
    sent = parameters(metadata={"secret": "the caller's"})
    assert sent["metadata"] == sent["payment_intent_data"]["metadata"]
    assert sent["metadata"] == {
        "payment_id": "pay_1",
        "organization_id": "org_1",
        "mode": "sandbox",
        "deployment_id": "deployment_1",
    }
    assert "the caller's" not in repr(sent)


@pytest.mark.parametrize("length", [1, 249, 250, 251, 500])
def test_a_long_description_is_shortened_in_the_name_and_whole_beside_it(length: int) -> None:
    text = "é" * length
    items = (LineItem(text, 1000),)
    product = parameters(line_items=items)["line_items"][0]["price_data"]["product_data"]
    assert len(product["name"]) <= 250
    if length > 250:
        assert product["name"].endswith("…")
        assert product["description"] == text
    else:
        assert product == {"name": text}


@given(lifetime=st.timedeltas(timedelta(days=-1), timedelta(days=366)))
def test_a_session_lives_as_long_as_the_link_within_what_stripe_allows(
    lifetime: timedelta,
) -> None:
    end = parameters(expires_at=START + lifetime)["expires_at"] - START.timestamp()
    assert timedelta(minutes=30) < timedelta(seconds=end) < timedelta(hours=24)
    wanted = lifetime.total_seconds()
    if 31 * 60 <= wanted <= 23 * 3600:
        assert end == int(wanted)


def test_a_guest_is_made_a_customer_and_a_known_one_is_never_made_again(world: World) -> None:
    guest = parameters()
    assert guest["customer_creation"] == "always"
    assert "customer" not in guest
    known = world.customer(provider_customer_id="cus_stripe", email="a@example.com")
    sent = session_parameters(a_payment(), known, "deployment_1", START)
    assert sent["customer"] == "cus_stripe"
    assert sent["customer_update"] == {"address": "auto", "name": "auto"}
    assert "customer_creation" not in sent
    assert "customer_email" not in sent
    unknown_there = replace(known, provider_customer_id=None)
    sent = session_parameters(a_payment(), unknown_there, "deployment_1", START)
    assert (sent["customer_creation"], sent["customer_email"]) == ("always", "a@example.com")


def test_the_buyer_comes_back_to_where_the_caller_said_byte_for_byte() -> None:
    url = "https://shop.example/done?s={CHECKOUT_SESSION_ID}&x=%20#ok"
    assert parameters(success_url=url)["success_url"] == url
    assert parameters()["success_url"] == (
        "https://pay.example.com/pay/pay_1?session_id={CHECKOUT_SESSION_ID}"
    )


def raised(failure: Exception) -> Exception:
    expected = (ProviderRejectedError, ProviderUnavailableError)
    with pytest.raises(expected) as found, translated_failures("test"):
        raise failure
    return found.value


@pytest.mark.parametrize(
    ("failure", "stored"),
    [
        (stripe.APIConnectionError("down"), False),  # type: ignore[no-untyped-call]
        (stripe.RateLimitError("slow down", http_status=429), False),
        (stripe.APIError("broken", http_status=500), True),
        (stripe.APIError("broken", http_status=503), True),
        (stripe.APIError("in progress", http_status=409), False),
        (stripe.IdempotencyError("in progress", http_status=409), False),
        (stripe.IdempotencyError("other parameters", http_status=400), True),
        (stripe.AuthenticationError("bad key", http_status=401), False),
        (stripe.PermissionError("forbidden", http_status=403), False),
    ],
)
def test_what_a_retry_may_cure_is_unavailability(failure: Exception, stored: bool) -> None:
    error = raised(failure)
    assert isinstance(error, ProviderUnavailableError)
    assert error.outcome_stored is stored
    assert error.status == 502
    assert str(failure) not in error.message


@pytest.mark.parametrize(
    ("code", "parameter", "field"),
    [
        ("amount_too_small", None, "amount"),
        ("amount_too_large", "line_items[0][price_data][unit_amount]", "amount"),
        (None, "line_items[0][price_data][unit_amount]", "amount"),
        (None, "success_url", "successUrl"),
        (None, "expires_at", "expiresAt"),
        (None, "something_of_ours", None),
        (None, None, None),
    ],
)
def test_a_refusal_names_the_callers_field(
    code: str | None, parameter: str | None, field: str | None
) -> None:
    error = raised(stripe.InvalidRequestError("no", parameter, code=code, http_status=400))  # type: ignore[no-untyped-call]
    assert isinstance(error, ProviderRejectedError)
    assert (error.param, error.status, error.provider_code) == (field, 400, code)


def test_tax_that_was_settled_beforehand_is_a_line_of_its_own() -> None:
    lines = (
        TaxLine("GST", "5", 1000, 50, "standard_rated"),
        TaxLine("QST", "9.975", 1000, 100, "standard_rated"),
        TaxLine("PST", "0", 1000, 0, "standard_rated"),
    )
    tax = SettledTax(1000, lines, place=Place("CA", "QC"))
    sent = session_parameters(a_payment().with_tax(tax), None, "deployment_1", START)
    assert [
        (item["price_data"]["product_data"]["name"], item["price_data"]["unit_amount"])
        for item in sent["line_items"]
    ] == [("Design work", 1000), ("GST 5%", 50), ("QST 9.975%", 100)]
    assert all("tax_behavior" not in item["price_data"] for item in sent["line_items"])
    assert sent["automatic_tax"] == {"enabled": False}
    assert sent["tax_id_collection"] == {"enabled": False}
    assert "cancel_url" not in sent
    told = replace(tax, asked=True)
    sent = session_parameters(a_payment().with_tax(told), None, "deployment_1", START)
    assert sent["cancel_url"] == f"{a_payment().url}?correct="


@pytest.mark.parametrize(
    ("code", "message", "inactive"),
    [
        ("stripe_tax_inactive", "", True),
        (None, "You must have a valid head office address to enable automatic tax.", True),
        ("amount_too_small", "Too small.", False),
    ],
)
def test_an_account_without_stripe_tax_is_known_by_code_or_words(
    code: str | None, message: str, inactive: bool
) -> None:
    refused = ProviderRejectedError(message, provider_code=code)
    assert is_tax_inactive(refused) is inactive
    assert ("dashboard.stripe.com" in tax_refusal(refused).message) is inactive


def test_where_no_tax_is_collected_stripe_adds_none_but_asks_for_numbers() -> None:
    sent = session_parameters(a_payment().with_tax(untaxed(1000)), None, "deployment_1", START)
    assert [item["price_data"]["unit_amount"] for item in sent["line_items"]] == [1000]
    assert sent["automatic_tax"] == {"enabled": False}
    assert sent["tax_id_collection"] == {"enabled": True}
