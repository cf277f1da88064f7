"""What a guest's paid payment costs in write units: docs/data-model.md explains each of them."""

from __future__ import annotations

from tests.integration.test_webhooks_out import register
from tests.integration.world import World
from tests.integration.write_units import Cost, spent
from tests.receiver import receiver


def total(costs: list[Cost]) -> int:
    return sum(units for _, units in costs)


def test_a_guests_link_is_five_units(world: World) -> None:
    world.post_payment(key="first")
    with spent(world) as costs:
        assert world.post_payment(key="second").status == 201
    assert costs == [("IDEMPOTENCY", 1), ("PAYMENT", 2), ("due", 1), ("listed", 1)]
    assert total(costs) == 5


def test_without_a_key_it_is_four(world: World) -> None:
    world.create()
    with spent(world) as costs:
        world.create()
    assert costs == [("PAYMENT", 2), ("due", 1), ("listed", 1)]


def test_news_that_a_guest_paid_are_fourteen_units(world: World) -> None:
    world.stripe.pay(world.checkout_url(world.create()["id"]))
    event = world.provider_event("checkout.session.completed")
    with spent(world) as costs:
        assert world.deliver(event).json["outcome"] == "succeeded"
    assert costs == [
        ("PAYMENT", 4),
        ("due", 1),
        ("by_customer", 1),
        ("TRANSACTION", 2),
        ("listed", 1),
        ("CUSTOMER", 2),
        ("listed", 1),
        ("PAYMENT_METHOD", 2),
    ]
    assert total(costs) == 14


def test_an_invoice_that_comes_alone_is_eight_units(world: World) -> None:
    for _ in range(2):  # the series has begun
        world.paid()
        with spent(world) as costs:
            world.issue_invoices()
    assert costs == [("NUMBERS", 2), ("INVOICE", 4), ("listed", 1), ("by_customer", 1)]


def test_a_webhook_is_three_units_whatever_it_tells_of(world: World) -> None:
    with receiver() as company:
        register(world, company.url)
        world.create()
        world.send_webhooks()  # the first that gets there is noted on the endpoint as well
        world.paid({"description": "Consulting, one hour, and the way there and back"})
        world.issue_invoices()
        with spent(world) as costs:
            world.send_webhooks()
    told = len(company.got) - 1
    assert told > 3
    assert costs == [("DELIVERY", 1), ("by_customer", 1)] * told + [("DELIVERY", 1)] * told


def test_opening_reading_and_news_that_say_nothing_new_write_nothing(world: World) -> None:
    payment = world.create(key="k")
    with spent(world) as costs:
        world.stripe.pay(world.checkout_url(payment["id"]))
        world.post_payment(key="k")
    assert costs == []
    event = world.provider_event("checkout.session.completed")
    world.deliver(event)
    with spent(world) as costs:
        world.deliver(event)
        world.payment(payment["id"])
    assert costs == []
