"""What nobody could handle: how much there is, and once its cause is mended, another try."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError


@dataclass(frozen=True)
class DeadLetterQueue:
    """``output`` names the stack's output with its URL, ``source`` that of where they go back."""

    output: str
    source: str | None
    meaning: str


QUEUES = {
    "dispatch": DeadLetterQueue(
        "DispatchDeadLettersUrl",
        None,
        "changes of the table that did not come onto the bus; a message says where in the table's"
        " stream they are, not what they are",
    ),
    "invoice": DeadLetterQueue(
        "InvoiceDeadLettersUrl", "InvoiceQueueUrl", "payments whose invoice could not be issued"
    ),
    "invoice-rule": DeadLetterQueue(
        "InvoiceRuleDeadLettersUrl", "InvoiceQueueUrl", "payments the bus could not hand on"
    ),
    "mail": DeadLetterQueue(
        "MailDeadLettersUrl", "MailQueueUrl", "receipts and notices that could not be sent"
    ),
    "mail-rule": DeadLetterQueue(
        "MailRuleDeadLettersUrl", "MailQueueUrl", "such mails the bus could not hand on"
    ),
    "surplus": DeadLetterQueue(
        "SurplusDeadLettersUrl", "SurplusQueueUrl", "money that came twice and is not returned yet"
    ),
    "surplus-rule": DeadLetterQueue(
        "SurplusRuleDeadLettersUrl", "SurplusQueueUrl", "such money the bus could not hand on"
    ),
    "webhook": DeadLetterQueue(
        "WebhookDeadLettersUrl", "WebhookQueueUrl", "events not made into webhook deliveries"
    ),
    "webhook-rule": DeadLetterQueue(
        "WebhookRuleDeadLettersUrl", "WebhookQueueUrl", "such events the bus could not hand on"
    ),
    "delivery": DeadLetterQueue(
        "DeliveryDeadLettersUrl", "FailingQueueUrl", "calls of webhooks that could not be handled"
    ),
    "expire": DeadLetterQueue(
        "ExpireDeadLettersUrl", None, "runs of the sweep that failed; the next run does their work"
    ),
    "hearing": DeadLetterQueue(
        "HearingDeadLettersUrl", None, "hourly runs that failed; the next run does their work"
    ),
}


def add_to(things: Any) -> None:
    """The actions of ``paylink dead-letters``."""
    dead_letters = things.add_parser("dead-letters", help="what nobody could handle")
    actions = dead_letters.add_subparsers(required=True, metavar="list|replay")
    add_action(actions, "list", list_queues, "how many there are in each queue, and what they are")
    replayed = add_action(actions, "replay", replay, "send them back to where they were going")
    replayed.add_argument("queue", choices=sorted(QUEUES))


def list_queues(deployment: Deployment, _options: argparse.Namespace) -> dict[str, Any]:
    return {
        name: {
            "messages": deployment.dead_letters.count(deployment.outputs[queue.output]),
            "meaning": queue.meaning,
            "replayable": queue.source is not None,
        }
        for name, queue in QUEUES.items()
    }


def replay(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    queue = QUEUES[options.queue]
    if queue.source is None:
        raise UsageError(f"{options.queue} can't be replayed: {queue.meaning}")
    outputs = deployment.outputs
    moved = deployment.dead_letters.replay(outputs[queue.output], outputs[queue.source])
    return {"queue": options.queue, "replayed": moved}
