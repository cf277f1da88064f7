"""Messages that nobody could handle, back on the queue that they were for.

SQS's own redrive knows only queues that gave up on their messages. What the bus could not hand on
lies in queues without a source, so all are moved the same way: sent, then deleted. A crash between
the two leaves a message twice, which every consumer bears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
_HIDDEN_SECONDS = 120


class DeadLetters:
    def __init__(self, client: SQSClient) -> None:
        self._client = client

    def count(self, url: str) -> int:
        """How many there are, roughly, with those that somebody is looking at."""
        found = self._client.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(int(number) for number in found["Attributes"].values())

    def replay(self, url: str, target: str) -> int:
        """Moves what is there to the target, and says how many."""
        moved = 0
        while True:
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=1,  # a short poll asks a few of SQS's servers only
                MessageSystemAttributeNames=["MessageGroupId"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return moved
            for message in messages:
                group = message.get("Attributes", {}).get("MessageGroupId")
                fair: dict[str, Any] = {"MessageGroupId": group} if group else {}
                self._client.send_message(QueueUrl=target, MessageBody=message["Body"], **fair)
                self._client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
