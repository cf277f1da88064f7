"""Leases on customers: one charge of a customer at a time, and none blocks them for long.

A lease ends with its charge, or by itself when the function that took it can't be alive any more;
one past its time counts as gone, even while it is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from paylink.adapters.dynamodb.customers import customer_partition
from paylink.adapters.dynamodb.table import SCHEMA, Table, epoch
from paylink.ports import ChargeLease

_KEPT = timedelta(hours=1)


def _key(lease: ChargeLease) -> tuple[str, str]:
    return customer_partition(lease.organization_id, lease.mode, lease.customer_id), "CHARGE"


def take_lease(table: Table, lease: ChargeLease, now: datetime) -> dict[str, Any]:
    """The part of a write that takes a lease, unless another payment has it."""
    pk, sk = _key(lease)
    item = {
        "pk": pk,
        "sk": sk,
        "schema": SCHEMA,
        "organization_id": lease.organization_id,
        "mode": lease.mode,
        "payment_id": lease.payment_id,
        "lease": _instant(lease.until),
        "ttl": epoch(lease.until + _KEPT),
    }
    return table.put(
        item,
        "attribute_not_exists(pk) OR lease <= :now OR payment_id = :payment",
        {":now": _instant(now), ":payment": lease.payment_id},
    )


def end_lease(table: Table, lease: ChargeLease) -> dict[str, Any]:
    return table.delete(*_key(lease), "payment_id = :payment", {":payment": lease.payment_id})


def _instant(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
