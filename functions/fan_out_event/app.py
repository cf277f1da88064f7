"""Off the bus, by its queue: makes the deliveries of each event that webhooks tell of."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.adapters.eventbridge import domain_event
from paylink.services.fan_out_event import fan_out_event

processor = BatchProcessor(event_type=EventType.SQS)
bootstrap.ready(bootstrap.webhooks, bootstrap.delivery_queue)


def fan_out(record: SQSRecord) -> None:
    fan_out_event(
        domain_event(record.json_body),
        webhooks=bootstrap.webhooks(),
        queue=bootstrap.delivery_queue(),
        clock=bootstrap.clock,
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event, fan_out, processor, context)
