"""Structured logs: one JSON line each, with the ids that follow a payment through every hop.

Nothing but ids, states and counts is ever logged: no body, no header, no address, no key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="paylink")
"""Also the parent of every module's own ``paylink.…`` logger."""

Answer = TypeVar("Answer")


def run_by_aws(
    handler: Callable[[dict[str, Any], LambdaContext], Answer],
) -> Callable[[dict[str, Any], LambdaContext], Answer]:
    """A handler that nobody waits for: its lines have the id of the run, as AWS names it, where
    those of a request have the caller's."""

    @wraps(handler)
    def run(event: dict[str, Any], context: LambdaContext) -> Answer:
        logger.clear_state()
        logger.append_keys(request_id=context.aws_request_id)
        return handler(event, context)

    return run
