"""Off the bus, by its queue: sends back money that came twice for one payment."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.services.return_surplus import return_surplus

processor = BatchProcessor(event_type=EventType.SQS)
bootstrap.ready(bootstrap.payments, bootstrap.providers)


def give_back(record: SQSRecord) -> None:
    received = record.json_body["detail"]["data"]
    return_surplus(
        received["paymentId"],
        received["transactionId"],
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        clock=bootstrap.clock,
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event, give_back, processor, context)
