"""Payments, where somebody asks what became of one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError
from paylink.services.reconcile_payment import look_into_payment


def add_to(things: Any) -> None:
    """The actions of ``paylink payments``."""
    payments = things.add_parser("payments", help="what became of one")
    actions = payments.add_subparsers(required=True, metavar="reconcile")
    reconciled = add_action(actions, "reconcile", reconcile, "ask Stripe how its money stands")
    reconciled.add_argument("payment", help="pay_…")


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
