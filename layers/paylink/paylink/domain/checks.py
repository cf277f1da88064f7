"""When the provider is asked about a payment by itself, in case its news got lost.

News come within seconds, so a first look is for those that didn't; the later ones are for buyers
who took their time. What can bring no money any more isn't looked at.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from paylink.domain.payment import Status

FIRST: Final = timedelta(minutes=15)
SECOND: Final = timedelta(hours=2)
AFTER_THE_END: Final = timedelta(minutes=10)
BANKS_ANSWER: Final = timedelta(hours=24)
"""A debit takes days, and its end is always told of or found: it is asked for until then."""
TROUBLE: Final = timedelta(hours=1)
"""How long a look is put off when the provider can't be asked."""


def first_check(status: Status, now: datetime) -> datetime | None:
    """After a change that may be followed by another."""
    if status == "succeeded":
        return None
    return now + (BANKS_ANSWER if status == "processing" else FIRST)


def next_check(status: Status, done: int, end: datetime | None, now: datetime) -> datetime | None:
    """After a look that found nothing new, the ``done``-th since the last change.

    ``end`` is when whatever can still be paid has ended by itself; None if nothing can.
    """
    if status == "processing":
        return now + BANKS_ANSWER
    if end is None or end <= now:
        return None
    return min(now + SECOND, end) if done == 1 else end
