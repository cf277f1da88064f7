"""Trouble on purpose: what the control API asks of the next requests that match."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from .errors import Json
from .ids import new_id

Kind = Literal["slow", "error", "error_after", "hang", "hang_after", "rate_limit", "drop"]
Stored = Literal["answer", "result", "nothing"]


class FaultError(ValueError):
    """The control API was asked for a fault that doesn't exist."""


@dataclass
class Fault:
    """`kind`:

    slow         wait `seconds`, then do it and answer
    error        answer `status` without doing it
    error_after  do it, then answer `status`
    hang         never do it, hold the connection for `seconds`, then break it
    hang_after   do it, then the same
    rate_limit   429, nothing done
    drop         break the connection at once, nothing done

    `stored` is what a retry with the same idempotency key is answered after an error: the error
    again ("answer", Stripe's habit), what was really done ("result"), or nothing is remembered.
    `count` is for how many requests; null is until cleared.
    """

    kind: Kind
    method: str = ""
    path: str = ""
    account: str = ""
    status: int = 500
    seconds: float = 60.0
    count: int | None = 1
    stored: Stored = "answer"
    id: str = field(default_factory=lambda: new_id("fault", 10))

    @classmethod
    def parse(cls, given: Json) -> Fault:
        known = set(cls.__dataclass_fields__) - {"id"}
        if unknown := sorted(given.keys() - known):
            raise FaultError(f"unknown members: {', '.join(unknown)}; known: {', '.join(known)}")
        if given.get("kind") not in get_args(Kind):
            raise FaultError(f"kind must be one of {', '.join(get_args(Kind))}")
        if given.get("stored", "answer") not in get_args(Stored):
            raise FaultError(f"stored must be one of {', '.join(get_args(Stored))}")
        try:
            re.compile(given.get("path", ""))
            fault = cls(**given)
            fault.seconds, fault.status = float(fault.seconds), int(fault.status)
        except (re.error, TypeError, ValueError) as error:
            raise FaultError(str(error)) from error
        if not 400 <= fault.status <= 599:
            raise FaultError("status must be 400 to 599")
        return fault

    def matches(self, method: str, path: str, account: str) -> bool:
        return (
            self.method.upper() in ("", method)
            and re.match(self.path, path) is not None
            and self.account in ("", account)
        )


class Faults:
    """The faults that wait; the first that matches a request is used up by it."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def show(self) -> list[Json]:
        return [asdict(fault) for fault in self._waiting]

    def take(self, method: str, path: str, account: str) -> Fault | None:
        for fault in self._waiting:
            if fault.matches(method, path, account):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self._waiting.remove(fault)
                return fault
        return None
