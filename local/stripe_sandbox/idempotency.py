"""Stripe's idempotency keys: the first answer again, also if it was an error, for 24 hours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from .errors import Json, StripeError, invalid
from .storage import Scope, Store

_KEPT = 24 * 3600
_MAX_KEY = 255


@dataclass(frozen=True)
class Replay:
    """A stored answer."""

    status: int
    body: Json
    request_id: str


class Claim:
    """One request's hold on its key. `begin` once, then `keep` or `release`."""

    def __init__(self, store: Store, scope: Scope, key: str, path: str, params: Json) -> None:
        self._store = store
        self._scope = f"{scope.account}:{int(scope.livemode)}"
        self._key = key
        self._path = path
        text = json.dumps([path, params], sort_keys=True)
        self._print = hashlib.sha256(text.encode()).hexdigest()

    def begin(self, now: float) -> Replay | None:
        """None: do it. Raises for other parameters, and while the first request still runs."""
        if len(self._key) > _MAX_KEY:
            raise invalid(f"Idempotency keys hold at most {_MAX_KEY} characters.", stored=False)
        found = self._store.idempotency_record(self._scope, self._key)
        if found and found["created"] + _KEPT > now:
            self._compare(found)
            if found["state"] == "running":
                raise StripeError(
                    409,
                    "invalid_request_error",
                    "There is currently another in-progress request using this Idempotent Key (that"
                    " probably means you submitted twice, and the other request is still going "
                    f"through): {self._key}. Please try again later.",
                    code="idempotency_key_in_use",
                    stored=False,
                )
            return Replay(found["status"], found["body"], found["request_id"])
        self._write(now, {"state": "running"})
        return None

    def _compare(self, found: Json) -> None:
        if found["path"] != self._path:
            message = (
                "Keys for idempotent requests can only be used for the same endpoint they were "
                f"first used for ('{self._path}' vs '{found['path']}'). Try using a key other than "
                f"'{self._key}' if you meant to execute a different request."
            )
        elif found["print"] != self._print:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{self._key}' if you meant to execute"
                " a different request."
            )
        else:
            return
        raise StripeError(400, "idempotency_error", message, stored=False)

    def keep(self, now: float, status: int, body: Json, request_id: str) -> None:
        self._write(
            now, {"state": "done", "status": status, "body": body, "request_id": request_id}
        )

    def release(self) -> None:
        self._store.drop_idempotency(self._scope, self._key)

    def _write(self, now: float, state: Json) -> None:
        body = {"path": self._path, "print": self._print, **state}
        self._store.put_idempotency(self._scope, self._key, now, body)
