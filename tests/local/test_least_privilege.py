"""Each function's role is tried with its own credentials: what its policy grants works, and nothing
else does.

What is granted is read from the template, so a new function, queue or right is tried as well. What
is tried changes nothing where it is granted: keys that nothing has, conditions that never hold,
requests that the service refuses once it has let them in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.stack import Stack
from tests.template.test_template import FUNCTIONS, QUEUES, as_list, statements

# Requests that can't be right are sent all the same, and one that is denied isn't tried again.
AS_IT_IS = Config(parameter_validation=False, retries={"total_max_attempts": 1})

NOTHING = {"pk": {"S": "LEAST#PRIVILEGE"}, "sk": {"S": "NONE"}}
NEVER = "attribute_exists(pk) AND attribute_not_exists(pk)"
NOBODY = "nobody"
"""Stands for a resource that no policy names."""

Physical = Callable[[str], str]


TABLE, BUCKET, LOGOS, SECRETS, SENDER = (
    "Table.Arn",
    "${InvoiceBucket.Arn}/*",
    "${InvoiceBucket.Arn}/logos/*",
    "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/*",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${ReceiptSender}",
)


@dataclass(frozen=True)
class Attempt:
    """``resource`` is written as the template's policies have it."""

    action: str
    resource: str
    service: str
    call: Callable[[Any, Physical], object]


def query(index: str | None, key: str) -> Callable[[Any, Physical], object]:
    where = {"IndexName": index} if index else {}
    return lambda db, at: db.query(
        TableName=at("Table"),
        KeyConditionExpression="#k = :k",
        ExpressionAttributeNames={"#k": key},
        ExpressionAttributeValues={":k": {"S": "NONE"}},
        **where,
    )


def as_text(resource: object) -> str:
    match resource:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": [str(text), *_]} | {"Fn::Sub": str(text)} | str(text):
            return text
    raise LookupError(resource)


@cache
def granted(function: str) -> frozenset[tuple[str, str]]:
    """Pairs of action and resource, by the function's properties in the template."""
    config = FUNCTIONS[function].get("EventInvokeConfig", {}).get("DestinationConfig", {})
    # SAM adds this right to the role itself.
    failures = [("sqs:SendMessage", as_text(to["Destination"])) for to in config.values()]
    rights = {
        (action, as_text(resource))
        for name, statement in statements()
        if name == function
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    logos = {(action, LOGOS) for action, resource in rights if resource == BUCKET}
    return frozenset([*failures, *rights, *logos])


def on_queue(action: str, queue: str) -> Attempt:
    call: Callable[[Any, str], object] = {
        "sqs:SendMessage": lambda sqs, url: sqs.send_message(QueueUrl=url),
        "sqs:ReceiveMessage": lambda sqs, url: sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=11
        ),
    }[action]
    return Attempt(action, f"{queue}.Arn", "sqs", lambda sqs, at: call(sqs, at(queue)))


def mail_from(sender: str) -> Callable[[Any, Physical], object]:
    text = {"Data": "A mail of the test of least privilege"}
    return lambda ses, _: ses.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": ["nobody@example.com"]},
        Content={"Simple": {"Subject": text, "Body": {"Text": text}}},
    )


# fmt: off
ATTEMPTS = [
    # The table
    Attempt("dynamodb:GetItem", TABLE, "dynamodb", lambda db, at: db.get_item(
        TableName=at("Table"), Key=NOTHING)),
    Attempt("dynamodb:BatchGetItem", TABLE, "dynamodb", lambda db, at: db.batch_get_item(
        RequestItems={at("Table"): {"Keys": [NOTHING]}})),
    Attempt("dynamodb:Query", TABLE, "dynamodb", query(None, "pk")),
    Attempt("dynamodb:Query", "${Table.Arn}/index/due", "dynamodb", query("due", "due_shard")),
    Attempt("dynamodb:Query", "${Table.Arn}/index/listed", "dynamodb", query("listed", "list_key")),
    Attempt("dynamodb:Query", "${Table.Arn}/index/by_customer", "dynamodb",
            query("by_customer", "customer_key")),
    Attempt("dynamodb:PutItem", TABLE, "dynamodb", lambda db, at: db.put_item(
        TableName=at("Table"), Item=NOTHING, ConditionExpression=NEVER)),
    Attempt("dynamodb:UpdateItem", TABLE, "dynamodb", lambda db, at: db.update_item(
        TableName=at("Table"), Key=NOTHING, ConditionExpression=NEVER)),
    Attempt("dynamodb:DeleteItem", TABLE, "dynamodb", lambda db, at: db.delete_item(
        TableName=at("Table"), Key=NOTHING, ConditionExpression=NEVER)),
    Attempt("dynamodb:ConditionCheckItem", TABLE, "dynamodb", lambda db, at:
            db.transact_write_items(TransactItems=[{"ConditionCheck": {
                "TableName": at("Table"), "Key": NOTHING, "ConditionExpression": NEVER}}])),
    Attempt("dynamodb:GetItem", NOBODY, "dynamodb", lambda db, _: db.get_item(
        TableName="another-table", Key=NOTHING)),
    Attempt("dynamodb:Scan", NOBODY, "dynamodb", lambda db, at: db.scan(
        TableName=at("Table"), Limit=1)),
    Attempt("dynamodb:DeleteTable", NOBODY, "dynamodb", lambda db, at: db.delete_table(
        TableName=at("Table"))),
    Attempt("dynamodb:ListStreams", "*", "dynamodbstreams", lambda db, at: db.list_streams(
        TableName=at("Table"))),
    # Secrets
    Attempt("ssm:GetParameter", SECRETS, "ssm", lambda ssm, at: ssm.get_parameter(
        Name=f"/{at('AWS::StackName')}/none", WithDecryption=True)),
    Attempt("ssm:GetParameter", NOBODY, "ssm", lambda ssm, at: ssm.get_parameter(
        Name=f"/{at('AWS::StackName')}-other/none", WithDecryption=True)),
    Attempt("ssm:GetParametersByPath", NOBODY, "ssm", lambda ssm, at: ssm.get_parameters_by_path(
        Path=f"/{at('AWS::StackName')}", Recursive=True)),
    Attempt("ssm:PutParameter", NOBODY, "ssm", lambda ssm, at: ssm.put_parameter(
        Name=f"/{at('AWS::StackName')}/least-privilege", Value="x", Type="String")),
    # Documents
    Attempt("s3:GetObject", BUCKET, "s3", lambda s3, at: s3.get_object(
        Bucket=at("InvoiceBucket"), Key="none")),
    Attempt("s3:GetObject", LOGOS, "s3", lambda s3, at: s3.get_object(
        Bucket=at("InvoiceBucket"), Key="logos/none")),
    Attempt("s3:PutObject", BUCKET, "s3", lambda s3, at: s3.put_object(
        Bucket=at("InvoiceBucket"), Key="none", Body=b"", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")),
    Attempt("s3:GetObject", NOBODY, "s3", lambda s3, _: s3.get_object(
        Bucket="paylink-artifacts", Key="template.json")),
    Attempt("s3:ListBucket", NOBODY, "s3", lambda s3, at: s3.list_objects_v2(
        Bucket=at("InvoiceBucket"))),
    Attempt("s3:DeleteObject", NOBODY, "s3", lambda s3, at: s3.delete_object(
        Bucket=at("InvoiceBucket"), Key="none")),
    # The bus, other functions, mail
    Attempt("events:PutEvents", "EventBus.Arn", "events", lambda bus, at: bus.put_events(
        Entries=[{"EventBusName": at("EventBus"), "Source": "test", "DetailType": "test",
                  "Detail": "{}"}])),
    Attempt("events:PutEvents", NOBODY, "events", lambda bus, _: bus.put_events(
        Entries=[{"EventBusName": "default", "Source": "test", "DetailType": "test",
                  "Detail": "{}"}])),
    Attempt("lambda:InvokeFunction", "IssueInvoice.Arn", "lambda", lambda functions, at:
            functions.invoke(FunctionName=at("IssueInvoice"), InvocationType="DryRun")),
    Attempt("lambda:InvokeFunction", NOBODY, "lambda", lambda functions, at:
            functions.invoke(FunctionName=at("ReturnSurplus"), InvocationType="DryRun")),
    Attempt("lambda:UpdateFunctionCode", NOBODY, "lambda", lambda functions, at:
            functions.update_function_code(FunctionName=at("CreatePayment"), ZipFile=b"")),
    Attempt("ses:SendEmail", SENDER, "sesv2", mail_from("receipts@example.com")),
    Attempt("ses:SendEmail", NOBODY, "sesv2", mail_from("billing@example.com")),
    Attempt("iam:CreateUser", NOBODY, "iam", lambda iam, _: iam.create_user(UserName="intruder")),
    # Queues
    on_queue("sqs:SendMessage", "InvoiceQueue"),
    on_queue("sqs:ReceiveMessage", "InvoiceDeadLetters"),
    *(on_queue(action, queue) for action in ("sqs:SendMessage", "sqs:ReceiveMessage")
      for queue in QUEUES
      if any((action, f"{queue}.Arn") in granted(function) for function in FUNCTIONS)),
    Attempt("sqs:DeleteMessage", "InvoiceQueue.Arn", "sqs", lambda sqs, at: sqs.delete_message(
        QueueUrl=at("InvoiceQueue"), ReceiptHandle="none")),
    Attempt("sqs:ChangeMessageVisibility", "InvoiceQueue.Arn", "sqs", lambda sqs, at:
            sqs.change_message_visibility(
                QueueUrl=at("InvoiceQueue"), ReceiptHandle="none", VisibilityTimeout=0)),
    Attempt("sqs:GetQueueAttributes", "InvoiceQueue.Arn", "sqs", lambda sqs, at:
            sqs.get_queue_attributes(QueueUrl=at("InvoiceQueue"))),
    Attempt("sqs:PurgeQueue", NOBODY, "sqs", lambda sqs, at: sqs.purge_queue(
        QueueUrl=at("InvoiceDeadLetters"))),
]
# fmt: on


@pytest.fixture(scope="module")
def physical(stack: Stack) -> Physical:
    """A logical id's counterpart on the stack."""
    name = stack.about["stackName"]
    described = stack.aws("cloudformation").describe_stack_resources(StackName=name)
    ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in described["StackResources"]}
    return {**ids, "AWS::StackName": name}.__getitem__


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One for all, since reading what a service looks like takes longer than asking it."""
    return boto3.Session()


def clients_as(session: boto3.Session, stack: Stack, function: str) -> dict[str, Any]:
    """Of all services that are tried, with the credentials of a function's role."""
    role = stack.aws("lambda").get_function_configuration(FunctionName=function)["Role"]
    assumed = stack.aws("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return {
        service: session.client(
            service,
            endpoint_url=stack.about["awsEndpointUrl"],
            region_name=stack.about["region"],
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
            config=AS_IT_IS,
        )
        for service in {attempt.service for attempt in ATTEMPTS}
    }


def is_denied(attempt: Attempt, client: Any, physical: Physical) -> bool:
    try:
        attempt.call(client, physical)
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return False


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_its_policy_grants_and_nothing_else(
    stack: Stack, session: boto3.Session, physical: Physical, function: str
) -> None:
    clients = clients_as(session, stack, physical(function))
    done: set[tuple[str, str]] = set()
    denied: set[tuple[str, str]] = set()
    for attempt in ATTEMPTS:
        refused = is_denied(attempt, clients[attempt.service], physical)
        (denied if refused else done).add((attempt.action, attempt.resource))
    may = granted(function)
    assert done == may & (done | denied)
    assert denied
    assert done or not may


def test_every_right_that_any_function_has_is_tried() -> None:
    tried = {attempt.action for attempt in ATTEMPTS}
    rights = {action for function in FUNCTIONS for action, _ in granted(function)}
    # The emulator knows no stream by its ARN, so nobody may read one; SES counts raw mail as mail.
    assert rights - tried == {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "ses:SendRawEmail",
    }
