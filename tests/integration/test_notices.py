"""From a webhook endpoint that was switched off to the mail that its owner gets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.aws import RECEIPT_SENDER
from tests.integration.test_receipts import failures_of
from tests.integration.test_webhooks_out import endpoint_now, fails, register
from tests.integration.world import World
from tests.receiver import Answer, receiver

OWNER = "billing@example.com"


def switched_off(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """An endpoint that said it was gone, and what the mails' queue holds then."""
    with receiver(lambda _path, _before: Answer(410)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        fails(world, endpoint, 1)
    assert endpoint_now(world, endpoint)["isActive"] is False
    world.dispatch()
    event = world.mail_event()
    assert len(event["Records"]) == 1
    return endpoint, event


def test_the_owner_of_a_switched_off_endpoint_is_told_once(world: World) -> None:
    endpoint, event = switched_off(world)
    for _ in range(3):
        assert failures_of(world, event) == []
    (mail,) = world.aws.mails()
    assert str(mail["To"]) == OWNER
    assert mail["From"].addresses[0].addr_spec == RECEIPT_SENDER
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        said = body.get_content()
        assert endpoint["url"] in said
        assert "410" in said
        assert f"POST /webhooks/{endpoint['id']}/resend" in said
    world.webhooks(
        "PATCH /webhooks/{webhookId}", {"isActive": True}, parameters={"webhookId": endpoint["id"]}
    )
    assert failures_of(world, event) == []
    assert len(world.aws.mails()) == 1


def test_a_claim_whose_answer_was_lost_keeps_the_owner_from_nothing(world: World) -> None:
    _, event = switched_off(world)
    world.aws.lose_answer_once("UpdateItem", matching=lambda p: "NOTICE#" in str(p["Key"]))
    assert failures_of(world, event) == []
    assert world.aws.failures == []
    assert len(world.aws.mails()) == 1


def test_of_a_failing_one_the_owner_is_told_with_its_last_event(world: World) -> None:
    with receiver(lambda _path, _before: Answer(500)) as company:
        endpoint = register(world, company.url, ["customer.created"])
        for _ in range(3):
            world.dispatch()
            assert world.mail_event() == {"Records": []}
            fails(world, endpoint, 8)
    world.dispatch()
    assert failures_of(world, world.mail_event()) == []
    (mail,) = world.aws.mails()
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Drei Ereignisse hintereinander" in text.get_content()


@pytest.mark.parametrize("code", ["TooManyRequestsException", "MessageRejected", "LimitExceeded"])
def test_a_failing_mail_service_touches_nothing_and_is_tried_again(world: World, code: str) -> None:
    endpoint, event = switched_off(world)
    before = endpoint_now(world, endpoint), world.aws.items("DELIVERY#")
    world.aws.fail_once("SendEmail", code)
    assert failures_of(world, event) == [event["Records"][0]["messageId"]]
    assert (endpoint_now(world, endpoint), world.aws.items("DELIVERY#")) == before
    assert failures_of(world, event) == []
    assert len(world.aws.mails()) == 1


def test_an_owner_who_cannot_be_written_to_is_no_failure(world: World) -> None:
    _, event = switched_off(world)
    world.aws.fail_once("SendEmail", "BadRequestException")
    for _ in range(2):
        assert failures_of(world, event) == []
    assert world.aws.mails() == []


@pytest.mark.parametrize("address", ["nobody", ""])
def test_without_an_address_nobody_is_told_and_nothing_fails(world: World, address: str) -> None:
    world.operator("organizations", "update", world.seller.organization_id, "--email", address)
    _, event = switched_off(world)
    assert failures_of(world, event) == []
    assert world.aws.mails() == []


def test_without_a_sender_nobody_is_told_and_nothing_fails(world: World) -> None:
    world.template.set_parameter("ReceiptSender", "")
    _, event = switched_off(world)
    assert failures_of(world, event) == []
    assert world.aws.mails() == []
