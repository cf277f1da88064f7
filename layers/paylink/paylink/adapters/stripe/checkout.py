"""A payment as the parameters of a Checkout session, and a session as the state of its money.

Why each parameter is there is in Stripe's own documentation of Checkout sessions and automatic tax;
what isn't obvious from it is said beside the line.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import stripe

from paylink.domain.customer import Buyer, Customer, PaymentMethod
from paylink.domain.organization import Address
from paylink.domain.payment import (
    CORRECTING,
    Attempt,
    CheckoutState,
    Outcome,
    Payment,
)
from paylink.domain.tax import TaxLine, TaxStatus

if TYPE_CHECKING:
    from stripe.checkout import Session

_LONGEST_LIFE = timedelta(hours=24) - timedelta(minutes=10)
_SHORTEST_LIFE = timedelta(minutes=31)
_NAME_LENGTH = 250

EXPANSIONS = ["payment_intent.latest_charge", "total_details.breakdown"]


def session_parameters(
    payment: Payment, customer: Customer | None, deployment_id: str, now: datetime
) -> dict[str, Any]:
    """The exact parameters of a payment's next session, as plain JSON."""
    description = payment.description
    marks = {
        "payment_id": payment.id,
        "organization_id": payment.organization_id,
        "mode": payment.mode,
        "deployment_id": deployment_id,
    }
    back_here = f"{payment.url}?session_id={{CHECKOUT_SESSION_ID}}"
    parameters: dict[str, Any] = {
        "mode": "payment",
        "line_items": _line_items(payment),
        # The buyer must be shown the very amount that was asked for.
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": payment.tax is None},
        # Where a number decides about the seller's own tax, it is known by now.
        "tax_id_collection": {"enabled": payment.tax is None or payment.tax.place is None},
        "client_reference_id": payment.id,
        "metadata": marks,
        "payment_intent_data": {
            "description": description,
            # A session's metadata is not copied to its payment intent.
            "metadata": marks,
            "setup_future_usage": "off_session",
        },
        "success_url": payment.success_url or back_here,
        "expires_at": int(_session_end(payment, now).timestamp()),
    }
    if payment.tax is not None and payment.tax.asked:
        parameters["cancel_url"] = f"{payment.url}?{CORRECTING}="
    if customer is not None and customer.provider_customer_id is not None:
        parameters["customer"] = customer.provider_customer_id
        parameters["customer_update"] = {"address": "auto", "name": "auto"}
    else:
        parameters["customer_creation"] = "always"
        if customer is not None and customer.email is not None:
            parameters["customer_email"] = customer.email
    return parameters


def _line_items(payment: Payment) -> list[dict[str, Any]]:
    """What is paid for, and each tax that was settled beforehand as a line of its own.

    Not as one of Stripe's tax rates: those have their own rounding, can't express the steps of some
    currencies, and show an inclusive price as the subtotal.
    """
    description = payment.description
    product: dict[str, Any] = {"name": description[:_NAME_LENGTH]}
    if len(description) > _NAME_LENGTH:
        product = {"name": f"{description[: _NAME_LENGTH - 1]}…", "description": description}
    lines = [(payment.amount_subtotal, product)]
    taxes = payment.tax.lines if payment.tax else ()
    lines += [
        (tax.amount, {"name": f"{tax.label} {tax.percentage}%"}) for tax in taxes if tax.amount
    ]
    behavior = {"tax_behavior": "exclusive"} if payment.tax is None else {}
    return [
        {
            "quantity": 1,
            "price_data": {
                "currency": payment.currency,
                "unit_amount": amount,
                **behavior,
                "product_data": product,
            },
        }
        for amount, product in lines
    ]


def _session_end(payment: Payment, now: datetime) -> datetime:
    """As long as the link lives, within what the provider allows; the sweep ends a longer one."""
    latest = now + _LONGEST_LIFE
    wanted = payment.expires_at or latest
    return min(max(wanted, now + _SHORTEST_LIFE), latest).replace(microsecond=0)


def checkout_state(session: Session) -> CheckoutState:
    """The state of a session that was fetched with `EXPANSIONS`."""
    intent = session.payment_intent
    if isinstance(intent, str):
        raise TypeError("the payment intent is not expanded")
    charge = intent.latest_charge if intent else None
    if isinstance(charge, str):
        raise TypeError("the latest charge is not expanded")
    subtotal, total = session.amount_subtotal or 0, session.amount_total or 0
    customer = session.customer
    customer_id = customer if customer is None or isinstance(customer, str) else customer.id
    return CheckoutState(
        session_id=session.id,
        session_status=_session_status(session),
        outcome=_outcome(session, intent),
        currency=session.currency or "",
        amount_subtotal=subtotal,
        tax_amount=total - subtotal,
        tax_status=_tax_status(session),
        tax_lines=_tax_lines(session),
        payment_intent_id=intent.id if intent else None,
        provider_customer_id=customer_id,
        attempt=attempt_of(intent, charge),
        buyer=_buyer(session),
        paid_at=paid_at_of(charge),
    )


def paid_at_of(charge: stripe.Charge | None) -> datetime | None:
    """When a card was charged; the charge of a bank debit is days older than its money."""
    details = charge.payment_method_details if charge else None
    if charge is None or not charge.paid or details is None or details.type != "card":
        return None
    return datetime.fromtimestamp(charge.created, UTC)


def _session_status(session: Session) -> Literal["open", "complete", "expired"]:
    match session.status:
        case "complete":
            return "complete"
        case "expired":
            return "expired"
        case _:
            return "open"


def _outcome(session: Session, intent: stripe.PaymentIntent | None) -> Outcome:
    if session.payment_status == "paid":
        return "paid"
    return outcome_of(intent) if intent else "unpaid"


def outcome_of(intent: stripe.PaymentIntent) -> Outcome:
    match intent.status:
        case "succeeded":
            return "paid"
        case "processing":
            return "processing"
        case "requires_action":
            return "requires_action"
        case "requires_payment_method" | "canceled" if intent.last_payment_error:
            return "failed"
        case _:
            return "unpaid"


def _tax_status(session: Session) -> TaxStatus:
    tax = session.automatic_tax
    if not tax.enabled or tax.status != "complete":
        return "pending"
    reasons = {line.reason for line in _tax_lines(session)}
    return "not_collecting" if reasons == {"not_collecting"} else "final"


def _tax_lines(session: Session) -> tuple[TaxLine, ...]:
    details = session.total_details
    breakdown = details.breakdown if details else None
    lines = []
    for tax in breakdown.taxes if breakdown else []:
        percentage = (
            tax.rate.percentage
            if tax.rate.effective_percentage is None
            else (tax.rate.effective_percentage)
        )
        lines.append(
            TaxLine(
                label=tax.rate.display_name,
                percentage=f"{percentage:g}",
                taxable_amount=tax.taxable_amount or 0,
                amount=tax.amount,
                reason=tax.taxability_reason,
            )
        )
    return tuple(lines)


def attempt_of(intent: stripe.PaymentIntent | None, charge: stripe.Charge | None) -> Attempt | None:
    if intent is None:
        return None
    error = intent.last_payment_error
    reusable = intent.setup_future_usage == "off_session"
    failed = intent.status in {"requires_payment_method", "canceled"} and error is not None
    if charge is not None and (not failed or _told(error, "charge") == charge.id):
        return Attempt(
            id=charge.id,
            charge_id=charge.id,
            payment_method=_charged_method(charge, reusable),
            failure_code=charge.failure_code if failed else None,
            failure_message=charge.failure_message if failed else None,
            decline_code=_told(error, "decline_code") if failed else None,
        )
    if error is None:
        return None
    # No charge was made, as when a 3-D Secure step was refused: the method tells tries apart, for
    # each try makes a new one.
    method: stripe.PaymentMethod | None = _told(error, "payment_method")
    code: str | None = _told(error, "code")
    return Attempt(
        id=f"{intent.id}:{code}:{method.id if method else ''}",
        payment_method=_method(method.id, method.type, _details(method, method.type), reusable)
        if method
        else None,
        failure_code=code,
        failure_message=_told(error, "message"),
        decline_code=_told(error, "decline_code"),
    )


def _told(error: object, member: str) -> Any:
    """A member of an error: Stripe leaves out those that have no value, and the SDK then raises."""
    return getattr(error, member, None)


def _charged_method(charge: stripe.Charge, reusable: bool) -> PaymentMethod | None:
    details = charge.payment_method_details
    if charge.payment_method is None or details is None:
        return None
    return _method(charge.payment_method, details.type, _details(details, details.type), reusable)


def _details(holder: object, method_type: str) -> object:
    """The part of a payment method that is named after its type."""
    return getattr(holder, method_type, None)


def _method(method_id: str, method_type: str, details: object, reusable: bool) -> PaymentMethod:
    fingerprint = getattr(details, "fingerprint", None)
    return PaymentMethod(
        key=fingerprint or method_id,
        provider_id=method_id,
        type=method_type,
        brand=getattr(details, "brand", None) or getattr(details, "bank_name", None),
        last4=getattr(details, "last4", None),
        exp_month=getattr(details, "exp_month", None),
        exp_year=getattr(details, "exp_year", None),
        reusable=reusable,
    )


def _buyer(session: Session) -> Buyer:
    details = session.customer_details
    if details is None:
        return Buyer()
    address = details.address
    return Buyer(
        email=details.email,
        name=details.name,
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
        tax_ids=tuple(tax_id.value for tax_id in details.tax_ids or [] if tax_id.value),
    )
