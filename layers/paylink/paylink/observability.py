"""Structured logs: one JSON line each, with the ids that follow a payment through every hop.

Nothing but ids, states and counts is ever logged: no body, no header, no address, no key.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="paylink", location=None, use_rfc3339=True, utc=True)
"""Also the parent of every module's own ``paylink.…`` logger. Each message is of one place."""

# With logs as JSON, Lambda has everybody talk: Stripe's SDK of each request, botocore of its keys.
logging.getLogger().setLevel(logging.WARNING)

Answer = TypeVar("Answer")


def begin(request_id: str) -> None:
    """Lines from here on are of this run, and lead to its trace if X-Ray keeps one."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    trace = dict(part.partition("=")[::2] for part in header.split(";"))
    kept = trace.get("Root") if trace.get("Sampled") == "1" else None
    logger.clear_state()
    # Without the service, which the log's name says, and the trace that Powertools finds even where
    # there is none to be found.
    logger.append_keys(service=None, xray_trace_id=None, request_id=request_id, trace_id=kept)


def run_by_aws(
    handler: Callable[[dict[str, Any], LambdaContext], Answer],
) -> Callable[[dict[str, Any], LambdaContext], Answer]:
    """A handler that nobody waits for: its lines have the id of the run, as AWS names it, where
    those of a request have the caller's."""

    @wraps(handler)
    def run(event: dict[str, Any], context: LambdaContext) -> Answer:
        begin(context.aws_request_id)
        return handler(event, context)

    return run
