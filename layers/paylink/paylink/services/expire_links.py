"""Ends links whose time is over, after making sure that no money came and none can come; and
charges that nobody finished, the same way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime

from paylink.domain.payment import PAYABLE, cancel
from paylink.ports import (
    Clock,
    Commit,
    PaymentRepository,
    Providers,
    SessionNotOpenError,
    VersionConflictError,
)
from paylink.services.end_sessions import end_sessions
from paylink.services.settle_charge import finish_charge
from paylink.services.settle_payment import back_off

_ATTEMPTS = 5
_WORKERS = 8

logger = logging.getLogger(__name__)


@dataclass
class Sweep:
    """How a run went; ``left`` are due links that the next run will take."""

    canceled: int = 0
    settled: int = 0
    unchanged: int = 0
    failed: int = 0
    left: int = 0


def expire_links(
    now: datetime,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
    time_left: Callable[[], bool],
) -> Sweep:
    """Cancels every link that was due at ``now``, in parallel, while there is time left."""
    sweep = Sweep()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for batch in _batches(payments.due(now), _WORKERS * 4):
            if not time_left():
                sweep.left += len(batch)
                break
            running = {
                pool.submit(
                    _expire, payment_id, now, payments=payments, providers=providers, clock=clock
                ): payment_id
                for payment_id in batch
            }
            for done in as_completed(running):
                error = done.exception()
                if error is None:
                    outcome = done.result()
                    setattr(sweep, outcome, getattr(sweep, outcome) + 1)
                    continue
                # One broken link must not keep the others open; it stays due for the next run.
                sweep.failed += 1
                logger.error(
                    "a link could not be expired",
                    extra={"payment_id": running[done]},
                    exc_info=error,
                )
    return sweep


def _expire(
    payment_id: str,
    now: datetime,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
) -> str:
    """Returns the counter of `Sweep` that this link belongs to."""
    for attempt in range(_ATTEMPTS):
        payment = payments.get(payment_id)
        if payment is None or payment.due_at is None or now < payment.due_at:
            return "unchanged"
        provider = providers.account(payment.organization_id, payment.mode)
        try:
            if payment.kind == "charge":
                finish_charge(
                    payment, cause="sweep", payments=payments, provider=provider, clock=clock
                )
                return "settled"
            payment = end_sessions(
                payment, cause="sweep", payments=payments, provider=provider, clock=clock
            )
            if payment.status not in PAYABLE:
                return "settled"
            change = cancel(payment, "expired", clock(), "sweep")
            payments.commit(Commit(change.after, change.events))
        except (VersionConflictError, SessionNotOpenError):
            back_off(attempt)
            continue
        return "canceled"
    return "unchanged"


def _batches(ids: Iterable[str], size: int) -> Iterable[list[str]]:
    batch: list[str] = []
    for payment_id in ids:
        batch.append(payment_id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
