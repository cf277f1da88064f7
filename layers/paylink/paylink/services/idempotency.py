"""The caller's idempotency keys: who may run, who waits, who gets the first answer again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from paylink.domain.errors import IdempotencyInProgressError, IdempotencyKeyMismatchError
from paylink.domain.organization import Mode
from paylink.ports import IdempotencyRecord, IdempotencyRepository

RETENTION = timedelta(hours=24)


@dataclass(frozen=True)
class IdempotentRequest:
    """A request under a key; ``lease`` is the longest that it can still be running."""

    key: str
    operation: str
    request_hash: str
    lease: timedelta

    def record(self, organization_id: str, mode: Mode, now: datetime) -> IdempotencyRecord:
        return IdempotencyRecord(
            organization_id=organization_id,
            mode=mode,
            key=self.key,
            operation=self.operation,
            request_hash=self.request_hash,
            lease_until=now + self.lease,
            expires_at=now + RETENTION,
        )


def matches(found: IdempotencyRecord, wanted: IdempotencyRecord) -> bool:
    """Whether both are of the same operation with the same JSON value."""
    return (found.operation, found.request_hash) == (wanted.operation, wanted.request_hash)


def resume(
    found: IdempotencyRecord,
    wanted: IdempotencyRecord,
    repository: IdempotencyRepository,
    now: datetime,
) -> IdempotencyRecord:
    """The record to go on with: answered already, or abandoned and now ours.

    Raises IdempotencyKeyMismatchError for another request under the key, and
    IdempotencyInProgressError while the first one may still be running.
    """
    if not matches(found, wanted):
        raise IdempotencyKeyMismatchError()
    if found.response is not None:
        return found
    if found.lease_until > now:
        raise IdempotencyInProgressError()
    ours = replace(found, lease_until=wanted.lease_until)
    if not repository.take_over(found, ours):
        raise IdempotencyInProgressError()
    return ours
