"""Calls for deliveries, in two queues: one for endpoints that answer well, one for the others.

A call is sent as one of its endpoint's group, by which SQS keeps a queue fair: where many of one
group wait, those of the others go first. A queue waits for fifteen minutes at the longest; what is
due later comes early, and is sent on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from paylink.ports import DeliveryCall

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
_LONGEST_DELAY = timedelta(seconds=900)


class CallsNotSentError(Exception):
    """Some calls were not taken; sending all of them again does no harm."""


class SqsDeliveries:
    """Fulfils `paylink.ports.DeliveryQueue`."""

    def __init__(self, client: SQSClient, queue_url: str, trouble_queue_url: str) -> None:
        self._client = client
        self._urls = {False: queue_url, True: trouble_queue_url}

    def send(self, calls: Sequence[DeliveryCall], delay: timedelta = timedelta(0)) -> None:
        seconds = int(min(max(delay, timedelta(0)), _LONGEST_DELAY).total_seconds())
        for in_trouble, url in self._urls.items():
            mine = [call for call in calls if call.in_trouble is in_trouble]
            for start in range(0, len(mine), _BATCH):
                answer = self._client.send_message_batch(
                    QueueUrl=url,
                    Entries=[
                        {
                            "Id": str(position),
                            "MessageBody": _text(call),
                            "DelaySeconds": seconds,
                            "MessageGroupId": call.endpoint_id,
                        }
                        for position, call in enumerate(mine[start : start + _BATCH])
                    ],
                )
                if answer.get("Failed"):
                    raise CallsNotSentError([entry["Code"] for entry in answer["Failed"]])


def _text(call: DeliveryCall) -> str:
    return json.dumps(
        {
            "deliveryId": call.delivery_id,
            "endpointId": call.endpoint_id,
            "inTrouble": call.in_trouble,
        }
    )


def delivery_call(record: dict[str, Any]) -> DeliveryCall:
    """The call in one record of a queue's event."""
    body = json.loads(record["body"])
    return DeliveryCall(body["deliveryId"], body["endpointId"], body["inTrouble"])
