"""Outgoing webhooks: endpoints through the API, and events on their way to a receiver."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from commet import webhook_events as commet_events
from commet.resources.webhooks import Webhooks
from commet.webhook_events import _from_dict  # as its own `as_…` methods do
from standardwebhooks import Webhook

from paylink.adapters.dynamodb.packing import unpacked
from tests.integration.aws import BUS_NAME
from tests.integration.world import World, sample_event
from tests.receiver import Answer, Receiver, receiver

EVENTS = [
    "payment_link.created",
    "payment_link.completed",
    "payment_link.failed",
    "payment_link.canceled",
    "payment.received",
    "payment.failed",
    "payment.refunded",
    "payment.disputed",
    "payment.dispute_resolved",
    "payment_method.attached",
    "customer.created",
    "customer.updated",
    "invoice.created",
]


@pytest.fixture
def company() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def register(world: World, url: str, events: list[str] | None = None, **how: Any) -> dict[str, Any]:
    answer = world.webhooks("POST /webhooks", {"url": url, "events": events or EVENTS}, **how)
    assert answer.status == 201, answer.text
    return answer.data


def named(endpoint: dict[str, Any], **more: str) -> dict[str, dict[str, str]]:
    return {"parameters": {"webhookId": endpoint["id"], **more}}


def endpoint_now(world: World, endpoint: dict[str, Any]) -> dict[str, Any]:
    return world.webhooks("GET /webhooks/{webhookId}", **named(endpoint)).data


def deliveries(world: World, endpoint: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    route = "GET /webhooks/{webhookId}/deliveries"
    answer = world.webhooks(route, query=query or None, **named(endpoint))
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def fails(world: World, endpoint: dict[str, Any], attempts: int) -> dict[str, Any]:
    """A new customer whose event was attempted so often, each time when it was due."""
    made = world.customer({"email": "a@customer.example"})
    world.send_webhooks()
    found = next(
        d
        for d in deliveries(world, endpoint)
        if made["id"] in unpacked(bytes(world.aws.item(f"DELIVERY#{d['id']}")["body"]))
    )
    while len(found["attempts"]) < attempts:
        world.pass_time(hours=2)
        world.call_delivery(found["id"], endpoint["id"])
        found = next(d for d in deliveries(world, endpoint) if d["id"] == found["id"])
    return found


# -- endpoints


def test_an_endpoint_is_made_shown_changed_and_deleted(world: World, company: Receiver) -> None:
    made = register(world, company.url)
    assert made["secretKey"].startswith("whsec_")
    assert (made["object"], made["livemode"], made["isActive"]) == ("webhook", False, True)
    shown = {name: value for name, value in made.items() if name != "secretKey"}
    assert endpoint_now(world, made) == shown
    assert world.webhooks("GET /webhooks").json["data"] == [shown]
    for route in ("PATCH /webhooks/{webhookId}", "PUT /api/v1/webhooks/{webhookId}"):
        body = {"events": ["customer.created"], "description": route, "apiVersion": "1999-01-01"}
        changed = world.webhooks(route, body, **named(made)).data
        assert changed["events"] == ["customer.created"]
        assert (changed["description"], changed["url"]) == (route, company.url)
        assert changed["apiVersion"] == made["apiVersion"]
    route = "DELETE /webhooks/{webhookId}"
    assert world.webhooks(route, **named(made)).data == {
        "object": "webhook",
        "id": made["id"],
        "livemode": False,
        "deleted": True,
    }
    refused = world.webhooks(route, **named(made)).refused()
    assert refused == (404, "not_found_error", "webhook_not_found")


def test_the_secret_is_stored_nowhere_and_the_same_for_a_retry(
    world: World, company: Receiver
) -> None:
    first = register(world, company.url, key="K1")
    again = register(world, company.url, key="K1")
    assert again == first
    assert first["secretKey"] not in str(world.aws.items())
    assert first["secretKey"].removeprefix("whsec_") not in str(world.aws.items())
    other = register(world, company.url, key="K2")
    assert other["secretKey"] != first["secretKey"]
    assert len(world.webhooks("GET /webhooks").json["data"]) == 2


def test_a_deleted_endpoint_does_not_come_back_by_the_request_that_made_it(
    world: World, company: Receiver
) -> None:
    made = register(world, company.url, key="K1")
    assert world.webhooks("DELETE /webhooks/{webhookId}", **named(made)).status == 200
    again = world.webhooks("POST /webhooks", {"url": company.url, "events": EVENTS}, key="K1")
    assert again.refused() == (404, "not_found_error", "webhook_not_found")
    assert world.webhooks("GET /webhooks").json["data"] == []
    read = world.webhooks("GET /webhooks/{webhookId}", **named(made))
    assert read.refused() == (404, "not_found_error", "webhook_not_found")
    world.paid()
    world.send_webhooks()
    assert company.got == []


def test_pages_of_endpoints_are_newest_first(world: World, company: Receiver) -> None:
    made = [register(world, f"{company.url}/{number}")["id"] for number in range(3)]
    first = world.webhooks("GET /webhooks", query={"limit": "2"}).json
    assert [e["id"] for e in first["data"]] == made[:0:-1]
    rest = world.webhooks("GET /webhooks", query={"limit": "2", "cursor": first["nextCursor"]}).json
    assert ([e["id"] for e in rest["data"]], rest["hasMore"]) == (made[:1], False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": ["customer.created"]}, "url"),
        ({"url": "https://169.254.169.254/", "events": ["customer.created"]}, "url"),
        ({"url": "https://10.0.0.5/", "events": ["customer.created"]}, "url"),
        ({"url": 7, "events": ["customer.created"]}, "url"),
        ({"url": "https://hooks.example.com/", "events": []}, "events"),
        ({"url": "https://hooks.example.com/", "events": ["payment.sent"]}, "events"),
        ({"url": "https://hooks.example.com/", "events": "customer.created"}, "events"),
        (
            {
                "url": "https://hooks.example.com/",
                "events": ["customer.created"],
                "description": "\u202e",
            },
            "description",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_the_fields_name(
    world: World, body: dict[str, Any], field: str
) -> None:
    answer = world.webhooks("POST /webhooks", body)
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert answer.error["param"] == field
    assert world.webhooks("GET /webhooks").json["data"] == []


def test_x3_outside_the_local_stack_this_machine_is_refused(world: World) -> None:
    world.template.set_parameter("LocalWebhooks", "false")
    for url in ("http://127.0.0.1:9000/", "https://localhost./", "https://127.0.0.1"):
        answer = world.webhooks("POST /webhooks", {"url": url, "events": ["customer.created"]})
        assert answer.error["param"] == "url"


def test_strangers_see_and_change_nothing(world: World, company: Receiver) -> None:
    made = register(world, company.url)
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for stranger in (other, live):
        assert world.webhooks("GET /webhooks", seller=stranger).json["data"] == []
        for route in (
            "GET /webhooks/{webhookId}",
            "DELETE /webhooks/{webhookId}",
            "GET /webhooks/{webhookId}/deliveries",
            "POST /webhooks/{webhookId}/test",
            "POST /webhooks/{webhookId}/rotate-secret",
        ):
            assert world.webhooks(route, seller=stranger, **named(made)).status == 404


# -- events


def test_a_paid_link_is_told_with_all_members_and_verified_by_both_styles(
    world: World, company: Receiver
) -> None:
    endpoint = register(world, company.url)
    payment = world.paid()
    world.issue_invoices()
    world.send_webhooks()
    told = {got.headers["x-commet-event"]: got for got in company.got}
    assert set(told) == {
        "payment_link.created",
        "payment_link.completed",
        "payment.received",
        "payment_method.attached",
        "invoice.created",
    }
    assert len(company.got) == 5
    secret = endpoint["secretKey"]
    for name, got in told.items():
        raw = got.body.decode()
        body = Webhooks().verify_and_parse(
            raw_body=raw, signature=got.headers["x-commet-signature"], secret=secret
        )
        assert body is not None
        assert Webhook(secret).verify(raw, got.headers) == body
        assert set(body) == {
            *("id", "event", "timestamp", "organizationId"),
            *("mode", "apiVersion", "data"),
        }
        assert (body["event"], body["mode"]) == (name, "sandbox")
        assert body["id"].startswith("whev_")
        assert body["id"] == got.headers["x-commet-event-id"] == got.headers["webhook-id"]
        assert body["apiVersion"] == endpoint["apiVersion"]
        has_all_members(name, body["data"])
    completed = told["payment_link.completed"].json["data"]
    assert completed["paymentId"] == payment["id"]
    assert completed["amount"] == payment["amountTotal"]
    assert completed["invoiceNumber"].endswith("-000001")
    assert completed["paymentContext"] == {
        "reason": "one_time_payment",
        "paymentLinkId": payment["id"],
        "recovery": None,
    }
    received = told["payment.received"].json["data"]
    assert received["grossAmount"] == received["invoiceTotal"] == payment["amountTotal"]
    assert received["provider"] == "stripe"
    card = told["payment_method.attached"].json["data"]["card"]
    assert (card["brand"], card["last4"]) == ("visa", "4242")


def has_all_members(event: str, data: dict[str, Any]) -> None:
    """Every member of the client's class is there, and null only where the class lets it be."""
    class_name = "".join(part.title() for part in event.replace(".", "_").split("_")) + "Data"
    kind = getattr(commet_events, class_name)
    parsed = _from_dict(kind, data)
    for field in dataclasses.fields(kind):
        assert field.name in data, f"{event} lacks {field.name}"
        if "None" not in str(field.type):
            assert getattr(parsed, field.name) is not None, f"{event}: {field.name} is null"


def test_customers_declines_and_cancellations_are_told(world: World, company: Receiver) -> None:
    register(world, company.url)
    world.customer({"email": "a@customer.example"})
    declined = world.create()
    world.stripe.pay(world.checkout_url(declined["id"]), "4000 0000 0000 0002")
    world.deliver_everything()
    world.cancel(declined["id"])
    world.send_webhooks()
    told = {got.headers["x-commet-event"]: got.json["data"] for got in company.got}
    assert set(told) == {
        "payment_link.created",
        "customer.created",
        "payment_link.failed",
        "payment_link.canceled",
    }
    for name, data in told.items():
        has_all_members(name, data)
    assert told["payment_link.failed"]["failureCode"] == "card_declined"
    assert told["payment_link.canceled"]["reason"] == "requested"


def test_an_endpoint_gets_only_what_it_wants_and_a_deleted_one_nothing(
    world: World, company: Receiver
) -> None:
    register(world, f"{company.url}/customers", ["customer.created"])
    gone = register(world, f"{company.url}/gone")
    off = register(world, f"{company.url}/off")
    world.webhooks("DELETE /webhooks/{webhookId}", **named(gone))
    world.webhooks("PATCH /webhooks/{webhookId}", {"isActive": False}, **named(off))
    world.create()
    world.customer({"email": "a@customer.example"})
    world.send_webhooks()
    assert [(g.path, g.json["event"]) for g in company.got] == [("/customers", "customer.created")]
    assert deliveries(world, off) == []


def test_d6_an_event_that_comes_twice_is_delivered_once(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url)
    event = sample_event("fan_out_event")
    event["Records"][0]["body"] = event["Records"][0]["body"].replace(
        "org_example", world.seller.organization_id
    )
    for _ in range(3):
        assert world.invoke("fan_out_event", event) == {"batchItemFailures": []}
    world.send_webhooks()
    assert len(company.got) == 3  # link completed, payment received, invoice created
    for delivery in deliveries(world, endpoint):
        world.call_delivery(delivery["id"], endpoint["id"])
    assert len(company.got) == 3


def test_d6_of_many_calls_the_broken_one_alone_comes_again(world: World, company: Receiver) -> None:
    register(world, company.url)
    for _ in range(3):
        world.customer({"email": "a@customer.example"})
    world.fan_out()
    waiting = world._queued("deliver_webhooks", "failing")
    world.aws.fail_once("GetItem", matching=lambda p: "DELIVERY#" in str(p["Key"]), skip=1)
    answer = world.invoke("deliver_webhooks", waiting)
    broken = waiting["Records"][1]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": broken}]}
    assert len(company.got) == 2
    assert world.invoke("deliver_webhooks", waiting) == {"batchItemFailures": []}
    assert len(company.got) == 3


# -- failures


def test_o1_retries_grow_with_jitter_and_are_the_same_bytes(world: World) -> None:
    with receiver(lambda _path, before: Answer(200 if before == 3 else 500)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        done = fails(world, endpoint, 4)
        assert done["status"] == "succeeded"
        assert [a["responseCode"] for a in done["attempts"]] == [500, 500, 500, 200]
        assert len({got.body for got in company.got}) == 1
        assert len({got.headers["webhook-id"] for got in company.got}) == 1
        attempt = done["attempts"][0]
        assert set(attempt) == {"at", "responseCode", "error", "milliseconds"}


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """What was counted about webhooks since the last look."""
    sums: Counter[str] = Counter()
    for line in capsys.readouterr().out.splitlines():
        entry = json.loads(line)
        for name in ("DeliveryAttemptsFailed", "DeliveriesFailed", "EndpointsSwitchedOff"):
            sums[name] += sum(entry.get(name, ()))
    return {name: total for name, total in sums.items() if total}


def test_o1_after_eight_attempts_it_has_failed_and_after_three_such_events_the_endpoint_is_off(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiver(lambda _path, _before: Answer(500)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        for _ in range(2):
            failed = fails(world, endpoint, 8)
            assert (failed["status"], failed["nextAttemptAt"]) == ("failed", None)
            assert endpoint_now(world, endpoint)["isActive"] is True
        fails(world, endpoint, 8)
        assert len(company.got) == 24
        assert measured(capsys) == {"DeliveryAttemptsFailed": 24, "DeliveriesFailed": 3}
        assert endpoint_now(world, endpoint)["isActive"] is False
        assert endpoint_now(world, endpoint)["disabledReason"] == "failing"
        (told,) = [e for e in world.dispatch() if e["detail-type"] == "webhook_endpoint.disabled"]
        assert told["detail"]["data"]["endpointId"] == endpoint["id"]
        assert measured(capsys) == {"EndpointsSwitchedOff": 1}
        # What happens meanwhile is kept, to be sent once it is back.
        world.customer({"email": "b@customer.example"})
        world.send_webhooks()
        assert len(company.got) == 24
        assert len(deliveries(world, endpoint, status="failed")) == 4
        since = {"since": "2020-01-01T00:00:00Z"}
        route = "POST /webhooks/{webhookId}/resend"
        assert world.webhooks(route, since, **named(endpoint)).status == 400
        world.webhooks("PATCH /webhooks/{webhookId}", {"isActive": True}, **named(endpoint))
        company.answer = lambda _path, _before: Answer()
        resent = world.webhooks(route, since, **named(endpoint)).data
        assert (resent["resent"], resent["complete"]) == (4, True)
        world.send_webhooks()
        assert len(deliveries(world, endpoint, status="succeeded")) == 4
        assert len(company.got) == 28


def test_a_success_between_forgives_failures_before(world: World) -> None:
    with receiver(lambda _path, _before: Answer(500)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        fails(world, endpoint, 8)
        fails(world, endpoint, 8)
        company.answer = lambda _path, _before: Answer()
        assert fails(world, endpoint, 1)["status"] == "succeeded"
        company.answer = lambda _path, _before: Answer(500)
        fails(world, endpoint, 8)
        assert endpoint_now(world, endpoint)["isActive"] is True


def test_o1_410_ends_it_at_once(world: World) -> None:
    with receiver(lambda _path, _before: Answer(410)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        assert fails(world, endpoint, 1)["status"] == "failed"
        assert endpoint_now(world, endpoint)["disabledReason"] == "gone"
        assert len(company.got) == 1


def test_x3_a_redirect_is_not_followed(world: World) -> None:
    inside = "http://169.254.169.254/latest/meta-data/"
    with receiver(lambda _path, _before: Answer(302, location=inside)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        attempt = fails(world, endpoint, 1)["attempts"][0]
        assert (attempt["responseCode"], attempt["error"]) == (302, None)


def in_trouble(world: World, company: Receiver) -> dict[str, Any]:
    """An endpoint whose first event failed once, and whose second is waiting."""
    endpoint = register(world, company.url, ["customer.created"])
    fails(world, endpoint, 1)
    world.customer({"email": "b@customer.example"})
    world.fan_out()
    return endpoint


def test_an_endpoint_in_trouble_goes_by_the_other_queue_until_it_answers_well(
    world: World,
) -> None:
    with receiver(lambda _path, before: Answer(500 if before == 0 else 200)) as company:
        endpoint = in_trouble(world, company)
        assert world.aws.take_messages("prompt") == []
        assert len(world.aws.take_messages("failing")) == 1
        world.pass_time(hours=2)
        for delivery in deliveries(world, endpoint):
            world.call_delivery(delivery["id"], endpoint["id"])
        company.answer = lambda _path, _before: Answer()
        world.pass_time(hours=2)
        for delivery in deliveries(world, endpoint):
            world.call_delivery(delivery["id"], endpoint["id"])
        world.customer({"email": "c@customer.example"})
        world.fan_out()
        assert len(world.aws.take_messages("prompt")) == 1


def test_a_new_endpoint_holds_up_no_prompt_one_until_it_has_answered(
    world: World, company: Receiver
) -> None:
    endpoint = register(world, company.url, ["customer.created"])
    for _ in range(2):
        world.customer({"email": "a@customer.example"})
        world.fan_out()
        assert world.aws.take_messages("prompt") == []
        assert len(world.aws.take_messages("failing")) == 1
    world.call_delivery(deliveries(world, endpoint)[0]["id"], endpoint["id"])
    world.customer({"email": "a@customer.example"})
    world.fan_out()
    assert len(world.aws.take_messages("prompt")) == 1


def test_a_slow_endpoint_waits_for_no_failing_one(world: World) -> None:
    with receiver(lambda _path, _before: Answer(pause=2.1)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        world.customer({"email": "a@customer.example"})
        world.fan_out()
        for delivery in deliveries(world, endpoint):
            world.call_delivery(delivery["id"], endpoint["id"])
        assert len(company.got) == 1
        world.aws.take_messages("failing")
        world.customer({"email": "b@customer.example"})
        world.fan_out()
        assert world.aws.take_messages("prompt") == []
        assert len(world.aws.take_messages("slow")) == 1
        assert world.aws.take_messages("failing") == []


def test_a_call_that_comes_early_waits_on(world: World) -> None:
    with receiver(lambda _path, _before: Answer(500)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        delivery = fails(world, endpoint, 1)
        world.call_delivery(delivery["id"], endpoint["id"])
        assert len(company.got) == 1
        name, sent = world.aws.calls[-1]
        assert name == "SendMessageBatch"
        assert 50 < sent["Entries"][0]["DelaySeconds"] <= 72


def test_o1_an_attempt_whose_record_was_written_without_an_answer_has_a_next_one(
    world: World,
) -> None:
    with receiver(lambda _path, before: Answer(500 if before == 0 else 200)) as company:
        endpoint = in_trouble(world, company)
        world.aws.lose_answer_once("PutItem")
        waiting = deliveries(world, endpoint)[0]
        world.call_delivery(waiting["id"], endpoint["id"])
        assert world.aws.failures == []
        name, sent = world.aws.calls[-1]
        delivery = deliveries(world, endpoint)[0]
        assert (delivery["id"], delivery["status"]) == (waiting["id"], "pending")
        assert len(delivery["attempts"]) == 1
        assert name == "SendMessageBatch"
        assert delivery["id"] in sent["Entries"][0]["MessageBody"]
        assert 50 < sent["Entries"][0]["DelaySeconds"] <= 72


# -- by hand


def test_a_delivery_is_sent_again_with_the_same_body(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url, ["customer.created"])
    done = fails(world, endpoint, 1)
    route = "POST /webhooks/{webhookId}/deliveries/{deliveryId}/resend"
    again = world.webhooks(route, **named(endpoint, deliveryId=done["id"])).data
    assert again["status"] == "pending"
    world.send_webhooks()
    assert [g.body for g in company.got] == [company.got[0].body] * 2
    (delivery,) = deliveries(world, endpoint)
    assert (delivery["status"], len(delivery["attempts"])) == ("succeeded", 2)
    other = register(world, company.url)
    refused = world.webhooks(route, **named(other, deliveryId=done["id"]))
    assert refused.refused() == (404, "not_found_error", "webhook_not_found")


def test_a_test_event_says_at_once_how_it_went(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url)
    route = "POST /webhooks/{webhookId}/test"
    went = world.webhooks(route, key="T1", **named(endpoint)).data
    assert (went["success"], went["responseCode"]) == (True, 200)
    assert world.webhooks(route, key="T1", **named(endpoint)).data == went
    (got,) = company.got
    assert (got.json["event"], went["deliveryId"][:4]) == ("webhook.test", "whd_")
    company.answer = lambda _path, _before: Answer(503)
    went = world.webhooks(route, **named(endpoint)).data
    assert (went["success"], went["responseCode"]) == (False, 503)
    assert endpoint_now(world, endpoint)["isActive"] is True


def test_a_rotated_secret_overlaps_with_the_old_one(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url)
    route = "POST /webhooks/{webhookId}/rotate-secret"
    rotated = world.webhooks(route, {"overlapHours": 2}, key="R1", **named(endpoint)).data
    again = world.webhooks(route, {"overlapHours": 2}, key="R1", **named(endpoint)).data
    assert again == rotated
    old, new = endpoint["secretKey"], rotated["secretKey"]
    assert old != new
    world.webhooks("POST /webhooks/{webhookId}/test", **named(endpoint))
    during = company.got[-1]
    for secret in (old, new):
        assert Webhook(secret).verify(during.body.decode(), during.headers)
    style = Webhooks()
    signed = during.headers["x-commet-signature"]
    assert style.verify(payload=during.body.decode(), signature=signed, secret=old)
    world.pass_time(hours=3)
    world.webhooks("POST /webhooks/{webhookId}/test", **named(endpoint))
    after = company.got[-1]
    signed = after.headers["x-commet-signature"]
    assert style.verify(payload=after.body.decode(), signature=signed, secret=new)
    assert len(after.headers["webhook-signature"].split()) == 1


def test_after_its_day_the_same_key_rotates_again(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url)
    route = "POST /webhooks/{webhookId}/rotate-secret"
    first = world.webhooks(route, key="R1", **named(endpoint)).data
    world.pass_time(hours=25)
    second = world.webhooks(route, key="R1", **named(endpoint)).data
    assert second["secretKey"] != first["secretKey"]


def test_deliveries_are_forgotten_after_thirty_days(world: World, company: Receiver) -> None:
    endpoint = register(world, company.url, ["customer.created"])
    fails(world, endpoint, 1)
    (item,) = world.aws.items("DELIVERY#")
    assert float(item["ttl"]) - world.clock().timestamp() == pytest.approx(30 * 86400, abs=60)
    world.pass_time(days=31)
    assert deliveries(world, endpoint) == []


def test_events_that_no_endpoint_waits_for_are_on_the_bus_and_in_no_queue(
    world: World, company: Receiver
) -> None:
    register(world, company.url, ["payment_link.completed"])
    world.paid()
    told = [(e["detail-type"], e["detail"]["webhooks"]) for e in world.dispatch()]
    assert told == [
        ("payment.created", False),
        ("payment.succeeded", False),
        ("payment_method.attached", False),
    ]
    assert world.aws.take_messages("webhooks") == []
    world.issue_invoices()
    (message,) = world.aws.take_messages("webhooks")
    told = json.loads(message["Body"])
    assert (told["detail-type"], told["detail"]["webhooks"]) == ("invoice.issued", True)


def test_an_event_that_does_not_say_whether_it_is_waited_for_is_queued(world: World) -> None:
    """One of the version before, during an upgrade."""
    (envelope,) = sample_event("fan_out_event")["Records"]
    told = json.loads(envelope["body"])
    world.aws.take_bus_events()  # there is a bus now
    entry = {"Source": "paylink", "DetailType": told["detail-type"], "EventBusName": BUS_NAME}
    world.aws.events.put_events(Entries=[{**entry, "Detail": json.dumps(told["detail"])}])
    assert len(world.aws.take_messages("webhooks")) == 1


def three_waiting(world: World, company: Receiver) -> dict[str, Any]:
    """Events of one owner that come to `fan_out_event` together."""
    register(world, company.url, ["customer.created"])
    for _ in range(3):
        world.customer({"email": "a@customer.example"})
    world.dispatch()
    return world._queued("fan_out_event", "webhooks")


def test_the_events_of_a_run_read_endpoints_once_and_are_queued_together(
    world: World, company: Receiver
) -> None:
    waiting = three_waiting(world, company)
    world.aws.calls.clear()
    assert world.invoke("fan_out_event", waiting) == {"batchItemFailures": []}
    asked = [operation for operation, _ in world.aws.calls]
    assert asked == ["Query", *["PutItem"] * 3, "SendMessageBatch"]


def test_a_run_whose_calls_are_not_queued_comes_again_as_a_whole(
    world: World, company: Receiver
) -> None:
    waiting = three_waiting(world, company)
    world.aws.fail_once("SendMessageBatch")
    with pytest.raises(ClientError):
        world.invoke("fan_out_event", waiting)
    assert world.invoke("fan_out_event", waiting) == {"batchItemFailures": []}
    world.send_webhooks()
    assert len({delivery.headers["webhook-id"] for delivery in company.got}) == 3
    assert len(company.got) == 3


def test_an_event_that_cannot_be_kept_comes_again_and_the_others_are_queued(
    world: World, company: Receiver
) -> None:
    waiting = three_waiting(world, company)
    world.aws.fail_once("PutItem", skip=1)
    answer = world.invoke("fan_out_event", waiting)
    broken = waiting["Records"][1]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": broken}]}
    world.send_webhooks()
    assert len(company.got) == 2
    assert world.invoke("fan_out_event", {"Records": [waiting["Records"][1]]}) == {
        "batchItemFailures": []
    }
    world.send_webhooks()
    assert len(company.got) == 3
