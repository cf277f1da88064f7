"""What every run of these tests ends with, a look for secrets, finds those that there are."""

from __future__ import annotations

import time

import pytest

from tests.local.leaks import PERSONAL, SECRETS, found_in, leaks
from tests.local.stack import Stack

KEY = "ck_live_" + "a1B2" * 10


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"a request of {KEY}", "an API key"),
        ("Bearer sk_test_51Habc", "a key of Stripe's"),
        ("{'secret': 'whsec_XjyWmo4O'}", "a webhook's secret"),
        (f"t=1795597757,v1={'0a' * 32}", "a signature"),
        ("webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=", "a signature"),
        ("charged 4242424242424242", "a card number"),
        ("charged 4000 0000 0000 0002", "a card number"),
        ("mail to anna.b+c@example.com", "an e-mail address"),
        ("GET /documents/inv_1?token=1798189727.0a1b", "a link to a document"),
    ],
)
def test_a_secret_is_found(text: str, kind: str) -> None:
    assert found_in(text, SECRETS | PERSONAL) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "prefix ck_live_a1B2, request 1795597757740262, ending in 4242",
        "pay_ZHFT7JDMRUziVCjcofg7C9OwwU of org_sIYU3QMt4L2u7buq1U0sC9MqJZ, evt_vchKOjbFxpeiGw5g",
        "POST /api/v1/payments, a***@example.com",
    ],
)
def test_what_logs_are_for_is_none(text: str) -> None:
    assert found_in(text, SECRETS | PERSONAL) == []


def test_logs_and_items_of_the_stack_are_looked_through(stack: Stack) -> None:
    logs, db = stack.aws("logs"), stack.aws("dynamodb")
    where = {"logGroupName": "leaks", "logStreamName": "leaks"}
    key = {"pk": {"S": "LEAKS"}, "sk": {"S": "LEAKS"}}
    logs.create_log_group(logGroupName="leaks")
    logs.create_log_stream(**where)
    try:
        now = round(time.time() * 1000)
        logs.put_log_events(**where, logEvents=[{"timestamp": now, "message": f"with {KEY}"}])
        db.put_item(TableName=stack.about["tableName"], Item=key | {"kept": {"S": KEY}})
        assert leaks(stack) == [
            f"an API key in the log leaks: with {KEY}",
            "an API key in the item LEAKS LEAKS",
        ]
    finally:
        logs.delete_log_group(logGroupName="leaks")
        db.delete_item(TableName=stack.about["tableName"], Key=key)
