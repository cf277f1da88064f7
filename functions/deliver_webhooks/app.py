"""Off the queues of three lanes: calls webhook endpoints, many at a time."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.adapters.sqs import delivery_call
from paylink.observability import run_by_aws
from paylink.services.deliver_webhook import deliver_webhooks

bootstrap.ready(bootstrap.delivery_ports)


@run_by_aws
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    calls = {record["messageId"]: delivery_call(record) for record in event["Records"]}
    failed = deliver_webhooks(list(calls.values()), bootstrap.delivery_ports())
    again = [message for message, call in calls.items() if call in failed]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}
