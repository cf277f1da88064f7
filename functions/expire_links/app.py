"""Every minute: ends the links whose time is over at the schedule's own instant."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.observability import logger, run_by_aws
from paylink.services.sweep_payments import sweep_payments

# Enough for what is under way when the time is up: two slow calls to the provider.
RESERVE_MILLISECONDS = 25_000

bootstrap.ready(bootstrap.payments, bootstrap.providers)


@run_by_aws
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    sweep = sweep_payments(
        datetime.fromisoformat(event["time"]),
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        metrics=bootstrap.metrics(),
        clock=bootstrap.clock,
        time_left=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS,
    )
    logger.info("swept", extra=asdict(sweep))
    return asdict(sweep)
