"""What callers, buyers and the clock do to the local stack, as races and crashes need it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from typing import Any

import httpx

from tests.local.stack import Stack, wait_for

BUYER = {"email": "anna@example.com", "name": "Anna Example", "country": "DE", "postal": "10115"}
CARD = {"card": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}


class Api:
    """A key of its own, with a minute's allowance of its own, used by many threads."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        headers = {"x-api-key": stack.about["apiKey"]}
        made = stack.http.post("/api-keys", json={"name": "a test's"}, headers=headers)
        assert made.status_code == 201, made.text
        self._headers = {"x-api-key": str(made.json()["data"]["apiKey"])}

    def post(
        self, path: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response:
        return self.ask("POST", path, body, key)

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response:
        headers = self._headers | ({"idempotency-key": key} if key else {})
        while True:
            answer = self.stack.http.request(method, path, json=body, headers=headers)
            if answer.status_code != 429:
                return answer
            time.sleep(float(answer.headers["retry-after"]))

    def create(self, **fields: Any) -> dict[str, Any]:
        body = {"amount": 4900, "currency": "eur", "description": "Consulting", **fields}
        answer = self.post("/payments", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    def cancel(self, payment: dict[str, Any]) -> str:
        return said(self.post(f"/payments/{payment['id']}/cancel"))


def said(answer: httpx.Response) -> str:
    """The status, and the code if it is an error of ours."""
    if answer.status_code < 400:
        return str(answer.status_code)
    code = answer.json().get("error", {}).get("code", "by the gateway")
    return f"{answer.status_code} {code}"


def pay(stack: Stack, session: str, **fields: str) -> bool:
    """Sends the checkout page's form; whether it was still open, and nothing was declined."""
    answer = stack.sandbox.post(
        f"{stack.about['stripeUrl']}/c/pay/{session}",
        data={**BUYER, **CARD, **fields},
        headers={"accept": "application/json"},
    )
    if answer.status_code == 402 and answer.json()["message"]:
        return False
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"]) != f"/c/pay/{session}"


def sweep(stack: Stack, client: Any, moment: datetime) -> dict[str, int]:
    """The counts of one run of the sweep at a moment that may lie ahead."""
    answer = client.invoke(
        FunctionName=f"{stack.about['stackName']}-expire_links",
        Payload=json.dumps({"time": moment.isoformat()}),
    )
    counts = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, counts
    assert counts["failed"] == counts["left"] == 0, counts
    return dict(counts)


def with_ended_session(api: Api) -> tuple[dict[str, Any], str]:
    """A link whose first session, the second value, has ended at the provider a moment ago."""
    payment = api.create()
    first = api.stack.session_of(payment)
    api.stack.control("POST", f"checkout_sessions/{first}/expire")
    return payment, first


def with_two_sessions(api: Api) -> tuple[dict[str, Any], tuple[str, str]]:
    """A link with two sessions that both can be paid, as when one was wrongly taken for ended."""
    stack = api.stack
    payment = api.create()
    first = stack.session_of(payment)
    stack.aws("dynamodb").update_item(
        TableName=stack.about["tableName"],
        Key={"pk": {"S": f"PAYMENT#{payment['id']}"}, "sk": {"S": "PAYMENT"}},
        UpdateExpression="SET sessions[0].ended = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )
    answer = stack.http.post(payment["url"])
    assert answer.status_code == 303, answer.text
    second = session_at(answer)
    assert second != first
    return payment, (first, second)


def session_at(answer: httpx.Response) -> str:
    """The session that a redirect leads to."""
    return answer.headers["location"].split("/c/pay/")[1].split("#")[0]


def await_page(stack: Stack, payment: dict[str, Any]) -> None:
    """Until the news of the end has come, and the link offers the next session."""
    wait_for(lambda: stack.http.get(payment["url"]).status_code == 200, "the pay page")


def customer_with_card(api: Api) -> str:
    """The caller's own id of a customer with a vaulted card."""
    own = f"own-{uuid.uuid4()}"
    made = api.post("/customers", {"email": "anna@example.com", "id": own})
    assert made.status_code == 201, made.text
    payment = api.create(customerId=own)
    assert pay(api.stack, api.stack.session_of(payment))
    api.stack.await_payment(payment["id"], status="succeeded")
    return own


def charge(api: Api, customer: str, key: str | None = None) -> httpx.Response:
    body = {"amount": 700, "currency": "eur", "description": "Hours", "customerId": customer}
    return api.post("/payments/charge", body, key)
