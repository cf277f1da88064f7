"""Calls for deliveries, in a queue for each lane.

A call is sent as one of its endpoint's group, by which SQS keeps a queue fair: where many of one
group wait, those of the others go first. A queue waits for fifteen minutes at the longest; what is
due later comes early, and is sent on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from paylink.domain.webhook import Lane
from paylink.ports import DeliveryCall

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
_LONGEST_DELAY = timedelta(seconds=900)


class CallsNotSentError(Exception):
    """Some calls were not taken; sending all of them again does no harm."""


class SqsDeliveries:
    """Fulfils `paylink.ports.DeliveryQueue`."""

    def __init__(self, client: SQSClient, urls: Mapping[Lane, str]) -> None:
        self._client = client
        self._urls = urls

    def send(self, calls: Sequence[DeliveryCall], delay: timedelta = timedelta(0)) -> None:
        seconds = int(min(max(delay, timedelta(0)), _LONGEST_DELAY).total_seconds())
        for lane, url in self._urls.items():
            mine = [call for call in calls if call.lane == lane]
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
            "lane": call.lane,
        }
    )


def delivery_call(record: dict[str, Any]) -> DeliveryCall:
    """The call in one record of a queue's event."""
    body = json.loads(record["body"])
    return DeliveryCall(body["deliveryId"], body["endpointId"], body["lane"])
