"""What the functions are run against: a local stack of its own, whose functions and webhooks rest,
so that nothing but the measured process works; and the payments that they are run on.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from local.settings import ADMINISTRATOR, ROOT, client, read_json

_LOCAL = ROOT / ".venv-local/bin/python"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Stack:
    """A running local stack, made for the benchmarks and ended with them."""

    def __init__(self, state: Path) -> None:
        ports = _free_ports(3)
        self._environment = {
            **os.environ,
            "PAYLINK_LOCAL_STATE": str(state),
            **dict(zip(("PORT", "STRIPE_PORT", "AWS_PORT"), map(str, ports), strict=True)),
        }
        self._run("up")
        self.facts: dict[str, str] = read_json(state / "stack.json")
        seed = read_json(state / "seed.json")
        self.stripe_key = next(k for k in seed["stripeKeys"] if k.startswith("sk_test_"))
        self._caller = {"x-api-key": self.facts["apiKey"], "content-type": "application/json"}
        self._rest()

    def close(self) -> None:
        self._run("down")

    def variables(self, function: str, aws_url: str, stripe_url: str) -> dict[str, str]:
        """What a function is given, named by its folder, with the addresses of its upstreams."""
        found = client("lambda", self.facts["awsEndpointUrl"]).get_function_configuration(
            FunctionName=f"{self.facts['stackName']}-{function}"
        )
        given: dict[str, str] = found["Environment"]["Variables"]
        return {
            **given,
            **ADMINISTRATOR,
            "AWS_ENDPOINT_URL": aws_url,
            "STRIPE_API_BASE": stripe_url,
            # The measured calls are more than one key may make in a minute.
            "RATE_LIMIT_PER_MINUTE": "1000000",
        }

    def payment(self) -> dict[str, Any]:
        """A new link, as the API answers."""
        body = {"amount": 4900, "currency": "eur", "description": "Consulting, one hour"}
        answer = self._request(
            f"{self.facts['apiUrl']}/payments",
            self._caller,
            json.dumps(body).encode(),
        )
        made: dict[str, Any] = answer["data"]
        return made

    def paid(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """Payments whose money has come, and the events that tell of it and were not delivered."""
        payments = [self.payment()["id"] for _ in range(count)]
        for payment in payments:
            self._pay(self._session_url(payment))
        told: dict[str, dict[str, Any]] = {}
        query = {"type": "checkout.session.completed", "limit": "100"}
        while not told.keys() >= set(payments):
            page = self._stripe("GET", f"/v1/events?{urllib.parse.urlencode(query)}")["data"]
            told |= {event["data"]["object"]["metadata"]["payment_id"]: event for event in page}
            query["starting_after"] = page[-1]["id"]
        return [(payment, told[payment]) for payment in payments]

    def settle(self, told: dict[str, Any]) -> None:
        """Has the stack itself hear of a payment that was paid."""
        body = json.dumps(told)
        headers = {"stripe-signature": self.signed(body), "content-type": "application/json"}
        self._request(self.facts["stripeWebhookUrl"], headers, body.encode())

    def event_of_intent(self, payment_id: str) -> dict[str, Any]:
        """Stripe's other event of a paid checkout."""
        query = {"type": "payment_intent.succeeded", "limit": "100"}
        while True:
            page = self._stripe("GET", f"/v1/events?{urllib.parse.urlencode(query)}")["data"]
            for event in page:
                if event["data"]["object"]["metadata"]["payment_id"] == payment_id:
                    return dict(event)
            query["starting_after"] = page[-1]["id"]

    def signed(self, body: str) -> str:
        """The header of Stripe's scheme v1."""
        now = int(time.time())
        secret = self.facts["stripeWebhookSecret"].encode()
        mac = hmac.new(secret, f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
        return f"t={now},v1={mac}"

    def stream_record(self, payment_id: str) -> dict[str, Any]:
        """The table's news of a payment, as its stream would bring it."""
        dynamodb = client("dynamodb", self.facts["awsEndpointUrl"])
        key = {"pk": {"S": f"PAYMENT#{payment_id}"}, "sk": {"S": "PAYMENT"}}
        image = dynamodb.get_item(TableName=self.facts["tableName"], Key=key)["Item"]
        return {
            "eventID": payment_id,
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": "1"},
        }

    def endpoint(self, url: str) -> str:
        """The id of the only endpoint that is told of issued invoices: a new one."""
        webhooks = f"{self.facts['apiUrl']}/webhooks"
        for earlier in self._request(f"{webhooks}?limit=100", self._caller)["data"]:
            self._request(f"{webhooks}/{earlier['id']}", self._caller, method="DELETE")
        wanted = json.dumps({"url": url, "events": ["invoice.created"]}).encode()
        return str(self._request(webhooks, self._caller, wanted)["data"]["id"])

    def deliveries(self, endpoint_id: str, count: int) -> dict[str, Any]:
        """What the queue brings of as many new webhooks to an endpoint, all due."""
        record = sample("fan_out_event")["Records"][0]
        records = []
        for number in range(count):
            body = json.loads(record["body"])
            body["detail"] |= {
                "id": f"evt_{uuid.uuid4().hex[:26]}",
                "organizationId": self.facts["organizationId"],
            }
            records.append(record | {"messageId": str(number), "body": json.dumps(body)})
        functions = client("lambda", self.facts["awsEndpointUrl"])
        functions.invoke(
            FunctionName=f"{self.facts['stackName']}-fan_out_event",
            Payload=json.dumps({"Records": records}),
        )
        kept = f"{self.facts['apiUrl']}/webhooks/{endpoint_id}/deliveries?limit={count}"
        call = sample("deliver_webhooks")["Records"][0]
        return {
            "Records": [
                call
                | {
                    "messageId": delivery["id"],
                    "body": json.dumps(
                        {
                            "deliveryId": delivery["id"],
                            "endpointId": endpoint_id,
                            "lane": "failing",
                        }
                    ),
                }
                for delivery in self._request(kept, self._caller)["data"]
            ]
        }

    def _rest(self) -> None:
        """Stops everything that the stack would do by itself."""
        address = self.facts["awsEndpointUrl"]
        functions = client("lambda", address)
        for source in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
        events = client("events", address)
        for bus in ("default", self.facts["eventBusName"]):
            for rule in events.list_rules(EventBusName=bus)["Rules"]:
                events.disable_rule(Name=rule["Name"], EventBusName=bus)
        self._request(
            f"{self.facts['stripeControlUrl']}/webhooks/drop",
            {"content-type": "application/json"},
            b"{}",
        )

    def _session_url(self, payment_id: str) -> str:
        request = urllib.request.Request(f"{self.facts['apiUrl']}/pay/{payment_id}", method="GET")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        with opener.open(request, timeout=30) as answer:
            return str(answer.headers["location"])

    def _pay(self, session_url: str) -> None:
        form = {
            "email": "buyer@customer.example",
            "name": "Bea Buyer",
            "country": "DE",
            "postal": "10115",
            "vat": "",
            "cvc": "123",
            "method": "card",
            "card": "4242 4242 4242 4242",
            "expiry": "12 / 34",
        }
        self._request(
            session_url.partition("#")[0],
            {"accept": "application/json"},
            urllib.parse.urlencode(form).encode(),
        )

    def _stripe(self, method: str, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._request(
            f"{self.facts['stripeUrl']}{path}",
            {"authorization": f"Bearer {self.stripe_key}"},
            method=method,
        )
        return answer

    def _request(
        self,
        url: str,
        headers: dict[str, str],
        body: bytes | None = None,
        method: str | None = None,
    ) -> Any:
        request = urllib.request.Request(url, body, headers, method=method)
        with _NO_PROXY.open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def _run(self, command: str) -> None:
        subprocess.run(
            [_LOCAL, "-m", "local", command],
            cwd=ROOT,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def sample(function: str) -> Any:
    """The sample event that the tests load, too."""
    return json.loads((ROOT / "events" / f"{function}.json").read_text())


class _NoRedirect(urllib.request.HTTPErrorProcessor):
    """A link's answer is where it leads."""

    def http_response(self, _request: Any, response: Any) -> Any:
        return response


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        with closing(listener):
            pass
    return ports
