"""Looks after the payments that nobody else does: ends those whose time is over, after making sure
that no money came and none can come, and asks the provider about those whose news may be lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime

from paylink.domain.payment import PAYABLE, Payment, cancel
from paylink.metrics import SWEEP_BACKLOG, Measure, Metrics
from paylink.ports import (
    Clock,
    Commit,
    PaymentRepository,
    Providers,
    SessionNotOpenError,
    VersionConflictError,
)
from paylink.services.end_sessions import end_sessions
from paylink.services.reconcile_payment import reconcile_payment
from paylink.services.settle_charge import finish_charge
from paylink.services.settle_payment import back_off

_ATTEMPTS = 5
_WORKERS = 8
# The provider's limit, 25 calls a second and endpoint, is shared with buyers and callers.
_CHECKERS = 4
_MOST_CHECKS = 200
# Whoever waits behind so many that only the provider can tell of is counted, but not read: after an
# outage there may be tens of thousands, and each minute's run would read them all.
_MOST_WAITING = 5 * _MOST_CHECKS

logger = logging.getLogger(__name__)


@dataclass
class Sweep:
    """How a run went; ``left`` are due payments that the next run will take.

    ``checked`` are those that the provider had nothing new about.
    """

    canceled: int = 0
    settled: int = 0
    checked: int = 0
    unchanged: int = 0
    failed: int = 0
    left: int = 0


@dataclass(frozen=True)
class _Ports:
    """What looking after one payment needs, and the instant that decides what is due."""

    now: datetime
    payments: PaymentRepository
    providers: Providers
    clock: Clock


def sweep_payments(
    now: datetime,
    *,
    payments: PaymentRepository,
    providers: Providers,
    metrics: Metrics,
    clock: Clock,
    time_left: Callable[[], bool],
) -> Sweep:
    """Takes every payment that was due at ``now``, in parallel, while there is time left.

    What ends comes first; then a number of looks at the provider, so that neither it nor the ends
    of links suffer from many that are due at once. What neither ends nor is looked at by this run
    is read a few times at most, since the next runs take the oldest first.
    """
    sweep = Sweep()
    ports = _Ports(now, payments, providers, clock)
    to_check: list[str] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for batch in _batches(payments.due(now), _WORKERS * 4):
            if not time_left():
                sweep.left += len(batch)
                break
            if len(to_check) >= _MOST_WAITING:
                sweep.left += len(batch)
                continue
            to_check += _run(pool, _end, batch, ports, sweep)
    sweep.left += len(to_check[_MOST_CHECKS:])
    with ThreadPoolExecutor(_CHECKERS) as pool:
        for batch in _batches(to_check[:_MOST_CHECKS], _CHECKERS * 4):
            if not time_left():
                sweep.left += len(batch)
                continue
            _run(pool, _check, batch, ports, sweep)
    metrics(Measure(SWEEP_BACKLOG, sweep.left + sweep.failed))
    return sweep


def _run(
    pool: ThreadPoolExecutor,
    task: Callable[[str, _Ports], str],
    batch: Sequence[str],
    ports: _Ports,
    sweep: Sweep,
) -> list[str]:
    """Counts what became of each payment; returns those that are yet to be checked."""
    to_check = []
    running = {pool.submit(task, payment_id, ports): payment_id for payment_id in batch}
    for done in as_completed(running):
        error = done.exception()
        if error is not None:
            # One broken payment must not keep the others waiting; it stays due for the next run.
            sweep.failed += 1
            logger.error(
                "a due payment could not be looked after",
                extra={"payment_id": running[done]},
                exc_info=error,
            )
        elif done.result() == "to_check":
            to_check.append(running[done])
        else:
            setattr(sweep, done.result(), getattr(sweep, done.result()) + 1)
    return to_check


def _end(payment_id: str, ports: _Ports) -> str:
    """Ends what is over; returns the counter of `Sweep` that it belongs to, or ``to_check``."""
    for attempt in range(_ATTEMPTS):
        payment = _due(payment_id, ports)
        if payment is None:
            return "unchanged"
        if not payment.over(ports.now):
            return "to_check"
        provider = ports.providers.account(payment.organization_id, payment.mode)
        payments, clock = ports.payments, ports.clock
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


def _check(payment_id: str, ports: _Ports) -> str:
    for attempt in range(_ATTEMPTS):
        payment = _due(payment_id, ports)
        if payment is None:
            return "unchanged"
        try:
            seen = reconcile_payment(
                payment, payments=ports.payments, providers=ports.providers, clock=ports.clock
            )
        except VersionConflictError:
            back_off(attempt)
            continue
        return "checked" if seen.status == payment.status else "settled"
    return "unchanged"


def _due(payment_id: str, ports: _Ports) -> Payment | None:
    """The payment as it is now: the index may be behind, and a rival ahead."""
    payment = ports.payments.get(payment_id)
    if payment is None or payment.due_at is None or ports.now < payment.due_at:
        return None
    return payment


def _batches(ids: Iterable[str], size: int) -> Iterable[list[str]]:
    batch: list[str] = []
    for payment_id in ids:
        batch.append(payment_id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
