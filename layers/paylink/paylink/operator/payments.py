"""Payments, where somebody asks what became of one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError
from paylink.operator.exports import Columns, add_export, amount, moment
from paylink.services.reconcile_payment import look_into_payment

_COLUMNS: Columns = {
    "payment": lambda payment, _: payment.id,
    "made": lambda payment, zone: moment(payment.created_at, zone),
    "paid": lambda payment, zone: moment(payment.paid_at, zone),
    "kind": lambda payment, _: payment.kind,
    "status": lambda payment, _: payment.status,
    "currency": lambda payment, _: payment.currency.upper(),
    "subtotal": lambda payment, _: amount(payment.amount_subtotal, payment.currency),
    "tax": lambda payment, _: amount(payment.tax_amount, payment.currency),
    "total": lambda payment, _: amount(payment.amount_total, payment.currency),
    "refunded": lambda payment, _: amount(payment.amount_refunded, payment.currency),
    "description": lambda payment, _: payment.description,
    "customer": lambda payment, _: payment.customer_public_id or payment.customer_id,
    "invoice": lambda payment, _: payment.invoice_id,
}


def add_to(things: Any) -> None:
    """The actions of ``paylink payments``."""
    payments = things.add_parser("payments", help="what became of one, and the list of all")
    actions = payments.add_subparsers(required=True, metavar="reconcile|export")
    reconciled = add_action(actions, "reconcile", reconcile, "ask Stripe how its money stands")
    reconciled.add_argument("payment", help="pay_…")
    add_export(actions, _COLUMNS, lambda deployment: deployment.payments)


def reconcile(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    before = deployment.payments.get(options.payment)
    if before is None:
        raise UsageError(f"there is no payment {options.payment}")
    after = look_into_payment(
        before.id,
        payments=deployment.payments,
        providers=deployment.providers,
        clock=lambda: datetime.now(UTC),
    )
    return {
        "id": after.id,
        "statusBefore": before.status,
        "status": after.status,
        "amountRefunded": after.amount_refunded,
    }
