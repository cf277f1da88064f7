"""What the ports promise, asked of both who keep the promise: the table, and the fake that the
services' tests use. Where the two differ, those tests prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from paylink.adapters.dynamodb.credit_notes import DynamoCreditNotes
from paylink.adapters.dynamodb.customers import DynamoCustomers
from paylink.adapters.dynamodb.idempotency import DynamoIdempotency
from paylink.adapters.dynamodb.invoices import DynamoInvoices
from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import Table
from paylink.domain.credit_note import CreditNote, credit, voided
from paylink.domain.customer import Buyer, Customer, PaymentMethod
from paylink.domain.erasure import erased_customer
from paylink.domain.errors import ChargeInProgressError, CustomerNotFoundError
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice, issue
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import (
    CheckoutSession,
    HistoryEntry,
    LineItem,
    Payment,
    Refund,
    Settlement,
    Transaction,
)
from paylink.domain.tax import TaxLine
from paylink.ports import (
    ChargeLease,
    Commit,
    CreditNoteRepository,
    CustomerRepository,
    ExternalIdTakenError,
    IdempotencyRecord,
    IdempotencyRepository,
    InvoiceRepository,
    IssuedInvoice,
    KeyInUseError,
    NumbersConflictError,
    PaymentRepository,
    StoredResponse,
    VersionConflictError,
)
from tests.integration.aws import TABLE_NAME
from tests.integration.conftest import one_thread_for_moto
from tests.unit.fakes import (
    Memory,
    MemoryCreditNotes,
    MemoryCustomers,
    MemoryIdempotency,
    MemoryInvoices,
    MemoryPayments,
)

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
SELLER = Organization("org_a", "Example Studio", Address(country="DE"), ("DE123456789",))
CARD = PaymentMethod("fp_1", "pm_1", "card", "visa", "4242", 12, 2034, reusable=True)
BUYER = Buyer("b@example.com", "Bea", Address("Rue 1", None, "Lyon", None, "69001", "FR"), ("FR1",))


@dataclass
class Store:
    """The repositories of one table."""

    payments: PaymentRepository
    idempotency: IdempotencyRepository
    invoices: InvoiceRepository
    credit_notes: CreditNoteRepository
    customers: CustomerRepository


def in_memory(_request: pytest.FixtureRequest) -> Store:
    memory = Memory()
    return Store(
        MemoryPayments(memory),
        MemoryIdempotency(memory),
        MemoryInvoices(memory),
        MemoryCreditNotes(memory),
        MemoryCustomers(memory),
    )


def in_dynamodb(request: pytest.FixtureRequest) -> Store:
    table = Table(request.getfixturevalue("aws").dynamodb, TABLE_NAME)
    return Store(
        DynamoPayments(table),
        DynamoIdempotency(table),
        DynamoInvoices(table),
        DynamoCreditNotes(table),
        DynamoCustomers(table),
    )


@pytest.fixture(params=[in_memory, in_dynamodb], ids=["fake", "table"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    one_thread_for_moto(monkeypatch)
    make: Callable[[pytest.FixtureRequest], Store] = request.param
    return make(request)


def payment(payment_id: str = "pay_1", **members: object) -> Payment:
    """A new link with one session that isn't made yet."""
    made = Payment(
        id=payment_id,
        organization_id="org_a",
        mode="sandbox",
        kind="link",
        status="pending",
        amount_subtotal=4900,
        currency="eur",
        line_items=(LineItem("Consulting 請求書 😀", 4900),),
        created_at=NOW,
        updated_at=NOW,
        created_by="key1",
        metadata={"order": "1", "empty": ""},
        success_url="https://shop.example/?a=1#b",
        url=f"https://pay.example/pay/{payment_id}",
        expires_at=NOW + timedelta(days=30),
        sessions=(
            CheckoutSession(
                1, f"{payment_id}:1", {"line_items": [{"quantity": 1}]}, NOW + timedelta(hours=23)
            ),
        ),
    )
    return replace(made, **members)  # type: ignore[arg-type]


def record(
    key: str = "k", payment_id: str | None = "pay_1", **members: object
) -> IdempotencyRecord:
    made = IdempotencyRecord(
        organization_id="org_a",
        mode="sandbox",
        key=key,
        operation="POST /payments",
        request_hash="hash",
        lease_until=NOW + timedelta(seconds=29),
        expires_at=NOW + timedelta(hours=24),
        payment_id=payment_id,
    )
    return replace(made, **members)  # type: ignore[arg-type]


def event(event_type: str = "payment.created") -> DomainEvent:
    return DomainEvent(event_type, NOW, "org_a", "sandbox", {"paymentId": "pay_1", "amount": 4900})


def transaction(transaction_id: str = "txn_1") -> Transaction:
    return Transaction(
        transaction_id, "org_a", "sandbox", "pay_1", "succeeded", 4900, 931, "eur", NOW, NOW,
        payment_method=CARD, customer_id="cus_1", customer_email="b@example.com", paid_at=NOW,
    )  # fmt: skip


def customer(**members: object) -> Customer:
    made = Customer("cus_1", "org_a", "sandbox", NOW, NOW, "b@example.com", full_name="Bea")
    return replace(made, **members)  # type: ignore[arg-type]


def succeeded(base: Payment) -> Payment:
    return replace(
        base,
        status="succeeded",
        tax_amount=931,
        tax_status="final",
        paid_at=NOW,
        customer_id="cus_1",
        customer_public_id="cus_1",
        settlement=Settlement(
            "txn_1", "cs_1", "pi_1", "ch_1", BUYER, (TaxLine("VAT", "19", 4900, 931, "x"),), CARD
        ),
        history=(HistoryEntry(NOW, "pending", "create"), HistoryEntry(NOW, "succeeded", "evt_1")),
    )


def paid(store: Store, payment_id: str = "pay_1") -> Payment:
    store.payments.add(payment(payment_id), None)
    return store.payments.commit(Commit(succeeded(payment(payment_id))))


# -- payments


def test_what_was_added_is_read_as_it_was(store: Store) -> None:
    store.payments.add(payment(), None)
    assert store.payments.get("pay_1") == payment()
    assert store.payments.get("pay_2") is None
    assert store.payments.get("") is None


def test_every_member_survives(store: Store) -> None:
    store.payments.add(payment(), None)
    committed = store.payments.commit(Commit(succeeded(payment())))
    assert committed == replace(succeeded(payment()), version=1)
    assert store.payments.get("pay_1") == committed


def test_members_that_become_unset_are_unset(store: Store) -> None:
    failed = payment(failure_code="card_declined", failure_message="No.", status="failed")
    store.payments.add(failed, None)
    cleared = replace(failed, failure_code=None, failure_message=None, metadata=None, sessions=())
    store.payments.commit(Commit(cleared))
    assert store.payments.get("pay_1") == replace(cleared, version=1)


def test_a_commit_counts_on_the_version_that_was_read(store: Store) -> None:
    store.payments.add(payment(), None)
    first = store.payments.commit(Commit(payment(status="processing")))
    assert first.version == 1
    with pytest.raises(VersionConflictError):
        store.payments.commit(Commit(payment(status="failed")))
    assert store.payments.commit(Commit(first)).version == 2
    found = store.payments.get("pay_1")
    assert found is not None
    assert (found.status, found.version) == ("processing", 2)


def test_a_payment_that_is_gone_cannot_be_committed(store: Store) -> None:
    with pytest.raises(VersionConflictError):
        store.payments.commit(Commit(payment()))
    assert store.payments.get("pay_1") is None


def test_a_payment_is_made_for_a_customer_only_while_nobody_erases_them(store: Store) -> None:
    theirs = payment(customer_id="cus_1", customer_public_id="cus_1")
    with pytest.raises(CustomerNotFoundError):
        store.payments.add(theirs, record())
    store.customers.add(customer(), [])
    store.payments.add(theirs, None)
    store.payments.add(payment("pay_2", customer_id="cus_1"), record())
    known = store.customers.find("org_a", "sandbox", "cus_1")
    assert known is not None
    store.customers.update(known, replace(known, erasing_since=NOW))
    other = payment("pay_3", customer_id="cus_1")
    for claim in (None, replace(record(), key="another", payment_id="pay_3")):
        with pytest.raises(CustomerNotFoundError):
            store.payments.add(other, claim)
    with pytest.raises(KeyInUseError):
        store.payments.add(other, record())
    assert store.payments.get("pay_3") is None
    assert store.idempotency.find(replace(record(), key="another"), NOW) is None


def test_a_new_payment_is_made_once_with_its_event_and_answer(store: Store) -> None:
    claimed = record(draft=store.payments.drafted(payment()))
    store.idempotency.claim(claimed, NOW)
    answered = record(response=StoredResponse(201, "{}"))
    made = store.payments.commit(Commit(payment(), (event(),), answered=answered, new=True))
    assert made == store.payments.get("pay_1") == replace(payment(), version=1)
    assert store.idempotency.find(record(), NOW) == answered
    with pytest.raises(VersionConflictError):
        store.payments.commit(Commit(replace(payment(), amount_subtotal=1), new=True))
    assert store.payments.get("pay_1") == made


def test_a_new_payment_whose_key_another_answered_is_not_made(store: Store) -> None:
    store.idempotency.claim(record(response=StoredResponse(404, "{}")), NOW)
    answered = record(response=StoredResponse(201, "{}"))
    with pytest.raises(VersionConflictError):
        store.payments.commit(Commit(payment(), answered=answered, new=True))
    assert store.payments.get("pay_1") is None


def test_a_new_payment_is_committed_only_while_nobody_erases_its_customer(store: Store) -> None:
    theirs = payment(customer_id="cus_1", customer_public_id="cus_1")
    with pytest.raises(CustomerNotFoundError):
        store.payments.commit(Commit(theirs, new=True))
    assert store.payments.get("pay_1") is None
    store.customers.add(customer(), [])
    made = store.payments.commit(Commit(theirs, new=True))
    known = store.customers.find("org_a", "sandbox", "cus_1")
    assert known is not None
    store.customers.update(known, replace(known, erasing_since=NOW))
    with pytest.raises(CustomerNotFoundError):
        store.payments.commit(Commit(payment("pay_2", customer_id="cus_1"), new=True))
    store.payments.commit(Commit(made))  # of one that was made, who is erased is no matter


def test_a_draft_is_kept_for_whoever_takes_over(store: Store) -> None:
    """With all that a payment can have before its checkout exists."""
    first = payment(customer_id="cus_1", customer_public_id="crm-1", tax_mode="none")
    claimed = record(draft=store.payments.drafted(first))
    store.idempotency.claim(claimed, NOW)
    with pytest.raises(KeyInUseError) as taken:
        store.idempotency.claim(record(), NOW)
    assert taken.value.record == claimed
    assert store.payments.of_draft(taken.value.record.draft or "") == first
    newer = replace(claimed, draft=store.payments.drafted(replace(first, sessions=())))
    assert store.idempotency.take_over(claimed, newer)
    assert store.idempotency.find(record(), NOW) == newer


def test_only_a_request_that_still_has_its_key_frees_it(store: Store) -> None:
    store.idempotency.claim(record(), NOW)
    store.idempotency.forget(record(lease_until=NOW))
    assert store.idempotency.find(record(), NOW) == record()
    store.idempotency.forget(record())
    assert store.idempotency.find(record(), NOW) is None
    store.idempotency.forget(record())
    store.idempotency.claim(record(response=StoredResponse(404, "{}")), NOW)
    store.idempotency.forget(record())
    assert store.idempotency.find(record(), NOW) is not None


def test_a_refused_commit_writes_nothing_of_it(store: Store) -> None:
    store.payments.add(payment(), None)
    store.payments.commit(Commit(payment()))
    stale = Commit(payment(), (event(),), transaction(), customer(), CARD)
    with pytest.raises(VersionConflictError):
        store.payments.commit(stale)
    assert store.payments.transaction(transaction().id) is None
    assert store.customers.find("org_a", "sandbox", "cus_1") is None


def test_the_whole_commit_is_kept(store: Store) -> None:
    store.payments.add(payment(), None)
    store.payments.commit(
        Commit(
            succeeded(payment()),
            (event("payment.succeeded"),),
            transaction(),
            customer(),
            CARD,
        )
    )
    assert store.payments.transaction(transaction().id) == transaction()
    assert store.customers.find("org_a", "sandbox", "cus_1") == customer(version=1)


def test_a_look_up_belongs_to_one_organization_and_mode(store: Store) -> None:
    store.payments.add(payment(), None)
    store.payments.commit(Commit(payment(), customer=customer()))
    assert store.customers.find("org_b", "sandbox", "cus_1") is None
    assert store.customers.find("org_a", "live", "cus_1") is None
    assert store.customers.find("org_a", "sandbox", "their-own") is None


def test_a_checkout_fills_in_a_customer_and_overwrites_nothing(store: Store) -> None:
    store.payments.add(payment(), None)
    first = store.payments.commit(Commit(payment(), customer=customer(full_name=None)))
    later = NOW + timedelta(days=1)
    second = customer(
        created_at=later,
        updated_at=later,
        email="other@example.com",
        full_name="Other",
        address=Address(country="FR"),
        tax_ids=("FR1",),
        provider_customer_id="cus_stripe",
        default_payment_method="fp_1",
    )
    store.payments.commit(Commit(first, customer=second, payment_method=CARD))
    found = store.customers.find("org_a", "sandbox", "cus_1")
    assert found == replace(second, created_at=NOW, email="b@example.com", version=2)


def test_a_customer_without_a_new_method_keeps_its_default(store: Store) -> None:
    store.payments.add(payment(), None)
    first = store.payments.commit(
        Commit(payment(), customer=customer(default_payment_method="fp_1"), payment_method=CARD)
    )
    store.payments.commit(Commit(first, customer=customer()))
    found = store.customers.find("org_a", "sandbox", "cus_1")
    assert found is not None
    assert found.default_payment_method == "fp_1"


# -- customers by callers


def known(store: Store, **members: object) -> Customer:
    """A customer on record, as it is read."""
    store.customers.add(customer(**members), ())
    return found_customer(store, str(members.get("id", "cus_1")))


def found_customer(store: Store, reference: str) -> Customer:
    found = store.customers.find("org_a", "sandbox", reference)
    assert found is not None
    return found


def test_a_customer_is_kept_whole_and_found_by_either_id(store: Store) -> None:
    whole = customer(
        external_id="crm/1 é#",
        address=Address("Rue 1", None, "Lyon", None, "69001", "FR"),
        tax_ids=("FR12345678901",),
        time_zone="Europe/Paris",
        metadata={"a": 1.5, "b": [None, True, {"c": 10**39}], "": ""},
        provider_customer_id="cus_stripe",
        provider_generation=2,
        provider_stale=True,
        methods_since=NOW,
    )
    store.customers.add(whole, (event("customer.created"),))
    assert found_customer(store, "cus_1") == found_customer(store, "crm/1 é#") == whole


def test_one_who_is_being_forgotten_is_found_only_for_that(store: Store) -> None:
    one = known(store, external_id="their-own")
    store.customers.update(one, replace(one, erasing_since=NOW))
    for reference in ("cus_1", "their-own"):
        assert store.customers.find("org_a", "sandbox", reference) is None
        found = store.customers.find("org_a", "sandbox", reference, erasing=True)
        assert found is not None
        assert found.erasing_since == NOW


def test_one_who_was_forgotten_is_not_found_nor_filled_in_again(store: Store) -> None:
    one = known(store, external_id="their-own", address=Address(country="FR"), tax_ids=("FR1",))
    store.customers.update(one, erased_customer(one, NOW), (event("customer.erased"),))
    store.payments.add(payment(), None)
    store.payments.commit(Commit(payment(), customer=customer(full_name="Again")))
    for reference in ("cus_1", "their-own"):
        assert store.customers.find("org_a", "sandbox", reference, erasing=True) is None
    assert store.customers.page("org_a", "sandbox", None, 10) == []
    assert known(store, id="cus_2", external_id="their-own").id == "cus_2"


def test_an_id_is_given_once(store: Store) -> None:
    known(store, external_id="crm-1")
    for again in (customer(), customer(id="cus_2", external_id="crm-1")):
        with pytest.raises(VersionConflictError):
            store.customers.add(again, ())
    assert store.customers.find("org_a", "sandbox", "cus_2") is None
    store.customers.add(customer(organization_id="org_b", external_id="crm-1"), ())
    store.customers.add(customer(mode="live", external_id="crm-1"), ())


def test_a_change_of_what_was_changed_meanwhile_is_refused(store: Store) -> None:
    before = known(store)
    after = store.customers.update(before, replace(before, full_name="First"))
    assert after.version == before.version + 1
    with pytest.raises(VersionConflictError):
        store.customers.update(before, replace(before, full_name="Second"))
    with pytest.raises(VersionConflictError):
        store.customers.update(customer(id="cus_9"), customer(id="cus_9", full_name="Nobody"))
    store.payments.add(payment(), None)
    store.payments.commit(Commit(payment(), customer=customer()))  # a checkout filled it in
    with pytest.raises(VersionConflictError):
        store.customers.update(after, replace(after, full_name="Third"))
    assert found_customer(store, "cus_1").full_name == "First"


def test_a_guest_who_was_filled_in_can_be_changed(store: Store) -> None:
    store.payments.add(payment(), None)
    store.payments.commit(Commit(payment(), customer=customer()))
    guest = found_customer(store, "cus_1")
    after = store.customers.update(guest, replace(guest, external_id="crm-1"))
    assert found_customer(store, "crm-1") == after


def test_an_external_id_moves_with_its_customer_or_stays(store: Store) -> None:
    first = known(store, external_id="crm-1")
    known(store, id="cus_2", external_id="crm-2")
    with pytest.raises(ExternalIdTakenError):
        store.customers.update(first, replace(first, external_id="crm-2", full_name="X"))
    assert found_customer(store, "crm-1") == first
    moved = store.customers.update(first, replace(first, external_id="crm-3"))
    assert found_customer(store, "crm-3") == moved
    assert store.customers.find("org_a", "sandbox", "crm-1") is None
    bare = store.customers.update(moved, replace(moved, external_id=None))
    assert bare.external_id is None
    assert store.customers.find("org_a", "sandbox", "crm-3") is None
    store.customers.add(customer(id="cus_3", external_id="crm-3"), ())


def test_customers_are_listed_newest_first_guests_among_them(store: Store) -> None:
    for number in range(3):
        made = NOW + timedelta(seconds=number)
        store.customers.add(customer(id=f"cus_{number}", created_at=made), ())
    store.payments.add(payment(), None)
    guest = customer(id="cus_guest", created_at=NOW + timedelta(seconds=1, milliseconds=500))
    store.payments.commit(Commit(payment(), customer=guest))
    store.customers.add(customer(id="cus_theirs", organization_id="org_b"), ())
    first = store.customers.page("org_a", "sandbox", None, 2)
    assert [found.id for _, found in first] == ["cus_2", "cus_guest"]
    rest = store.customers.page("org_a", "sandbox", first[-1][0], 5)
    assert [found.id for _, found in rest] == ["cus_1", "cus_0"]


def test_vaulted_methods_are_listed_and_removed_one_by_one(store: Store) -> None:
    later = NOW + timedelta(days=1)
    other = replace(CARD, key="fp_2", provider_id="pm_2", last4="4444")
    store.payments.add(payment(), None)
    paid = payment()
    for method, moment in ((CARD, NOW), (other, later), (replace(CARD, provider_id="pm_3"), later)):
        buyer = customer(updated_at=moment, default_payment_method=method.key)
        paid = store.payments.commit(Commit(paid, customer=buyer, payment_method=method))
    found = found_customer(store, "cus_1")
    newest, oldest = store.customers.payment_methods(found)
    assert (newest.method, set(newest.provider_ids)) == (other, {"pm_2"})
    assert (oldest.method.key, set(oldest.provider_ids)) == ("fp_1", {"pm_1", "pm_3"})
    assert (oldest.vaulted_at, newest.vaulted_at) == (NOW, later)
    assert (oldest.default, newest.default) == (True, False)
    assert newest.id != oldest.id
    after = replace(found, default_payment_method="fp_2")
    after = store.customers.remove_payment_method(found, after, oldest)
    assert found_customer(store, "cus_1") == after
    assert [method.id for method in store.customers.payment_methods(after)] == [newest.id]
    for before in (found, after):  # changed meanwhile; gone already
        with pytest.raises(VersionConflictError):
            store.customers.remove_payment_method(before, after, oldest)


def test_what_was_vaulted_with_a_customer_who_is_gone_is_gone(store: Store) -> None:
    store.payments.add(payment(), None)
    buyer = customer(default_payment_method="fp_1", provider_customer_id="cus_old")
    paid = store.payments.commit(Commit(payment(), customer=buyer, payment_method=CARD))
    found = found_customer(store, "cus_1")
    hour = timedelta(hours=1)
    bare = store.customers.update(found, found.without_provider_customer(NOW + hour))
    assert (bare.default_payment_method, bare.provider_customer_id) == (None, None)
    assert store.customers.payment_methods(found_customer(store, "cus_1")) == []
    again = customer(updated_at=NOW + 2 * hour, default_payment_method="fp_1")
    store.payments.commit(
        Commit(paid, customer=again, payment_method=replace(CARD, provider_id="pm_9"))
    )
    (method,) = store.customers.payment_methods(found_customer(store, "cus_1"))
    assert method.default is True
    assert "pm_9" in method.provider_ids


# -- what is due


def test_due_are_payable_links_past_their_time(store: Store) -> None:
    hour = timedelta(hours=1)
    for name, members in {
        "pay_due": {"expires_at": NOW - hour},
        "pay_now": {"expires_at": NOW},
        "pay_failed": {"expires_at": NOW - hour, "status": "failed"},
        "pay_action": {"expires_at": NOW - hour, "status": "requires_action"},
        "pay_later": {"expires_at": NOW + timedelta(microseconds=1)},
        "pay_processing": {"expires_at": NOW - hour, "status": "processing"},
        "pay_canceled": {"expires_at": NOW - hour, "status": "canceled"},
        "pay_charge": {"expires_at": NOW - hour, "kind": "charge"},
        "pay_forever": {"expires_at": None},
    }.items():
        store.payments.add(payment(name, **members), None)
    assert sorted(store.payments.due(NOW)) == ["pay_action", "pay_due", "pay_failed", "pay_now"]


def test_due_are_payments_whose_news_may_be_lost_whatever_their_status(store: Store) -> None:
    day = timedelta(days=1)
    for name, members in {
        "pay_look": {"check_at": NOW},
        "pay_processing": {"status": "processing", "check_at": NOW, "expires_at": NOW - day},
        "pay_canceled": {"status": "canceled", "check_at": NOW, "checks": 1},
        "pay_charge": {"kind": "charge", "expires_at": None, "check_at": NOW},
        "pay_later": {"check_at": NOW + timedelta(microseconds=1)},
        "pay_never": {"status": "canceled"},
    }.items():
        store.payments.add(payment(name, sessions=(), **members), None)
    due = ["pay_canceled", "pay_charge", "pay_look", "pay_processing"]
    assert sorted(store.payments.due(NOW)) == due
    found = store.payments.get("pay_canceled")
    assert found is not None
    assert (found.check_at, found.checks) == (NOW, 1)
    looked = store.payments.commit(Commit(replace(found, check_at=None, checks=0)))
    assert store.payments.get("pay_canceled") == looked
    assert "pay_canceled" not in set(store.payments.due(NOW))


def test_what_is_settled_is_not_due_any_more_and_comes_back_if_it_fails(store: Store) -> None:
    store.payments.add(payment(expires_at=NOW), None)
    moved = store.payments.commit(Commit(payment(expires_at=NOW, status="processing")))
    assert list(store.payments.due(NOW)) == []
    store.payments.commit(Commit(replace(moved, status="failed")))
    assert list(store.payments.due(NOW)) == ["pay_1"]


def test_due_times_of_any_zone_are_compared_as_moments(store: Store) -> None:
    east = NOW.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+09:00").tzinfo)
    store.payments.add(payment("pay_east", expires_at=east), None)
    assert list(store.payments.due(NOW)) == ["pay_east"]
    assert list(store.payments.due(NOW - timedelta(microseconds=1))) == []


def test_more_is_due_than_one_page_holds(store: Store) -> None:
    names = {f"pay_{n}" for n in range(60)}
    for name in names:
        store.payments.add(payment(name, expires_at=NOW), None)
    assert set(store.payments.due(NOW)) == names


# -- idempotency


def test_a_key_is_taken_by_one_payment(store: Store) -> None:
    store.payments.add(payment(), record())
    with pytest.raises(KeyInUseError) as taken:
        store.payments.add(payment("pay_2"), record(payment_id="pay_2", request_hash="other"))
    assert taken.value.record == record()
    assert store.payments.get("pay_2") is None


def test_keys_belong_to_one_organization_and_mode(store: Store) -> None:
    store.payments.add(payment(), record())
    for number, members in enumerate(
        ({"organization_id": "org_b"}, {"mode": "live"}, {"key": "K"})
    ):
        name = f"pay_{number + 2}"
        store.payments.add(payment(name), record(payment_id=name, **members))
        assert store.payments.get(name) is not None


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_record_past_its_time_counts_as_gone(store: Store, seconds: int) -> None:
    store.payments.add(payment(), record(expires_at=NOW))
    later = payment("pay_2", created_at=NOW + timedelta(seconds=seconds))
    if seconds < 0:
        with pytest.raises(KeyInUseError):
            store.payments.add(later, record(payment_id="pay_2"))
    else:
        store.payments.add(later, record(payment_id="pay_2"))
        with pytest.raises(KeyInUseError) as taken:
            store.idempotency.claim(record(), NOW)
        assert taken.value.record.payment_id == "pay_2"


def test_what_is_on_record_is_found_until_its_time_is_over(store: Store) -> None:
    wanted = record(payment_id=None, request_hash="another request's")
    assert store.idempotency.find(wanted, NOW) is None
    store.payments.add(payment(), record())
    assert store.idempotency.find(wanted, NOW) == record()
    assert store.idempotency.find(record(mode="live"), NOW) is None
    assert store.idempotency.find(record(organization_id="org_b"), NOW) is None
    end = record().expires_at
    assert store.idempotency.find(wanted, end - timedelta(seconds=1)) == record()
    assert store.idempotency.find(wanted, end) is None


def test_the_answer_is_kept_with_the_payment(store: Store) -> None:
    store.payments.add(payment(), record())
    answered = record(response=StoredResponse(201, '{"success":true,"text":"請求書"}'))
    store.payments.commit(Commit(payment(), (event(),), answered=answered))
    with pytest.raises(KeyInUseError) as taken:
        store.payments.add(payment("pay_2"), record(payment_id="pay_2"))
    assert taken.value.record == answered


def test_an_answer_is_kept_once(store: Store) -> None:
    store.payments.add(payment(), record())
    answered = record(response=StoredResponse(201, "first"))
    after = store.payments.commit(Commit(payment(), answered=answered))
    with pytest.raises(VersionConflictError):
        store.payments.commit(
            Commit(after, answered=record(response=StoredResponse(201, "second")))
        )
    found = store.payments.get("pay_1")
    assert found is not None
    assert found.version == after.version


def test_the_answer_of_another_payments_key_is_not_touched(store: Store) -> None:
    store.payments.add(payment(), record())
    store.payments.add(payment("pay_2"), record("other", payment_id="pay_2"))
    wrong = record("other", payment_id="pay_1", response=StoredResponse(201, "x"))
    with pytest.raises(VersionConflictError):
        store.payments.commit(Commit(payment(), answered=wrong))


def test_an_answer_without_a_payment_takes_the_key(store: Store) -> None:
    answered = record(payment_id=None, response=StoredResponse(404, "no"))
    store.idempotency.claim(answered, NOW)
    with pytest.raises(KeyInUseError) as taken:
        store.payments.add(payment(), record())
    assert taken.value.record == answered
    another = replace(answered, lease_until=answered.lease_until + timedelta(microseconds=1))
    with pytest.raises(KeyInUseError):
        store.idempotency.claim(another, NOW)
    store.idempotency.claim(another, answered.expires_at)


def test_a_claim_that_is_there_just_so_is_its_own(store: Store) -> None:
    """Its answer was lost, and the table's client asked again."""
    for _ in range(2):
        store.idempotency.claim(record(), NOW)
    assert store.idempotency.find(record(), NOW) == record()


def test_a_lease_is_taken_over_by_one(store: Store) -> None:
    store.payments.add(payment(), record())
    ours = record(lease_until=NOW + timedelta(minutes=1))
    assert store.idempotency.take_over(record(), ours)
    assert not store.idempotency.take_over(record(), record(lease_until=NOW + timedelta(minutes=2)))
    with pytest.raises(KeyInUseError) as taken:
        store.idempotency.claim(record(), NOW)
    assert taken.value.record == ours


def test_leases_that_end_within_one_second_are_told_apart(store: Store) -> None:
    store.payments.add(payment(), record())
    other = record(lease_until=record().lease_until + timedelta(microseconds=1))
    assert not store.idempotency.take_over(other, record(lease_until=NOW))
    assert store.idempotency.take_over(record(), other)


def test_an_answered_request_is_not_taken_over(store: Store) -> None:
    store.payments.add(payment(), record())
    store.payments.commit(Commit(payment(), answered=record(response=StoredResponse(201, "x"))))
    assert not store.idempotency.take_over(record(), record(lease_until=NOW + timedelta(minutes=1)))


def test_a_released_lease_is_over(store: Store) -> None:
    store.payments.add(payment(), record())
    store.idempotency.release(record(), NOW)
    with pytest.raises(KeyInUseError) as taken:
        store.idempotency.claim(record(), NOW)
    released = taken.value.record
    assert released == record(lease_until=NOW)
    assert store.idempotency.take_over(released, record(lease_until=NOW + timedelta(minutes=1)))


def test_somebody_elses_lease_is_not_released(store: Store) -> None:
    store.payments.add(payment(), record())
    ours = record(lease_until=NOW + timedelta(minutes=1))
    store.idempotency.take_over(record(), ours)
    store.idempotency.release(record(), NOW)
    with pytest.raises(KeyInUseError) as taken:
        store.idempotency.claim(record(), NOW)
    assert taken.value.record == ours


def test_an_answered_request_is_not_released(store: Store) -> None:
    store.payments.add(payment(), record())
    answered = record(response=StoredResponse(201, "x"))
    store.payments.commit(Commit(payment(), answered=answered))
    store.idempotency.release(record(), NOW)
    with pytest.raises(KeyInUseError) as taken:
        store.idempotency.claim(record(), NOW)
    assert taken.value.record == answered


def test_releasing_what_is_not_there_is_harmless(store: Store) -> None:
    store.idempotency.release(record(), NOW)
    store.payments.add(payment(), record())


def test_a_refused_payment_is_taken_back_and_frees_its_key(store: Store) -> None:
    store.payments.add(payment(), record())
    store.payments.remove(payment(), record())
    assert store.payments.get("pay_1") is None
    store.payments.add(payment("pay_2"), record(payment_id="pay_2"))


def test_a_payment_that_moved_is_not_taken_back(store: Store) -> None:
    store.payments.add(payment(), record())
    store.payments.commit(Commit(payment()))
    with pytest.raises(VersionConflictError):
        store.payments.remove(payment(), record())
    assert store.payments.get("pay_1") is not None
    with pytest.raises(KeyInUseError):
        store.payments.add(payment("pay_2"), record(payment_id="pay_2"))


def test_the_key_of_another_payment_is_not_freed(store: Store) -> None:
    store.payments.add(payment(), record())
    store.payments.add(payment("pay_2"), None)
    with pytest.raises(VersionConflictError):
        store.payments.remove(payment("pay_2"), record(payment_id="pay_2"))
    assert store.payments.get("pay_2") is not None


# -- invoices


def invoice_of(paid_payment: Payment, sequence: int, year: int = 2026) -> Invoice:
    return issue(paid_payment, SELLER, year, sequence, NOW)


def add_invoices(store: Store, year: int, first: int, *invoices: Invoice) -> None:
    issued = [IssuedInvoice(invoice, event("invoice.issued")) for invoice in invoices]
    store.invoices.add(issued, year, first)


def test_an_invoice_is_read_as_it_was_issued(store: Store) -> None:
    invoice = invoice_of(paid(store), 1)
    assert store.invoices.get(invoice.id) is None
    store.invoices.add([IssuedInvoice(invoice, event("invoice.issued"))], 2026, 1)
    assert store.invoices.get(invoice.id) == invoice


def test_a_payment_is_read_with_its_invoice_where_that_is_asked_for(store: Store) -> None:
    before = paid(store)
    assert store.payments.get("pay_1", with_invoice=True) == before
    issued = invoice_of(before, 1)
    add_invoices(store, 2026, 1, issued)
    invoiced = replace(before, invoice_id=issued.id, invoice_number=issued.number)
    assert store.payments.get("pay_1", with_invoice=True) == invoiced
    assert store.payments.get("pay_1") == before
    page = store.payments.page(before.organization_id, before.mode, None, None, 9)
    assert [found for _, found in page] == [invoiced]
    assert store.payments.several(["pay_unknown", "pay_1"]) == [invoiced]
    for unknown in ("pay_unknown", "x" * 3000, "\ud800"):
        assert store.payments.get(unknown, with_invoice=True) is None


def test_what_is_read_with_a_payment_is_not_written_with_it(store: Store) -> None:
    before = paid(store)
    add_invoices(store, 2026, 1, invoice_of(before, 1))
    invoiced = store.payments.get("pay_1", with_invoice=True)
    assert invoiced is not None
    store.payments.commit(Commit(invoiced))
    assert store.payments.get("pay_1") == replace(before, version=before.version + 1)


def test_numbers_go_up_one_by_one_per_series(store: Store) -> None:
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 1
    for number in (1, 2, 3):
        add_invoices(store, 2026, number, invoice_of(paid(store, f"pay_{number}"), number))
        assert store.invoices.next_sequence("org_a", "sandbox", 2026) == number + 1
    assert store.invoices.next_sequence("org_a", "sandbox", 2027) == 1
    assert store.invoices.next_sequence("org_a", "live", 2026) == 1
    assert store.invoices.next_sequence("org_b", "sandbox", 2026) == 1


@pytest.mark.parametrize("sequence", [1, 3, 0])
def test_a_number_that_is_not_the_next_is_not_taken(store: Store, sequence: int) -> None:
    add_invoices(store, 2026, 1, invoice_of(paid(store), 1))
    invoice = invoice_of(paid(store, "pay_2"), sequence)
    with pytest.raises(NumbersConflictError) as refused:
        add_invoices(store, 2026, sequence, invoice)
    assert refused.value.payment_ids == set()
    assert store.invoices.get(invoice.id) is None
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 2


def test_several_numbers_are_taken_in_one_step_or_not_at_all(store: Store) -> None:
    add_invoices(store, 2026, 1, invoice_of(paid(store), 1))
    invoices = [invoice_of(paid(store, f"pay_{n}"), n) for n in range(2, 12)]
    for wrong in (1, 3):
        with pytest.raises(NumbersConflictError):
            add_invoices(store, 2026, wrong, *invoices)
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 2
    add_invoices(store, 2026, 2, *invoices)
    assert [store.invoices.get(invoice.id) for invoice in invoices] == invoices
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 12


def test_who_takes_several_numbers_is_told_which_payments_have_one(store: Store) -> None:
    invoices = [invoice_of(paid(store, f"pay_{n}"), n) for n in (1, 2, 3)]
    add_invoices(store, 2026, 1, invoices[1])
    with pytest.raises(NumbersConflictError) as refused:
        add_invoices(store, 2026, 2, *invoices)
    assert refused.value.payment_ids == {"pay_2"}
    assert store.invoices.get(invoices[0].id) is None
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 2


def test_one_payment_has_one_invoice(store: Store) -> None:
    before = paid(store)
    add_invoices(store, 2026, 1, invoice_of(before, 1))
    with pytest.raises(NumbersConflictError) as refused:
        add_invoices(store, 2026, 2, invoice_of(before, 2))
    assert refused.value.payment_ids == {"pay_1"}
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 2


def test_one_run_at_a_time_sends_a_receipt(store: Store) -> None:
    invoice = invoice_of(paid(store), 1)
    add_invoices(store, 2026, 1, invoice)
    until = NOW + timedelta(minutes=1)
    assert store.invoices.claim_receipt(invoice, NOW, until) == "claimed"
    almost = until - timedelta(microseconds=1)
    assert store.invoices.claim_receipt(invoice, almost, until) == "claimed_by_another"
    later = until + timedelta(minutes=1)
    assert store.invoices.claim_receipt(invoice, until, later) == "claimed"
    store.invoices.release_receipt(invoice)
    assert store.invoices.claim_receipt(invoice, until, later) == "claimed"
    store.invoices.note_receipt(invoice, until, "sent")
    assert store.invoices.claim_receipt(invoice, later, later) == "done"
    assert store.invoices.get(invoice.id) == invoice


def test_invoices_are_listed_newest_first_and_by_customer(store: Store) -> None:
    made = []
    for number in (1, 2, 3):
        invoice = issue(
            paid(store, f"pay_{number}"), SELLER, 2026, number, NOW + timedelta(minutes=number)
        )
        made.append(replace(invoice, customer_id="cus_2" if number == 2 else "cus_1"))
        add_invoices(store, 2026, number, made[-1])
    owner = made[0].organization_id, made[0].mode

    def page(customer: str | None, before: str | None = None, limit: int = 9) -> list[Invoice]:
        return [found for _, found in store.invoices.page(*owner, customer, before, limit)]

    assert page(None) == made[::-1]
    assert page("cus_1") == [made[2], made[0]]
    assert page("cus_3") == []
    ((place, newest),) = store.invoices.page(*owner, None, None, 1)
    assert newest == made[2]
    assert page(None, place) == [made[1], made[0]]
    assert store.invoices.page("org_b", owner[1], None, None, 9) == []


# -- credit notes


def invoiced(store: Store) -> tuple[Payment, Invoice]:
    """A payment that has its invoice."""
    invoice = invoice_of(paid(store), 1)
    add_invoices(store, 2025, 1, invoice)
    found = store.payments.get("pay_1")
    assert found is not None
    return found, invoice


def note_of(invoice: Invoice, number: int, minutes: int = 0) -> CreditNote:
    refund = Refund(f"ref_{invoice.id}_{number}", "txn_1", 100, "succeeded", NOW, f"re_{number}")
    return credit(refund, invoice, [], 2026, number, NOW + timedelta(minutes=minutes))


def test_a_credit_note_is_read_as_it_was_issued(store: Store) -> None:
    payment, invoice = invoiced(store)
    note = note_of(invoice, 1)
    assert store.credit_notes.get(note.id) is None
    store.credit_notes.add(note, 2026, 1, payment.version, [])
    assert store.credit_notes.get(note.id) == note
    assert store.payments.get("pay_1") == replace(payment, version=payment.version + 1)


def test_credit_notes_have_a_number_series_of_their_own(store: Store) -> None:
    payment, invoice = invoiced(store)
    for number in (1, 2, 3):
        assert store.credit_notes.next_sequence("org_a", "sandbox", 2026) == number
        note = note_of(invoice, number)
        store.credit_notes.add(note, 2026, number, payment.version + number - 1, [])
    assert store.credit_notes.next_sequence("org_a", "sandbox", 2027) == 1
    assert store.credit_notes.next_sequence("org_a", "live", 2026) == 1
    assert store.credit_notes.next_sequence("org_b", "sandbox", 2026) == 1
    assert store.invoices.next_sequence("org_a", "sandbox", 2026) == 1


@pytest.mark.parametrize(
    ("again", "sequence", "behind"), [(False, 1, 0), (False, 3, 0), (False, 2, 1), (True, 2, 0)]
)
def test_a_credit_note_is_not_written_by_halves(
    store: Store, again: bool, sequence: int, behind: int
) -> None:
    payment, invoice = invoiced(store)
    first, second = note_of(invoice, 1), note_of(invoice, 2)
    store.credit_notes.add(first, 2026, 1, payment.version, [])
    before = store.payments.get("pay_1")
    assert before is not None
    with pytest.raises(VersionConflictError):
        store.credit_notes.add(
            first if again else second, 2026, sequence, before.version - behind, []
        )
    assert store.credit_notes.next_sequence("org_a", "sandbox", 2026) == 2
    assert store.credit_notes.get(second.id) is None
    assert store.payments.get("pay_1") == before


def test_a_credit_note_becomes_void_once(store: Store) -> None:
    payment, invoice = invoiced(store)
    note = note_of(invoice, 1)
    store.credit_notes.add(note, 2026, 1, payment.version, [])
    void = voided(note, NOW + timedelta(days=1))
    with pytest.raises(VersionConflictError):
        store.credit_notes.void(void, payment.version, [])
    store.credit_notes.void(void, payment.version + 1, [])
    assert store.credit_notes.get(note.id) == void
    with pytest.raises(VersionConflictError):
        store.credit_notes.void(void, payment.version + 2, [])
    after = store.payments.get("pay_1")
    assert after is not None
    assert after.version == payment.version + 2


def test_what_was_sent_is_taken_back_once_by_one_run(store: Store) -> None:
    payment, invoice = invoiced(store)
    note = note_of(invoice, 1)
    store.credit_notes.add(note, 2026, 1, payment.version, [])
    notes, until = store.credit_notes, NOW + timedelta(minutes=1)
    assert notes.claim_receipt(note, NOW, until, "sent") == "done"
    assert notes.claim_receipt(note, NOW, until) == "claimed"
    assert notes.claim_receipt(note, NOW, until, "sent") == "claimed_by_another"
    notes.note_receipt(note, NOW, "sent")
    assert notes.claim_receipt(note, NOW, until) == "done"
    assert notes.claim_receipt(note, NOW, until, "sent") == "claimed"
    assert notes.claim_receipt(note, NOW, until, "sent") == "claimed_by_another"
    notes.release_receipt(note)
    assert notes.claim_receipt(note, NOW, until, "sent") == "claimed"
    notes.note_receipt(note, NOW, "taken_back")
    assert notes.claim_receipt(note, NOW, until, "sent") == "done"
    assert notes.get(note.id) == note


def test_a_run_that_died_may_have_sent_what_is_taken_back(store: Store) -> None:
    payment, invoice = invoiced(store)
    note = note_of(invoice, 1)
    store.credit_notes.add(note, 2026, 1, payment.version, [])
    until = NOW + timedelta(minutes=1)
    assert store.credit_notes.claim_receipt(note, NOW, until) == "claimed"
    assert store.credit_notes.claim_receipt(note, until, until, "sent") == "claimed"


def test_credit_notes_are_listed_newest_first_and_by_customer(store: Store) -> None:
    payment, invoice = invoiced(store)
    made = []
    for number in (1, 2, 3):
        customer = "cus_2" if number == 2 else "cus_1"
        made.append(replace(note_of(invoice, number, number), customer_id=customer))
        store.credit_notes.add(made[-1], 2026, number, payment.version + number - 1, [])
    owner = made[0].organization_id, made[0].mode

    def page(customer: str | None, before: str | None = None) -> list[CreditNote]:
        return [found for _, found in store.credit_notes.page(*owner, customer, before, 9)]

    assert page(None) == made[::-1]
    assert page("cus_1") == [made[2], made[0]]
    ((place, _),) = store.credit_notes.page(*owner, None, None, 1)
    assert page(None, place) == [made[1], made[0]]
    assert store.credit_notes.page("org_b", owner[1], None, None, 9) == []


LEASE = ChargeLease("org_1", "sandbox", "cus_1", "pay_1", NOW + timedelta(seconds=29))


def test_a_customer_is_charged_by_one_payment_at_a_time(store: Store) -> None:
    store.payments.add(payment(kind="charge"), None, LEASE)
    second, theirs = payment("pay_2", kind="charge"), replace(LEASE, payment_id="pay_2")
    with pytest.raises(ChargeInProgressError):
        store.payments.add(second, None, theirs)
    assert store.payments.get("pay_2") is None
    with pytest.raises(ChargeInProgressError):
        store.payments.hold(theirs, NOW)
    store.payments.hold(LEASE, NOW)
    store.payments.let_go(theirs)
    with pytest.raises(ChargeInProgressError):
        store.payments.add(second, None, theirs)
    store.payments.let_go(LEASE)
    store.payments.add(second, None, theirs)


def test_a_lease_on_a_customer_ends_by_itself(store: Store) -> None:
    store.payments.hold(LEASE, NOW)
    theirs = replace(LEASE, payment_id="pay_2", until=LEASE.until + timedelta(seconds=29))
    with pytest.raises(ChargeInProgressError):
        store.payments.hold(theirs, LEASE.until - timedelta(microseconds=1))
    store.payments.hold(theirs, LEASE.until)
    store.payments.let_go(LEASE)
    with pytest.raises(ChargeInProgressError):
        store.payments.hold(LEASE, LEASE.until)


@pytest.mark.parametrize("change", [{"organization_id": "org_2"}, {"mode": "live"}])
def test_leases_belong_to_one_organization_and_mode(store: Store, change: dict[str, str]) -> None:
    store.payments.hold(LEASE, NOW)
    store.payments.hold(replace(LEASE, payment_id="pay_2", **change), NOW)  # type: ignore[arg-type]


def test_a_taken_key_counts_more_than_a_taken_customer(store: Store) -> None:
    claimed = record()
    store.payments.add(payment(kind="charge"), claimed, LEASE)
    with pytest.raises(KeyInUseError) as caught:
        store.payments.add(
            payment("pay_2", kind="charge"),
            replace(claimed, payment_id="pay_2"),
            replace(LEASE, payment_id="pay_2"),
        )
    assert caught.value.record == claimed


def test_a_refused_charge_claims_no_key(store: Store) -> None:
    store.payments.hold(replace(LEASE, payment_id="pay_0"), NOW)
    claimed = record()
    with pytest.raises(ChargeInProgressError):
        store.payments.add(payment(kind="charge"), claimed, LEASE)
    assert store.idempotency.find(claimed, NOW) is None
