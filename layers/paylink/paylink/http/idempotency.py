"""The Idempotency-Key header: its form, what makes two requests the same, and answers kept for it.

Links and charges claim their keys together with what a retry needs (`services.create_payment`,
`services.charge_payment`); all other writing routes are marked `once`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from functools import wraps
from typing import Any, TypeVar

from paylink import bootstrap
from paylink.domain.errors import PaylinkError, ValidationError
from paylink.http.auth import Caller
from paylink.http.envelope import Response, failure, json_response
from paylink.http.json_body import canonical_hash, parse_object
from paylink.http.request import Request
from paylink.ports import IdempotencyRecord, KeyInUseError, StoredResponse
from paylink.services.idempotency import IdempotentRequest, matches, resume

# No comma: the gateway joins repeated headers with one.
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}", re.ASCII)
_MARGIN = timedelta(seconds=1)
_STORED_FAILURES = frozenset({402, 404, 409})

Body = dict[str, Any]
"""Of a request, as JSON has it."""

Seed = str | None
"""The same for every run under a key; None without one."""

Wanted = TypeVar("Wanted")


def idempotent_request(request: Request, body: dict[str, Any]) -> IdempotentRequest | None:
    """None without the header; ValidationError for a header that is no key."""
    key = request.header("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise ValidationError.of(
            "Idempotency-Key", "It has 1 to 255 visible ASCII characters and no comma."
        )
    return IdempotentRequest(
        key=key,
        operation=request.route,
        # The path says what is changed, so it is as much of the request as the body.
        request_hash=canonical_hash(
            {"path": request.parameters, "body": body} if request.parameters else body
        ),
        lease=timedelta(seconds=request.seconds_left) + _MARGIN,
    )


def once(
    wanted: Callable[[dict[str, Any]], Wanted],
    *,
    read: Callable[[bytes], dict[str, Any]] = parse_object,
    secret_answer: bool = False,
    lasting: bool = False,
) -> Callable[
    [Callable[[Request, Caller, Wanted, Seed], Response]], Callable[[Request, Caller], Response]
]:
    """Marks a handler that runs once per idempotency key; repetitions get the first answer.

    The handler gets what ``wanted`` makes of the body, refused before the key is claimed if it is
    wrong, and a seed: what it makes must derive its ids from it, so that a run after a crash makes
    nothing twice. An answer that holds a secret is not kept; there the handler runs again and must
    answer the same. A key that is used again after its time is another one, unless what it names is
    ``lasting``.
    """

    def mark(
        handler: Callable[[Request, Caller, Wanted, Seed], Response],
    ) -> Callable[[Request, Caller], Response]:
        @wraps(handler)
        def run(request: Request, caller: Caller) -> Response:
            body = read(request.body)
            checked = wanted(body)
            return _run(
                request,
                caller,
                body,
                lambda seed: handler(request, caller, checked, seed),
                secret_answer=secret_answer,
                lasting=lasting,
            )

        return run

    return mark


def _run(
    request: Request,
    caller: Caller,
    body: dict[str, Any],
    action: Callable[[Seed], Response],
    *,
    secret_answer: bool,
    lasting: bool,
) -> Response:
    """Raises the idempotency conflicts and whatever the action raises."""
    asked = idempotent_request(request, body)
    if asked is None:
        return action(None)
    now = bootstrap.clock()
    record = asked.record(caller.organization_id, caller.mode, now)
    records = bootstrap.idempotency()
    try:
        records.claim(record, now)
    except KeyInUseError as taken:
        if secret_answer and matches(taken.record, record):
            return _replayed(action(_seed(taken.record, lasting=lasting)))
        record = resume(taken.record, record, records, now)
        if record.response is not None:
            return _replayed(Response(record.response.status, record.response.body))
    try:
        response = action(_seed(record, lasting=lasting))
    except PaylinkError as error:
        if error.status in _STORED_FAILURES:
            envelope = json_response(error.status, failure(error, request.base_url))
            _keep(record, envelope)
        else:
            records.release(record, bootstrap.clock())
        raise
    if not secret_answer:
        _keep(record, response)
    return response


def _seed(record: IdempotencyRecord, *, lasting: bool) -> str:
    seed = f"{record.organization_id}\0{record.mode}\0{record.key}"
    return seed if lasting else f"{seed}\0{record.expires_at.astimezone(UTC).isoformat()}"


def _keep(record: IdempotencyRecord, response: Response) -> None:
    stored = StoredResponse(response.status, response.body)
    bootstrap.idempotency().answer(replace(record, response=stored))


def _replayed(response: Response) -> Response:
    return replace(response, headers={**response.headers, "idempotent-replayed": "true"})
