"""The outbox: from an item's write to the bus, nothing lost and nothing told twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.world import World, sample_event


def test_the_sample_event_announces_only_what_is_new(world: World) -> None:
    answer = world.invoke("dispatch_events", sample_event("dispatch_events"))
    assert answer == {"batchItemFailures": []}
    (event,) = world.aws.take_bus_events()
    assert event["source"] == "paylink"
    assert event["detail-type"] == "payment.succeeded"
    assert event["detail"]["id"] == "evt_00000000000000000000000001"
    assert event["detail"]["organizationId"] == "org_example"
    assert event["detail"]["mode"] == "sandbox"
    assert event["detail"]["data"]["amount"] == 5831
    assert event["detail"]["data"]["customerId"] == "cus_example"
    assert event["detail"]["data"]["paymentTransactionId"] == "txn_example"
    assert event["detail"]["data"]["subPaymentMethod"] == "visa"


def test_the_streams_own_records_reach_the_bus_and_the_invoice_queue(world: World) -> None:
    payment = world.paid({"description": "請求書 فاتورة 😀"})
    events = world.dispatch()
    assert [event["detail-type"] for event in events] == [
        "payment.created",
        "payment.succeeded",
        "payment_method.attached",
    ]
    assert all(e["detail"]["data"]["description"] == "請求書 فاتورة 😀" for e in events[:2])
    assert len({event["detail"]["id"] for event in events}) == 3
    (message,) = world.aws.take_messages("invoices")
    assert json.loads(message["Body"])["detail"]["data"]["paymentId"] == payment["id"]


def test_a_change_that_announces_nothing_repeats_nothing(world: World) -> None:
    """The outbox stays on its item until the next one replaces it, so both images have it."""
    (record,) = sample_event("dispatch_events")["Records"]
    record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"]
    assert world.invoke("dispatch_events", {"Records": [record]}) == {"batchItemFailures": []}
    assert world.aws.take_bus_events() == []


def test_of_an_outbox_that_grew_only_the_new_part_is_announced(world: World) -> None:
    (record,) = sample_event("dispatch_events")["Records"]
    images = record["dynamodb"]
    old, new = (json.loads(images[name]["outbox"]["S"]) for name in ("OldImage", "NewImage"))
    images["NewImage"]["outbox"]["S"] = json.dumps([*old, *new])
    world.invoke("dispatch_events", {"Records": [record]})
    (event,) = world.aws.take_bus_events()
    assert event["detail-type"] == "payment.succeeded"


def test_records_without_images_or_outbox_are_harmless(world: World) -> None:
    (record,) = sample_event("dispatch_events")["Records"]
    change = record["dynamodb"]
    bare = {n: v for n, v in change.items() if n not in {"NewImage", "OldImage"}}
    removed = {**bare, "OldImage": change["NewImage"]}
    records = [
        {**record, "dynamodb": bare},
        {**record, "eventName": "REMOVE", "dynamodb": removed},
        {**record, "dynamodb": {**bare, "NewImage": {"pk": {"S": "x"}, "sk": {"S": "y"}}}},
    ]
    assert world.invoke("dispatch_events", {"Records": records}) == {"batchItemFailures": []}
    assert world.aws.take_bus_events() == []


def copies(count: int) -> list[dict[str, Any]]:
    """Records of one event each, in the stream's order."""
    (record,) = sample_event("dispatch_events")["Records"]
    made = []
    for number in range(count):
        copy = json.loads(json.dumps(record))
        image = json.dumps(copy["dynamodb"]["NewImage"]).replace(
            "evt_00000000000000000000000001", f"evt_{number:026d}x"
        )
        copy["dynamodb"]["NewImage"] = json.loads(image)
        copy["dynamodb"]["SequenceNumber"] = f"{1000 + number}"
        made.append(copy)
    return made


def test_a_batch_of_a_hundred_goes_out_whole(world: World) -> None:
    assert world.invoke("dispatch_events", {"Records": copies(25)}) == {"batchItemFailures": []}
    assert len(world.aws.take_bus_events()) == 25


def test_a_request_is_never_larger_than_the_bus_takes(world: World) -> None:
    records = copies(12)
    for record in records:
        outbox = record["dynamodb"]["NewImage"]["outbox"]
        (event,) = json.loads(outbox["S"])
        event["more"] = {f"note {n}": "請" * 500 for n in range(40)}
        outbox["S"] = json.dumps([event])
    assert world.invoke("dispatch_events", {"Records": records}) == {"batchItemFailures": []}
    sent = [parameters["Entries"] for name, parameters in world.aws.calls if name == "PutEvents"]
    assert [len(entries) for entries in sent] == [4, 4, 4]
    for entries in sent:
        texts = [e[name] for e in entries for name in ("Source", "DetailType", "Detail")]
        assert sum(len(text.encode()) for text in texts) + 14 * len(entries) <= 256 * 1024
    order = [json.loads(entry["Detail"])["id"] for entries in sent for entry in entries]
    assert order == [f"evt_{number:026d}x" for number in range(12)]


def test_d6_a_refused_entry_is_reported_and_comes_again(world: World) -> None:
    """The bus takes all but one of a batch: the stream replays from that one, and only from it."""
    records = copies(12)

    def put(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        answer = real(client, operation, parameters)
        if operation == "PutEvents":
            for entry, shown in zip(parameters["Entries"], answer["Entries"], strict=True):
                if "0000000000000000000000007x" in entry["Detail"]:
                    shown.clear()
                    shown.update(ErrorCode="ThrottlingException", ErrorMessage="slow down")
        return answer

    real = world.aws.call
    world.aws.call = put  # type: ignore[method-assign]
    answer = world.invoke("dispatch_events", {"Records": records})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1007"}]}
    world.aws.call = real  # type: ignore[method-assign]
    world.aws.take_bus_events()
    assert world.invoke("dispatch_events", {"Records": records[7:]}) == {"batchItemFailures": []}
    again = [event["detail"]["id"] for event in world.aws.take_bus_events()]
    assert again[0] == f"evt_{7:026d}x"


def test_a_bus_that_is_down_fails_the_whole_call(world: World) -> None:
    """An exception makes Lambda replay the batch; an empty answer would lose it."""
    world.aws.fail_once("PutEvents")
    records = copies(3)
    with pytest.raises(ClientError):
        world.invoke("dispatch_events", {"Records": records})
    assert world.invoke("dispatch_events", {"Records": records}) == {"batchItemFailures": []}
    assert len(world.aws.take_bus_events()) == 3
