"""Every hour: handles what Stripe could not tell us, as if its webhooks had come."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.observability import logger, run_by_aws
from paylink.services.hear_undelivered import HearingPorts, hear_undelivered

# Enough for the event that is under way when the time is up: two slow calls to the provider.
RESERVE_MILLISECONDS = 25_000

bootstrap.ready(bootstrap.organizations, bootstrap.payments, bootstrap.providers)


@run_by_aws
def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    hearing = hear_undelivered(
        HearingPorts(
            organizations=bootstrap.organizations(),
            payments=bootstrap.payments(),
            providers=bootstrap.providers(),
            metrics=bootstrap.metrics(),
            clock=bootstrap.clock,
            deployment_id=bootstrap.settings().deployment_id,
            time_left=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS,
        )
    )
    logger.info("heard", extra=asdict(hearing))
    return asdict(hearing)
