"""A charge of a vaulted method as the parameters of a payment intent, and the intent as its state.

Why each parameter is there is in Stripe's own documentation of payment intents and of tax
calculations; what isn't obvious from it is said beside the line.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import stripe

from paylink.adapters.stripe.checkout import attempt_of, outcome_of, paid_at_of
from paylink.adapters.stripe.customers import tax_id_of
from paylink.domain.charge import ChargeState, TaxCalculation
from paylink.domain.customer import Customer
from paylink.domain.organization import Address
from paylink.domain.payment import Payment
from paylink.domain.tax import TaxLine

if TYPE_CHECKING:
    from stripe.tax import Calculation

EXPANSIONS = ["latest_charge"]
AMOUNT_CODES = frozenset({"amount_too_small", "amount_too_large", "parameter_invalid_integer"})
_UNUSABLE_PARAMETERS = frozenset({"customer", "payment_method"})
_UNUSABLE_CODES = frozenset({"payment_method_unexpected_state", "payment_method_unactivated"})
_LINE = "L1"


def marks_of(payment: Payment, deployment_id: str) -> dict[str, str]:
    return {
        "payment_id": payment.id,
        "organization_id": payment.organization_id,
        "mode": payment.mode,
        "deployment_id": deployment_id,
    }


def intent_parameters(payment: Payment, deployment_id: str) -> dict[str, Any]:
    """The exact parameters of a charge's payment intent, as plain JSON."""
    terms = payment.charge
    if terms is None:
        raise ValueError(f"{payment.id} is no charge")
    parameters: dict[str, Any] = {
        "amount": payment.amount_total,
        "currency": payment.currency,
        "customer": terms.provider_customer_id,
        # Checkout makes no method the customer's default.
        "payment_method": terms.payment_method.provider_id,
        "confirm": True,
        "off_session": True,
        # Nobody is there to be redirected.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "description": payment.description,
        "metadata": marks_of(payment, deployment_id),
        "expand": EXPANSIONS,
    }
    if terms.tax_calculation_id is not None:
        # Without it the tax is collected and never reported.
        parameters["hooks"] = {"inputs": {"tax": {"calculation": terms.tax_calculation_id}}}
    return parameters


def calculation_parameters(payment: Payment) -> dict[str, Any]:
    """Tax on the one line of a charge, to which the buyer has to be added."""
    return {
        "currency": payment.currency,
        "line_items": [
            {
                "amount": payment.amount_subtotal,
                "quantity": 1,
                "reference": _LINE,
                "tax_behavior": "exclusive",
            }
        ],
    }


def customer_details(customer: Customer) -> dict[str, Any] | None:
    """Who buys, in place of Stripe's own customer; None where we don't know where they are."""
    address = customer.address
    if address is None or address.country is None:
        return None
    given = {name: value for name, value in asdict(address).items() if value}
    details: dict[str, Any] = {"address": given, "address_source": "billing"}
    tax_id = tax_id_of(customer)
    if tax_id is not None:
        details["tax_ids"] = [tax_id]
    return details


def tax_calculation(calculation: Calculation) -> TaxCalculation:
    lines = []
    for part in calculation.tax_breakdown:
        details = part.tax_rate_details
        percentage = details.percentage_decimal if details else None
        lines.append(
            TaxLine(
                label=_label(details.tax_type if details else None),
                percentage=f"{float(percentage):g}" if percentage is not None else None,
                taxable_amount=part.taxable_amount,
                amount=part.amount,
                reason=part.taxability_reason,
            )
        )
    reasons = {line.reason for line in lines}
    address = calculation.customer_details.address
    return TaxCalculation(
        id=calculation.id or "",
        tax_amount=calculation.tax_amount_exclusive,
        status="not_collecting" if reasons == {"not_collecting"} else "final",
        lines=tuple(lines),
        address=Address(
            line1=address.line1,
            line2=address.line2,
            city=address.city,
            state=address.state,
            postal_code=address.postal_code,
            country=address.country,
        )
        if address
        else Address(),
        tax_ids=tuple(tax_id.value for tax_id in calculation.customer_details.tax_ids),
    )


def _label(tax_type: str | None) -> str:
    """The tax's name, which a calculation only gives as a code (``sales_tax``)."""
    if tax_type is None:
        return "Tax"
    words = tax_type.replace("_", " ")
    return words.title() if " " in words else words.upper()


def charge_state(intent: stripe.PaymentIntent) -> ChargeState:
    """The state of an intent that was fetched with `EXPANSIONS`."""
    charge = intent.latest_charge
    if isinstance(charge, str):
        raise TypeError("the latest charge is not expanded")
    customer = intent.customer
    return ChargeState(
        intent_id=intent.id,
        status=_status(intent),
        outcome=outcome_of(intent),
        currency=intent.currency,
        amount=intent.amount,
        payment_id=marks_on(intent).get("payment_id"),
        provider_customer_id=customer
        if customer is None or isinstance(customer, str)
        else customer.id,
        attempt=attempt_of(intent, charge),
        paid_at=paid_at_of(charge),
    )


def _status(intent: stripe.PaymentIntent) -> Literal["open", "complete", "expired"]:
    match intent.status:
        case "succeeded" | "processing":
            return "complete"
        case "canceled":
            return "expired"
        case _:
            return "open"


def marks_on(intent: stripe.PaymentIntent) -> dict[str, str]:
    names = ("payment_id", "organization_id", "mode", "deployment_id")
    metadata: dict[str, str] = intent.metadata.to_dict() if intent.metadata else {}
    return {name: metadata[name] for name in names if name in metadata}


def is_unusable(error: stripe.InvalidRequestError) -> bool:
    """Whether the vaulted method, or the customer whom it belongs to, is gone at Stripe."""
    return error.param in _UNUSABLE_PARAMETERS or error.code in _UNUSABLE_CODES


def intent_in(error: stripe.StripeError) -> str | None:
    """The payment intent that a failed confirmation left behind."""
    body = error.json_body
    found = body.get("error") if isinstance(body, dict) else None
    intent = found.get("payment_intent") if isinstance(found, dict) else None
    identifier = intent.get("id") if isinstance(intent, dict) else None
    return identifier if isinstance(identifier, str) else None
