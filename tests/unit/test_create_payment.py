"""One payment and one checkout per request, whatever the provider, the store or a rival does."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from paylink.domain import events
from paylink.domain.erasure import erased_payment
from paylink.domain.errors import (
    CustomerNotFoundError,
    IdempotencyInProgressError,
    IdempotencyKeyMismatchError,
    PaymentNotFoundError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
    ValidationError,
)
from paylink.domain.organization import Organization, TaxRate, TaxSettings
from paylink.domain.payment import CheckoutSession
from paylink.ports import Commit
from paylink.services.own_tax import Told
from tests.unit.fakes import START, FakeProvider
from tests.unit.world import (
    LEASE,
    SELLER,
    World,
    a_request,
    data_of,
    link_of,
    payment_id_in,
)


class CrashError(Exception):
    """The function ended in the middle of its work."""


def crash(_commit: Commit | None = None) -> None:
    raise CrashError


def test_a_link_is_made_with_its_checkout_and_told_once(world: World) -> None:
    answer = world.create(link_of(metadata={"order": "7"}, success_url="https://shop.example"))
    payment = world.only_payment()
    assert answer.status == 201
    assert not answer.replayed
    data = data_of(answer)
    assert data["url"] == payment.url == f"https://pay.example.com/pay/{payment.id}"
    assert (data["status"], data["taxStatus"]) == ("pending", "pending")
    assert (data["amountSubtotal"], data["taxAmount"], data["amountTotal"]) == (1000, 0, 1000)
    assert (payment.created_by, payment.success_url) == ("key_1", "https://shop.example")
    assert len(world.provider.live(payment.id)) == 1
    assert world.session(payment.id) in world.provider.checkouts
    assert [e.type for e in world.memory.events] == [events.PAYMENT_CREATED]


def test_two_requests_without_a_key_are_two_payments(world: World) -> None:
    assert payment_id_in(world.create()) != payment_id_in(world.create())


def test_ids_cannot_be_guessed(world: World) -> None:
    ids = {payment_id_in(world.create()) for _ in range(50)}
    assert len(ids) == 50
    assert all(len(i) == len("pay_") + 26 for i in ids)


def test_the_same_request_again_gets_the_same_answer(world: World) -> None:
    first = world.create(request=a_request())
    for _ in range(3):
        world.clock.advance(minutes=1)
        again = world.create(request=a_request())
        assert again == replace(first, replayed=True)
    assert len(world.memory.payments) == 1
    assert world.provider.called("create_session") == 1
    assert len(world.memory.events) == 1


RATES = (TaxRate("DE", "MwSt.", "19"),)


@pytest.mark.parametrize(
    "tax",
    [
        TaxSettings(),
        TaxSettings("none"),
        TaxSettings("rates", rates=RATES),
        TaxSettings("rates", inclusive=True, rates=RATES),
    ],
)
@pytest.mark.parametrize("then", ["open", "paid", "canceled", "declined", "erased"])
def test_a_guests_answer_follows_from_the_payment_whatever_became_of_it(
    world: World, tax: TaxSettings, then: str
) -> None:
    seller = replace(SELLER, tax=tax)
    world.organizations.put(seller)
    request, link = a_request(), link_of(metadata={"order": "7"})
    first = world.create(link, request, organization=seller)
    (record,) = world.memory.records.values()
    assert record.response is None
    payment_id = payment_id_in(first)
    if then != "canceled" and tax.mode == "rates":
        world.open_with(payment_id, Told(country="DE"))
    match then:
        case "paid" | "erased":
            world.provider.pay(world.session(payment_id))
            world.hear(payment_id)
        case "canceled":
            world.cancel(payment_id)
        case "declined":
            world.provider.decline(world.session(payment_id))
            world.hear(payment_id)
    if then == "erased":
        stored = world.payment(payment_id)
        world.payments.commit(Commit(erased_payment(stored)))
    world.clock.advance(minutes=1)
    assert world.create(link, request, organization=seller) == replace(first, replayed=True)
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(link, replace(request, request_hash="other"), organization=seller)


def test_an_answer_that_names_a_customer_is_kept(world: World) -> None:
    world.customer(external_id="crm-1")
    first = world.create(link_of(customer="crm-1"), a_request())
    (record,) = world.memory.records.values()
    assert record.response is not None
    assert record.response.body == first.body
    assert record.draft is None  # what the answer replaces


def test_a_link_of_a_customer_who_is_being_erased_meanwhile_is_not_made(world: World) -> None:
    """The customer was found, and then somebody began to erase them."""
    customer = world.customer(provider_customer_id="cus_stripe")
    real = world.provider.prepare_session

    def meanwhile(*arguments: Any) -> Any:
        world.customers.put(replace(customer, erasing_since=START))
        return real(*arguments)

    world.provider.prepare_session = meanwhile  # type: ignore[method-assign]
    for replayed in (False, True):
        if replayed:
            assert world.create(link_of(customer="cus_1"), a_request()).status == 404
        else:
            with pytest.raises(CustomerNotFoundError):
                world.create(link_of(customer="cus_1"), a_request())
    assert world.memory.payments == {}
    (checkout,) = world.provider.checkouts.values()
    assert world.provider.live(checkout.payment_id) == []


def test_where_its_checkout_cannot_be_ended_the_answer_is_the_same(world: World) -> None:
    customer = world.customer(provider_customer_id="cus_stripe")
    world.provider.interrupt(
        "create_session", lambda: world.customers.put(replace(customer, erasing_since=START))
    )
    world.provider.fail("expire_session", "unavailable")
    with pytest.raises(CustomerNotFoundError):
        world.create(link_of(customer="cus_1"), a_request())
    assert world.create(link_of(customer="cus_1"), a_request()).status == 404


def test_another_body_or_operation_under_the_key_is_a_mismatch(world: World) -> None:
    world.create(request=a_request())
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(link_of(2000), a_request(request_hash="other"))
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(request=a_request(operation="POST /payments/charge"))
    assert world.only_payment().amount_subtotal == 1000


def test_while_the_first_still_runs_others_wait_and_its_claim_survives(world: World) -> None:
    seen: list[type[Exception]] = []

    def meanwhile() -> None:
        for request in (a_request(), a_request(request_hash="other"), a_request()):
            with pytest.raises((IdempotencyInProgressError, IdempotencyKeyMismatchError)) as error:
                world.create(request=request)
            seen.append(error.type)

    world.provider.interrupt("create_session", meanwhile)
    first = world.create(request=a_request())
    assert seen == [
        IdempotencyInProgressError,
        IdempotencyKeyMismatchError,
        IdempotencyInProgressError,
    ]
    assert world.create(request=a_request()).body == first.body
    assert len(world.memory.payments) == 1
    assert len(world.provider.checkouts) == 1


def test_many_at_once_make_one_payment_and_one_checkout(world: World) -> None:
    def attempt(_number: int) -> str:
        try:
            return payment_id_in(world.create(request=a_request()))
        except IdempotencyInProgressError:
            return "wait"

    with ThreadPoolExecutor(10) as pool:
        results = set(pool.map(attempt, range(30)))
    assert len(results - {"wait"}) == 1
    assert len(world.memory.payments) == 1
    assert len(world.provider.checkouts) == 1
    assert len(world.memory.events) == 1


def test_a_key_is_scoped_to_organization_and_mode(world: World) -> None:
    other = Organization("org_2", "Other")
    world.organizations.put(other)
    answers = [
        world.create(request=a_request()),
        world.create(request=a_request(), organization=other),
        world.create(request=a_request(), mode="live"),
    ]
    assert len({payment_id_in(a) for a in answers}) == 3
    assert not any(a.replayed for a in answers)
    assert [data_of(a)["livemode"] for a in answers] == [False, False, True]


def test_a_record_past_its_24_hours_is_gone_though_still_there(world: World) -> None:
    first = world.create(request=a_request())
    world.clock.advance(hours=24, seconds=-1)
    assert world.create(request=a_request()).body == first.body
    world.clock.advance(seconds=1)
    second = world.create(link_of(2000), a_request(request_hash="other"))
    assert payment_id_in(second) != payment_id_in(first)


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "stored"])
def test_a_provider_that_fails_and_recovers_ends_with_one_payment_and_one_checkout(
    world: World, fault: Any
) -> None:
    world.provider.fail("create_session", fault)
    with pytest.raises(ProviderUnavailableError):
        world.create(request=a_request())
    answer = world.create(request=a_request())  # at once: the lease was given up
    payment = world.only_payment()
    assert payment_id_in(answer) == payment.id
    assert world.create(request=a_request()).replayed
    assert [e.type for e in world.memory.events] == [events.PAYMENT_CREATED]
    if fault != "stored":
        assert len(world.provider.live(payment.id)) == 1
    assert payment.current_session is not None
    assert payment.current_session.generation == (2 if fault == "stored" else 1)


def test_a_stored_failure_is_never_asked_for_again(world: World) -> None:
    world.provider.fail("create_session", "stored", "stored")
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError):
            world.create(request=a_request())
    world.create(request=a_request())
    payment = world.only_payment()
    keys = [subject for name, subject in world.provider.calls if name == "create_session"]
    assert keys == [f"{payment.id}:{n}" for n in (1, 2, 3)]
    assert [s.ended for s in payment.sessions] == [True, True, False]


@pytest.mark.parametrize("lifetime", [timedelta(minutes=30), timedelta(minutes=31)])
@pytest.mark.parametrize("later", [0, 1, 90, 600])
def test_a_short_link_gets_one_checkout_too(world: World, lifetime: timedelta, later: int) -> None:
    world.clock.advance(microseconds=500)
    link = link_of(expires_at=world.clock() + lifetime)
    world.provider.fail("create_session", "timeout")
    with pytest.raises(ProviderUnavailableError):
        world.create(link, a_request())
    world.clock.advance(seconds=later)
    answer = world.create(link, a_request())
    payment_id = payment_id_in(answer)
    assert len(world.provider.checkouts) == 1
    assert world.provider.live(payment_id) == [world.session(payment_id)]


def test_a_checkout_that_was_never_made_is_asked_for_anew_once_its_time_is_too_short(
    world: World,
) -> None:
    link = link_of(expires_at=world.clock() + timedelta(minutes=30))
    world.provider.fail("create_session", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.create(link, a_request())
    world.clock.advance(minutes=10)
    payment_id = payment_id_in(world.create(link, a_request()))
    assert world.provider.live(payment_id) == [world.session(payment_id)]
    assert [s.ended for s in world.payment(payment_id).sessions] == [True, False]


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "stored", "rejected"])
def test_without_a_key_a_failing_provider_leaves_nothing(world: World, fault: Any) -> None:
    world.provider.fail("create_session", fault)
    with pytest.raises((ProviderUnavailableError, ProviderRejectedError)):
        world.create()
    assert (world.memory.payments, world.memory.records) == ({}, {})
    assert world.memory.events == []


def test_what_the_provider_refuses_leaves_nothing_and_frees_the_key(world: World) -> None:
    world.provider.fail("create_session", "rejected")
    with pytest.raises(ProviderRejectedError) as refused:
        world.create(link_of(60), a_request())
    assert (refused.value.param, refused.value.status) == ("amount", 400)
    assert world.memory.payments == {}
    assert world.memory.records == {}
    assert world.memory.events == []
    corrected = world.create(link_of(6000), a_request(request_hash="corrected"))
    assert data_of(corrected)["amountSubtotal"] == 6000


def test_a_refusal_after_a_stored_failure_leaves_nothing_either(world: World) -> None:
    world.provider.fail("create_session", "stored", "rejected")
    with pytest.raises(ProviderUnavailableError):
        world.create(request=a_request())
    with pytest.raises(ProviderRejectedError):
        world.create(request=a_request())
    assert world.memory.payments == {}
    assert world.memory.records == {}


def overtaken(world: World, then: Callable[[CheckoutSession], CheckoutSession]) -> None:
    """The next checkout is asked for so slowly that the retry makes the link meanwhile."""
    real = world.provider.create_session

    def slow(session: CheckoutSession) -> CheckoutSession:
        world.provider.create_session = real  # type: ignore[method-assign]
        world.clock.advance(seconds=LEASE.total_seconds())
        world.create(request=a_request())
        return then(session)

    world.provider.create_session = slow  # type: ignore[method-assign]


def test_a_refusal_that_comes_too_late_takes_nothing_away_from_who_took_over(world: World) -> None:
    def refused(_session: CheckoutSession) -> CheckoutSession:
        raise ProviderRejectedError("Too slow.", param="amount")

    overtaken(world, refused)
    with pytest.raises(ProviderRejectedError):
        world.create(request=a_request())
    payment = world.only_payment()
    assert payment_id_in(world.create(request=a_request())) == payment.id
    assert world.provider.live(payment.id) == [world.session(payment.id)]


def test_tax_that_is_not_set_up_is_an_answer_and_is_kept(world: World) -> None:
    def untaxed(_session: CheckoutSession) -> CheckoutSession:
        raise TaxCalculationError("Set it up.")

    world.provider.create_session = untaxed  # type: ignore[method-assign]
    with pytest.raises(TaxCalculationError):
        world.create(request=a_request())
    again = world.create(request=a_request())
    assert (again.status, again.replayed) == (TaxCalculationError.status, True)
    assert world.memory.payments == {}


def test_an_unknown_customer_is_an_answer_and_is_kept(world: World) -> None:
    link = link_of(customer="crm-1")
    with pytest.raises(CustomerNotFoundError) as refused:
        world.create(link, a_request())
    assert refused.value.param == "customerId"
    world.customer(external_id="crm-1")  # found from now on, but the answer was given
    again = world.create(link, a_request())
    assert (again.status, again.replayed) == (404, True)
    assert json.loads(again.body)["error"]["code"] == "customer_not_found"
    assert world.memory.payments == {}
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(request=a_request(request_hash="other"))
    assert payment_id_in(world.create(link, a_request("another key")))


def test_an_unknown_customer_under_a_used_key_gets_the_keys_own_answer(world: World) -> None:
    first = world.create(request=a_request())
    again = world.create(link_of(customer="crm-1"), a_request())
    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(link_of(customer="crm-1"), a_request(request_hash="other"))


def test_an_unknown_customer_without_a_key_is_simply_unknown(world: World) -> None:
    with pytest.raises(CustomerNotFoundError):
        world.create(link_of(customer="cus_unknown"))
    assert world.memory.records == {}


@pytest.mark.parametrize("reference", ["cus_1", "crm-1"])
def test_a_customer_is_found_by_either_id_and_shown_by_the_callers(
    world: World, reference: str
) -> None:
    world.customer(external_id="crm-1", provider_customer_id="cus_stripe")
    answer = world.create(link_of(customer=reference))
    assert data_of(answer)["customerId"] == "crm-1"
    payment = world.only_payment()
    assert payment.customer_id == "cus_1"
    assert payment.sessions[0].idempotency_key == f"{payment.id}:1"


def test_another_organizations_or_modes_customer_is_unknown(world: World) -> None:
    world.customer(id="cus_theirs", organization_id="org_2")
    world.customer(id="cus_live", mode="live")
    for reference in ("cus_theirs", "cus_live"):
        with pytest.raises(CustomerNotFoundError):
            world.create(link_of(customer=reference))


def test_a_crash_before_the_provider_was_asked_is_finished_by_the_retry(world: World) -> None:
    crashing = FakeProvider(world.clock)
    crashing.create_session = crash  # type: ignore[assignment]
    crashing.prepare_session = world.provider.prepare_session  # type: ignore[method-assign]
    world.providers.default = crashing
    with pytest.raises(CrashError):
        world.create(request=a_request())
    world.providers.default = world.provider
    with pytest.raises(IdempotencyInProgressError):
        world.create(request=a_request())
    world.clock.advance(seconds=LEASE.total_seconds())
    answer = world.create(request=a_request())
    assert payment_id_in(answer) == world.only_payment().id
    assert len(world.provider.checkouts) == 1


def test_a_crash_between_the_writes_ends_with_one_payment_and_one_checkout(world: World) -> None:
    world.payments.interruptions.append(crash)
    with pytest.raises(CrashError):
        world.create(request=a_request())
    assert len(world.provider.checkouts) == 1
    world.clock.advance(seconds=LEASE.total_seconds() - 0.001)
    with pytest.raises(IdempotencyInProgressError):
        world.create(request=a_request())
    world.clock.advance(seconds=0.001)
    answer = world.create(request=a_request())
    assert payment_id_in(answer) == world.only_payment().id
    assert not answer.replayed
    assert len(world.provider.checkouts) == 1
    assert [e.type for e in world.memory.events] == [events.PAYMENT_CREATED]
    assert world.create(request=a_request()) == replace(answer, replayed=True)


def test_until_its_checkout_is_there_a_link_is_in_no_list_and_opens_nothing(world: World) -> None:
    world.payments.interruptions.append(crash)
    with pytest.raises(CrashError):
        world.create(request=a_request())
    (record,) = world.memory.records.values()
    assert world.memory.payments == {}
    with pytest.raises(PaymentNotFoundError):
        world.open(record.payment_id or "")


def test_a_retry_after_the_link_ended_makes_no_further_checkout(world: World) -> None:
    link = link_of(expires_at=START + timedelta(minutes=40))
    world.payments.interruptions.append(crash)
    with pytest.raises(CrashError):
        world.create(link, a_request())
    world.clock.advance(minutes=50)
    payment_id = payment_id_in(world.create(link, a_request()))
    assert world.sweep().canceled == 1
    assert world.payment(payment_id).status == "canceled"
    assert len(world.provider.checkouts) == 1
    assert world.provider.live(payment_id) == []


def test_a_rival_that_finishes_first_is_agreed_with_on_the_retry(world: World) -> None:
    answers = []

    def rival(_commit: Commit) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        answers.append(world.create(request=a_request()))

    world.payments.interruptions.append(rival)
    with pytest.raises(IdempotencyInProgressError):
        world.create(request=a_request())
    assert world.create(request=a_request()) == replace(answers[0], replayed=True)
    assert len(world.provider.checkouts) == 1
    assert len(world.memory.events) == 1


def test_whoever_was_overtaken_keeps_no_newer_draft(world: World) -> None:
    """It would be asked for under a key of its own, and be a second checkout."""

    def failed(_session: CheckoutSession) -> CheckoutSession:
        raise ProviderUnavailableError(outcome_stored=True)

    overtaken(world, failed)
    with pytest.raises(IdempotencyInProgressError):
        world.create(request=a_request())
    payment = world.only_payment()
    assert world.create(request=a_request()).replayed
    assert world.provider.live(payment.id) == [world.session(payment.id)]


def test_an_organization_without_a_provider_gets_a_502_and_nothing_is_made(world: World) -> None:
    world.providers.default = None
    with pytest.raises(ProviderUnavailableError):
        world.create(request=a_request())
    assert world.memory.payments == {}
    assert world.memory.records == {}


@pytest.mark.parametrize(("days", "expected"), [(None, timedelta(days=30)), (7, timedelta(days=7))])
def test_a_link_lives_as_long_as_the_organization_says(
    world: World, days: int | None, expected: timedelta
) -> None:
    world.create(organization=replace(SELLER, link_lifetime_days=days))
    assert world.only_payment().expires_at == START + expected


@pytest.mark.parametrize("ahead", [timedelta(minutes=30), timedelta(days=1), timedelta(days=365)])
def test_an_end_within_the_limits_is_kept(world: World, ahead: timedelta) -> None:
    world.create(link_of(expires_at=START + ahead))
    assert world.only_payment().expires_at == START + ahead


@pytest.mark.parametrize(
    "ahead",
    [
        timedelta(minutes=30) - timedelta(microseconds=1),
        timedelta(0),
        timedelta(days=-1),
        timedelta(days=365, microseconds=1),
    ],
)
@pytest.mark.parametrize("request_", [None, a_request()])
def test_an_end_past_the_limits_is_refused_and_makes_nothing(
    world: World, ahead: timedelta, request_: Any
) -> None:
    with pytest.raises(ValidationError) as refused:
        world.create(link_of(expires_at=START + ahead), request_)
    assert refused.value.param == "expiresAt"
    assert world.memory.payments == {}
    assert world.memory.records == {}


def test_a_repetition_is_answered_as_before_though_its_end_is_too_near_now(world: World) -> None:
    link = link_of(expires_at=START + timedelta(minutes=30))
    first = world.create(link, a_request())
    world.clock.advance(minutes=10)
    assert world.create(link, a_request()) == replace(first, replayed=True)
    with pytest.raises(IdempotencyKeyMismatchError):
        world.create(link, a_request(request_hash="other"))
    world.clock.advance(hours=24)
    with pytest.raises(ValidationError):
        world.create(link, a_request())
