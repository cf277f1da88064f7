"""Where an item is that more than one repository writes, so that none loads another for it."""

from __future__ import annotations

from paylink.adapters.dynamodb.table import Key

PAYMENT = "PAYMENT"


def payment_key(payment_id: str) -> Key:
    return f"PAYMENT#{payment_id}", PAYMENT
