"""Starts the AWS emulator, MiniStack, with three behaviours that the stack needs and it lacks.

Run by the emulator's own environment.

It takes a function's answer to a batch of stream records as success even if it names failed
records (`batchItemFailures`), and goes on: those events would be lost. AWS tries again from the
first failed record; here the whole batch is tried again, which consumers must bear anyway, since
delivery is at least once.

It restores how far a stream was read, but not the stream: after a restart it would wait for as many
new records as it had read before. It begins anew instead.

It speaks plain http on this machine's loopback, which the bucket's policy refuses. The policy stays
as it will be on AWS; requests count as encrypted (`aws:SecureTransport`).
"""

from __future__ import annotations

from typing import Any

from ministack import app
from ministack.services import lambda_svc

_execute = lambda_svc._execute_function


def _execute_and_see_partial_failures(func: dict[str, Any], event: Any) -> Any:
    result = _execute(func, event)
    records = event.get("Records") if isinstance(event, dict) else None
    if not records or records[0].get("eventSource") != "aws:dynamodb" or result.get("error"):
        return result
    body = result.get("body")
    if isinstance(body, dict) and body.get("batchItemFailures"):
        return {**result, "error": True, "body": {"errorMessage": f"failed: {body}"}}
    return result


lambda_svc._execute_function = _execute_and_see_partial_failures

_load_persisted_state = lambda_svc.load_persisted_state


def _load_without_stream_positions(data: dict[str, Any]) -> None:
    _load_persisted_state({**data, "dynamodb_stream_positions": {}})


lambda_svc.load_persisted_state = _load_without_stream_positions

_pin_request_origin = app.pin_request_origin
app.pin_request_origin = lambda address, _secure: _pin_request_origin(address, True)

if __name__ == "__main__":
    app.main()
