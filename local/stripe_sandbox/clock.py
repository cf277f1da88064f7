"""What happens by itself as the sandbox's time passes: sessions expire, timers go off."""

from __future__ import annotations

import asyncio
import logging

from . import payments
from .context import Context
from .resources import checkout_sessions, disputes
from .storage import Store

_TICK = 0.25
_LOG = logging.getLogger(__name__)


def tick(store: Store, object_id: str | None = None) -> None:
    """Does what is due; with `object_id`, that object's timers whether they are due or not."""
    with store.transaction():
        now = store.now()
        for scope, session in store.due_sessions(now):
            checkout_sessions.end(Context(store, scope, ""), session)
        for action, id_ in store.take_timers(now, object_id):
            found = store.find_any(id_)
            if found and action == "post_balance":
                payments.post_balance_later(Context(store, found[0], ""), found[1])
            elif found and action == "dispute":
                disputes.open_by_card(Context(store, found[0], ""), found[1])


async def run(store: Store) -> None:
    while True:
        try:
            tick(store)
        except Exception:
            _LOG.exception("the clock's tick failed")
        await asyncio.sleep(_TICK)
