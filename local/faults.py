"""Trouble between a function and what it calls: before, instead of or after the nth of its calls.

The emulator and the Stripe sandbox are both served inside this. A function's process says who it is
(`local.function_process`, which only this stack puts into it); its writes to AWS and its calls of
the provider are counted by function, and the one that a test named goes wrong:

    GET    /_faults                what waits to happen, and the calls counted so far
    POST   /_faults {function, kind, at?, times?, code?}
    DELETE /_faults                forgets both

`kind` is what happens to the `at`th call from now on (the first, if left out) and to those after
it, `times` in all (once):

    die, die_after            the function's process ends before the call is carried out, or after
    stall, stall_after        it stands still before or after it, until Lambda's time limit ends it
    lose                      it is carried out, the connection breaks before the answer
    time_out, time_out_after  no answer in time; not carried out, or carried out. Nobody waits.
    error                     DynamoDB, or another service of AWS, answers `code` instead of
                              carrying it out; S3 answers that it is busy
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any

PATH = "/_faults"
FUNCTION_HEADER = b"x-local-function"
VERDICT_HEADER = b"x-local-verdict"

# What the function's own process makes of the answer, by kind.
VERDICTS = {
    "die": "die",
    "die_after": "die",
    "stall": "stall",
    "stall_after": "stall",
    "lose": "reset",
    "time_out": "time_out",
    "time_out_after": "time_out",
}
CARRIED_OUT = {"die_after", "stall_after", "lose", "time_out_after"}
KINDS = {*VERDICTS, "error"}
_READS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "List", "Describe", "Receive")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Fault:
    function: str
    kind: str
    at: int = 1
    times: int = 1
    code: str = "InternalServerError"


@dataclass
class Call:
    """``what`` names the operation or route, ``keys`` the items that a write is about."""

    function: str
    what: str
    keys: list[str] = field(default_factory=list)


class Faults:
    """The application inside, for everybody but a function that is to be in trouble."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: list[Fault] = []
        self._calls: deque[Call] = deque(maxlen=10_000)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        function = headers.get(FUNCTION_HEADER, b"").decode()
        if scope["path"] == PATH:
            status, answer = self._control(scope["method"], await _body(receive))
            await _answer(send, status, json.dumps(answer).encode())
        elif function:
            await self._called(function, headers, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _control(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            if method == "POST":
                fault = Fault(**json.loads(body))
                if fault.kind not in KINDS:
                    return 400, {"error": f"kind must be one of {', '.join(sorted(KINDS))}"}
                self._waiting.append(fault)
            elif method == "DELETE":
                self._waiting.clear()
                self._calls.clear()
        except (ValueError, TypeError) as error:
            return 400, {"error": str(error)}
        return 200, {
            "faults": [asdict(fault) for fault in self._waiting],
            "calls": [asdict(call) for call in self._calls],
        }

    async def _called(
        self,
        function: str,
        headers: dict[bytes, bytes],
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        body = await _body(receive)
        call = _call(function, headers.get(b"x-amz-target", b"").decode(), scope, body)
        fault = self._counted(call) if call else None
        if fault is None:
            await self._app(scope, _again(body, receive), send)
            return
        if fault.kind == "error":
            await _answer(send, *_refusal(fault.code, body))
            return
        if fault.kind in CARRIED_OUT:
            await self._app(scope, _again(body, receive), _nowhere)
        await _answer(send, 500, b"{}", [(VERDICT_HEADER, VERDICTS[fault.kind].encode())])

    def _counted(self, call: Call) -> Fault | None:
        """The fault whose turn it is."""
        self._calls.append(call)
        struck = None
        for fault in [one for one in self._waiting if one.function == call.function]:
            fault.at -= 1
            if fault.at <= 0 and struck is None:
                struck = fault
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
        return struck


def _call(function: str, target: str, scope: Message, body: bytes) -> Call | None:
    """None for what only reads from AWS. Of the provider every call counts."""
    method, path = scope["method"], scope["path"]
    if target:
        operation = target.rpartition(".")[2]
        return None if operation.startswith(_READS) else Call(function, operation, _keys(body))
    if path.startswith("/v1/"):
        return Call(function, f"{method} {path}")
    return None if method in {"GET", "HEAD"} else Call(function, f"{method} {path}")


def _keys(body: bytes) -> list[str]:
    """Which items of the table a write is about, without what tells one from another."""
    try:
        request = json.loads(body)
    except ValueError:
        return []
    parts = [next(iter(part.values())) for part in request.get("TransactItems", [])] or [request]
    keys = [part.get("Item") or part.get("Key") or {} for part in parts]
    return [key["pk"]["S"].partition("#")[0] for key in keys if "pk" in key]


def _refusal(code: str, body: bytes) -> tuple[int, bytes]:
    """As DynamoDB words it. In a transaction the reasons stand for its parts, in their order."""
    try:
        request = json.loads(body)
    except ValueError:  # S3, whose requests are the documents themselves
        return 503, b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
    parts = len(request.get("TransactItems", []))
    reasons = {"TransactionConflict", "ThrottlingError"}
    if code in reasons and not parts:
        code = {
            "TransactionConflict": "TransactionConflictException",
            "ThrottlingError": "ThrottlingException",
        }[code]
    answer: dict[str, Any] = {"message": "A fault that was asked for."}
    if code in reasons:
        answer["CancellationReasons"] = [
            {"Code": code if part == 0 else "None"} for part in range(parts)
        ]
        code = "TransactionCanceledException"
    answer["__type"] = f"com.amazonaws.dynamodb.v20120810#{code}"
    return (500 if code == "InternalServerError" else 400), json.dumps(answer).encode()


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already, then whatever comes."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def _nowhere(_message: Message) -> None:
    """An answer that nobody gets."""


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    own = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send(
        {"type": "http.response.start", "status": status, "headers": [*own, *(headers or [])]}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
