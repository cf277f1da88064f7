"""How often a call asks the table, once its container knows its caller: each time is a wait."""

from __future__ import annotations

from tests.integration.world import Answer, World, http_event

COMPLETED = "checkout.session.completed"


def asked(world: World) -> list[str]:
    return [operation for operation, _ in world.aws.calls]


def page(world: World) -> Answer:
    headers = {"x-api-key": world.seller.api_key}
    event = http_event(
        "get_payment", route="GET /payments", headers=headers, query={"limit": "100"}
    )
    return world.http("payments", event)


def test_a_link_is_two_writes_and_one_call_to_the_provider(world: World) -> None:
    world.post_payment(key="first")
    world.aws.calls.clear()
    world.stripe.forget_requests()
    assert world.post_payment(key="second").status == 201
    assert asked(world) == ["PutItem", "PutItem"]
    assert len(world.stripe.requests()) == 1


def test_a_containers_first_link_reads_its_caller_settings_and_secrets_besides(
    world: World,
) -> None:
    def first_link(key: str) -> list[str]:
        world.new_container("create_payment")
        world.aws.calls.clear()
        assert world.post_payment(key=key).status == 201
        return asked(world)

    caller, use, settings, secrets = "GetItem", "UpdateItem", "GetItem", "GetParameter"
    assert first_link("a") == [caller, use, settings, secrets, "PutItem", "PutItem"]
    # That the key is in use was noted within the minute.
    assert first_link("b") == [caller, settings, secrets, "PutItem", "PutItem"]


def test_money_that_came_is_one_read_and_one_write(world: World) -> None:
    for _ in range(2):
        world.stripe.pay(world.checkout_url(world.create()["id"]))
    for event in world.provider_events(COMPLETED):
        world.aws.calls.clear()
        assert world.deliver(event).json["outcome"] == "succeeded"
    assert asked(world) == ["GetItem", "TransactWriteItems"]


def test_the_second_word_of_a_payment_is_one_read_and_asks_nobody(world: World) -> None:
    world.paid()
    for event_type in (COMPLETED, "payment_intent.succeeded"):
        world.aws.calls.clear()
        world.stripe.forget_requests()
        told = {**world.provider_event(event_type), "id": f"evt_again_{event_type}"}
        assert world.deliver(told).json["outcome"] == "succeeded"
    assert asked(world) == ["GetItem"]
    assert world.stripe.requests() == []


def test_a_payment_is_one_read(world: World) -> None:
    payment = world.create()
    world.payment(payment["id"])
    world.aws.calls.clear()
    world.payment(payment["id"])
    assert asked(world) == ["BatchGetItem"]  # with its invoice, if there is one


def test_invoices_of_a_batch_are_three_reads_one_write_and_their_pdfs(world: World) -> None:
    for _ in range(3):
        world.paid()
    world.dispatch()
    event = world.invoice_event()
    world.aws.calls.clear()
    assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    settings, number = "GetItem", "GetItem"  # the first once a minute
    reads = ["BatchGetItem", settings, number]
    assert asked(world) == [*reads, "TransactWriteItems", *["PutObject"] * 3]


def test_a_list_is_its_shards_side_by_side_and_one_batch(world: World) -> None:
    for _ in range(3):
        world.create()
    page(world)
    world.aws.calls.clear()
    assert len(page(world).json["data"]) == 3
    assert asked(world) == ["Query"] * 4 + ["BatchGetItem"]
