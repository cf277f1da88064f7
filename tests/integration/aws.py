"""The stack's AWS side on moto: table, bus, queue and bucket as the template has them.

moto is not fit for threads: a transaction that fails there takes back what others wrote meanwhile.
Tests of races run on the local stack.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from functools import cache
from typing import Any

import boto3
import botocore.client
from boto3.dynamodb.types import TypeDeserializer
from moto.backends import get_backend

from tests.integration.template import ACCOUNT, REGION, STACK_NAME, Template

TABLE_NAME = "paylink-test-table"
BUCKET_NAME = "paylink-test-invoices"
BUS_NAME = "paylink-test-events"

RECEIPT_SENDER = "receipts@studio.example"

DEAD_LETTERS = (
    "DispatchDeadLetters",
    "InvoiceDeadLetters",
    "InvoiceRuleDeadLetters",
    "MailDeadLetters",
    "MailRuleDeadLetters",
    "SurplusDeadLetters",
    "SurplusRuleDeadLetters",
    "WebhookDeadLetters",
    "WebhookRuleDeadLetters",
    "DeliveryDeadLetters",
    "ExpireDeadLetters",
    "HearingDeadLetters",
)
"""As the template names them, and so their queues here."""

PHYSICAL_IDS = {
    "Api": "a1b2c3d4e5",
    "Table": TABLE_NAME,
    "InvoiceBucket": BUCKET_NAME,
    "EventBus": BUS_NAME,
    "IssueInvoice": f"{STACK_NAME}-issue_invoice",
    **{
        resource: f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        for resource, name in {
            "InvoiceQueue": "invoices",
            "MailQueue": "mails",
            "SurplusQueue": "surplus",
            "WebhookQueue": "webhooks",
            "PromptQueue": "prompt",
            "SlowQueue": "slow",
            "FailingQueue": "failing",
            **{name: name for name in DEAD_LETTERS},
        }.items()
    },
}
_NOT_OF_CREATE_TABLE = {
    "PointInTimeRecoverySpecification",
    "TimeToLiveSpecification",
    "StreamSpecification",
}

Saved = tuple[list[Any], dict[str, str]]

_real_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
_deserializer = TypeDeserializer()


TABLE_WRITES = ("TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem")


@dataclass
class Failure:
    """One call to AWS that shall fail; ``skip`` matching ones go through before."""

    operations: tuple[str, ...]
    code: str
    skip: int = 0
    after: bool = False
    """The call is done first: the answer is lost, not the request."""
    repeated: bool = False
    """It is done and its answer lost, and the SDK's own retry is answered."""
    matching: Callable[[dict[str, Any]], bool] = lambda _parameters: True


class Clients:
    """Made once: moto takes their calls in every test anew."""

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb")
        self.s3 = boto3.client("s3")
        self.ssm = boto3.client("ssm")
        self.events = boto3.client("events")
        self.sqs = boto3.client("sqs")
        self.sesv2 = boto3.client("sesv2")


@cache
def clients() -> Clients:
    return Clients()


@dataclass
class Aws:
    """What a test sees of AWS, and what it may break."""

    template: Template
    failures: list[Failure] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    run_function: Callable[[str, dict[str, Any]], Any] = lambda _name, _event: None
    """Runs a function by its folder's name."""
    _streamed: int = 0
    _queues: dict[str, str] | None = None

    def __post_init__(self) -> None:
        made = clients()
        self.dynamodb, self.s3 = made.dynamodb, made.s3
        self.ssm, self.events, self.sqs = made.ssm, made.events, made.sqs
        self.sesv2 = made.sesv2

    def create(self) -> None:
        properties = self.template.properties("Table")
        definition = {n: v for n, v in properties.items() if n not in _NOT_OF_CREATE_TABLE}
        stream = {"StreamEnabled": True, **properties["StreamSpecification"]}
        self.dynamodb.create_table(TableName=TABLE_NAME, StreamSpecification=stream, **definition)
        self.dynamodb.update_time_to_live(
            TableName=TABLE_NAME, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )
        self.sesv2.create_email_identity(EmailIdentity=RECEIPT_SENDER)
        self.s3.create_bucket(
            Bucket=BUCKET_NAME, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def _bus(self) -> dict[str, str]:
        """URLs of the rules' queues and of one that gets everything; made with the bus when first
        needed, since most tests don't."""
        if self._queues is None:
            patterns = {
                "invoices": self.template.properties("InvoiceRule")["EventPattern"],
                "mails": self.template.properties("MailRule")["EventPattern"],
                "surplus": self.template.properties("SurplusRule")["EventPattern"],
                "webhooks": self.template.properties("WebhookRule")["EventPattern"],
                "everything": {"source": [{"prefix": ""}]},
            }
            self.events.create_event_bus(Name=BUS_NAME)
            self._queues = {name: self._rule(name, pattern) for name, pattern in patterns.items()}
            for name in ("prompt", "slow", "failing"):
                self._queues[name] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return self._queues

    def _rule(self, name: str, pattern: dict[str, Any]) -> str:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.events.put_rule(Name=name, EventBusName=BUS_NAME, EventPattern=json.dumps(pattern))
        self.events.put_targets(
            Rule=name, EventBusName=BUS_NAME, Targets=[{"Id": "queue", "Arn": arn}]
        )
        return url

    # -- trouble

    def fail_once(self, operation: str, code: str = "InternalServerError", **how: Any) -> None:
        """The next such call fails as if the SDK had given up retrying.

        ``write`` is any write of the table: a single one needs no transaction.
        """
        operations = TABLE_WRITES if operation == "write" else (operation,)
        self.failures.append(Failure(operations, code, **how))

    def lose_answer_once(self, operation: str, **how: Any) -> None:
        """The next such call is made twice: its answer is lost, and the SDK tries again."""
        self.fail_once(operation, repeated=True, **how)

    def call(self, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        """Stands in for every call of every client."""
        if operation == "DescribeStacks":
            return self._stack(parameters)
        if operation in {"PutEvents", "SendMessageBatch"}:
            self._bus()
        self.calls.append((operation, parameters))
        if operation == "Invoke":
            return self._invoke(parameters)
        for failure in self.failures:
            if "API_KEY#" in str(parameters.get("Key")):
                continue  # when a key was used is noted beside the request's own work
            if operation not in failure.operations or not failure.matching(parameters):
                continue
            if failure.skip:
                failure.skip -= 1
                continue
            self.failures.remove(failure)
            if failure.after or failure.repeated:
                _real_call(client, operation, parameters)
            if failure.repeated:
                break
            error = {"Error": {"Code": failure.code, "Message": "asked for by a test"}}
            raise client.exceptions.from_code(failure.code)(error, operation)
        return _real_call(client, operation, parameters)

    def _stack(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """CloudFormation's part, which moto has only with a long list of further packages."""
        outputs = [
            {"OutputKey": name, "OutputValue": value}
            for name, value in self.template.outputs().items()
        ]
        return {"Stacks": [{"StackName": parameters["StackName"], "Outputs": outputs}]}

    def _invoke(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Lambda's part, which moto has only with docker."""
        folder = parameters["FunctionName"].removeprefix(f"{STACK_NAME}-")
        try:
            answer = self.run_function(folder, json.loads(parameters["Payload"]))
        except Exception as error:
            failure = {"errorMessage": str(error), "errorType": type(error).__name__}
            payload = io.BytesIO(json.dumps(failure).encode())
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}

    # -- what is stored

    def items(self, prefix: str = "") -> list[dict[str, Any]]:
        """Every item whose partition key begins so, without its encoding."""
        found = self.dynamodb.scan(TableName=TABLE_NAME)["Items"]
        decoded = [{n: _deserializer.deserialize(v) for n, v in i.items()} for i in found]
        return sorted(
            (item for item in decoded if item["pk"].startswith(prefix)),
            key=lambda item: (item["pk"], item["sk"]),
        )

    def item(self, prefix: str) -> dict[str, Any]:
        (found,) = self.items(prefix)
        return found

    def objects(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET_NAME).get("Contents", [])
        return {
            found["Key"]: self.s3.get_object(Bucket=BUCKET_NAME, Key=found["Key"])["Body"].read()
            for found in listed
        }

    def mails(self) -> list[EmailMessage]:
        """Every message that SES took, oldest first."""
        return [
            message_from_string(sent.raw_data, policy=policy.default)
            for sent in get_backend("ses")[ACCOUNT][REGION].sent_messages
        ]

    def save(self) -> Saved:
        """Items and parameters, to begin another test with."""
        items = self.dynamodb.scan(TableName=TABLE_NAME)["Items"]
        names = self.ssm.describe_parameters()["Parameters"]
        found = self.ssm.get_parameters(Names=[n["Name"] for n in names], WithDecryption=True)
        return items, {p["Name"]: p["Value"] for p in found["Parameters"]}

    def load(self, saved: Saved) -> None:
        items, parameters = saved
        requests: Any = [{"PutRequest": {"Item": item}} for item in items]
        self.dynamodb.batch_write_item(RequestItems={TABLE_NAME: requests})
        for name, value in parameters.items():
            self.ssm.put_parameter(Name=name, Value=value, Type="SecureString")

    # -- what is on its way

    def new_stream_records(self) -> list[dict[str, Any]]:
        """What the stream brought since the last call, as far as the template's filter lets by."""
        # moto's streams answer no client, so they are read where it keeps them.
        table = get_backend("dynamodb")[ACCOUNT][REGION].tables[TABLE_NAME]
        filters = self.template.properties("DispatchEventsSource")["FilterCriteria"]["Filters"]
        fresh = table.stream_shard.items[self._streamed :]
        self._streamed += len(fresh)
        records = [_as_lambda_gets_it(record.to_json()) for record in fresh]
        return [r for r in records if any(_lets_by(json.loads(f["Pattern"]), r) for f in filters)]

    def take_messages(self, queue: str) -> list[dict[str, Any]]:
        """Messages of a rule's queue, with what moto's queue and Lambda's source name alike."""
        return self._take(self._bus()[queue])

    def take_bus_events(self) -> list[dict[str, Any]]:
        """Everything that came over the bus since the last call."""
        return [json.loads(message["Body"]) for message in self._take(self._bus()["everything"])]

    def _take(self, url: str) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        while True:
            batch = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            messages = batch.get("Messages", [])
            if not messages:
                return taken
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += messages


def _lets_by(pattern: dict[str, Any], record: dict[str, Any]) -> bool:
    """As much of the filters' language as the template uses."""
    for name, wanted in pattern.items():
        if isinstance(wanted, dict):
            if not isinstance(record.get(name), dict) or not _lets_by(wanted, record[name]):
                return False
        else:
            assert wanted == [{"exists": True}], f"not read here: {wanted}"
            # Only a leaf counts as being there: never an object or a list.
            if not isinstance(record.get(name), str):
                return False
    return True


def _as_lambda_gets_it(record: dict[str, Any]) -> dict[str, Any]:
    """The event source mapping's JSON has seconds where the SDK has a date."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    shown: dict[str, Any] = json.loads(json.dumps({**record, "dynamodb": change}, default=str))
    return shown
