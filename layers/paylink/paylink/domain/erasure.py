"""What is forgotten of a buyer who asked for it, and what has to stay.

Amounts, times and outcomes are the seller's books and stay, as does the country, which the tax
depends on. Invoices keep their own copy of the buyer: tax law asks for it for years.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from paylink.domain.customer import Buyer, Customer
from paylink.domain.organization import Address
from paylink.domain.payment import Payment, Transaction
from paylink.domain.tax import SettledTax


def erased_customer(customer: Customer, now: datetime) -> Customer:
    """Only our own id is left, and when that was asked for."""
    return Customer(
        id=customer.id,
        organization_id=customer.organization_id,
        mode=customer.mode,
        created_at=customer.created_at,
        updated_at=now,
        methods_since=now,
        erasing_since=customer.erasing_since,
        erased_at=now,
        version=customer.version,
    )


def erased_payment(payment: Payment) -> Payment:
    """The payment without the person; one that knows none already comes back equal."""
    settlement, charge = payment.settlement, payment.charge
    return replace(
        payment,
        customer_public_id=payment.customer_id,
        buyer_language=None,
        # What an ended checkout was asked for with is of no use any more.
        sessions=tuple(
            replace(session, request={}, url=None, tax=_unnumbered(session.tax))
            for session in payment.sessions
        ),
        tax=_unnumbered(payment.tax),
        settlement=replace(settlement, buyer=_anonymous(settlement.buyer)) if settlement else None,
        charge=replace(charge, buyer=_anonymous(charge.buyer)) if charge else None,
    )


def erased_transaction(transaction: Transaction) -> Transaction:
    return replace(transaction, customer_email=None, customer_name=None)


def _unnumbered(tax: SettledTax | None) -> SettledTax | None:
    """What was settled without the numbers that it was settled by."""
    if tax is None or tax.place is None:
        return tax
    return replace(tax, place=replace(tax.place, tax_ids=()))


def _anonymous(buyer: Buyer) -> Buyer:
    return Buyer(address=Address(country=buyer.address.country))
