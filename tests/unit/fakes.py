"""The ports in memory: what the services see of the world, without the world.

Everything that one table keeps is one `Memory`; the repositories are views of it, made as their
DynamoDB counterparts are made of a table, so that one contract test can run against both. The
provider models a hosted checkout as far as money can tell: it replays by idempotency key, refuses
what isn't open, and fails when told to.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import TypeAdapter

from paylink.domain.api_key import ApiKey
from paylink.domain.credit_note import CreditNote
from paylink.domain.customer import Buyer, Customer, PaymentMethod, VaultedMethod, vaulted
from paylink.domain.document import Document
from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    ProviderCustomerGoneError,
    ProviderRejectedError,
    ProviderSessionGoneError,
    ProviderUnavailableError,
)
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice, invoice_id_for
from paylink.domain.mail import Mail
from paylink.domain.organization import Address, Mode, Organization, Owner, ProviderCredentials
from paylink.domain.payment import (
    Attempt,
    CheckoutSession,
    CheckoutState,
    Outcome,
    Payment,
    Transaction,
)
from paylink.domain.provider_event import ProviderEvent
from paylink.domain.tax import TaxLine
from paylink.ports import (
    ChargeLease,
    Commit,
    ExternalIdTakenError,
    IdempotencyRecord,
    IssuedInvoice,
    KeyInUseError,
    NumbersConflictError,
    ProviderMarks,
    ReceiptClaim,
    ReceiptOutcome,
    SessionNotOpenError,
    VersionConflictError,
)
from tests.unit.fake_charges import FakeCharges
from tests.unit.fake_disputes import FakeDisputes
from tests.unit.fake_refunds import FakeRefunds

_drafts = TypeAdapter(Payment)

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class FakeClock:
    """The present moment, moved by hand."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: float) -> datetime:
        self.now += timedelta(**parts)
        return self.now


@dataclass
class Vaulted:
    """One payment method as kept: once, under every id that the provider gave it."""

    method: PaymentMethod
    provider_ids: set[str] = field(default_factory=set)
    first: datetime = START
    last: datetime = START


class Memory:
    """What the table holds. Every write is one step under one lock, all of it or nothing."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.payments: dict[str, Payment] = {}
        self.transactions: dict[str, Transaction] = {}
        self.customers: dict[tuple[str, str, str], Customer] = {}
        self.external_ids: dict[tuple[str, str, str], str] = {}
        self.methods: dict[tuple[str, str, str], dict[str, Vaulted]] = defaultdict(dict)
        self.records: dict[tuple[str, str, str], IdempotencyRecord] = {}
        self.organizations: dict[str, Organization] = {}
        self.api_keys: dict[str, ApiKey] = {}
        self.invoices: dict[str, Invoice] = {}
        self.numbers: dict[tuple[str, str, int], int] = {}
        self.credit_notes: dict[str, CreditNote] = {}
        self.credit_note_numbers: dict[tuple[str, str, int], int] = {}
        self.receipts: dict[str, tuple[ReceiptOutcome, datetime]] = {}
        self.receipt_claims: dict[str, datetime] = {}
        self.leases: dict[tuple[str, str, str], ChargeLease] = {}
        self.heard: dict[Owner, datetime] = {}
        self.events: list[DomainEvent] = []
        """Every event that was written, in the order of the writes."""

    def events_about(self, payment_id: str) -> list[DomainEvent]:
        return [event for event in self.events if event.data.get("paymentId") == payment_id]


def _record_key(record: IdempotencyRecord) -> tuple[str, str, str]:
    return record.organization_id, record.mode, record.key


def _leased(lease: ChargeLease) -> tuple[str, str, str]:
    return lease.organization_id, lease.mode, lease.customer_id


def _still_good(record: IdempotencyRecord | None, now: datetime) -> bool:
    """A record past its time counts as gone; the table compares whole seconds."""
    return record is not None and int(record.expires_at.timestamp()) > int(now.timestamp())


class Listed(Protocol):
    """Whatever is in lists."""

    @property
    def id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def created_at(self) -> datetime: ...


Thing = TypeVar("Thing", bound=Listed)


def owner(thing: Listed) -> tuple[str, Mode]:
    return thing.organization_id, thing.mode


def newest_first(
    things: Sequence[Thing], before: str | None, limit: int
) -> Sequence[tuple[str, Thing]]:
    """A page as the table's lists give it, each with its position."""
    placed = [(f"{thing.created_at.isoformat()}#{thing.id}", thing) for thing in things]
    older = [pair for pair in placed if before is None or pair[0] < before]
    return sorted(older, key=lambda pair: pair[0], reverse=True)[:limit]


class MemoryPayments:
    """Fulfils `paylink.ports.PaymentRepository`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.interruptions: list[Callable[[Commit], None]] = []
        """Run once each, in order, before a commit: rivals that get in first, or crashes."""

    def add(
        self, payment: Payment, record: IdempotencyRecord | None, lease: ChargeLease | None = None
    ) -> None:
        memory = self._memory
        with memory.lock:
            if record is not None:
                found = memory.records.get(_record_key(record))
                if found is not None and _still_good(found, payment.created_at):
                    raise KeyInUseError(found)
            self._require_customer(payment)
            if lease is not None:
                self.hold(lease, payment.created_at)
            assert payment.id not in memory.payments
            memory.payments[payment.id] = payment
            if record is not None:
                memory.records[_record_key(record)] = record

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Payment]]:
        payments = [
            self._with_invoice(payment)
            for payment in self._memory.payments.values()
            if owner(payment) == (organization_id, mode)
            and customer_id in {None, payment.customer_id}
        ]
        return newest_first(payments, before, limit)

    def remove(self, payment: Payment, record: IdempotencyRecord | None) -> None:
        memory = self._memory
        with memory.lock:
            stored = memory.payments.get(payment.id)
            if stored is None or stored.version != payment.version:
                raise VersionConflictError
            if record is not None:
                found = memory.records.get(_record_key(record))
                if found is None or found.payment_id != payment.id:
                    raise VersionConflictError
                del memory.records[_record_key(record)]
            del memory.payments[payment.id]

    def hold(self, lease: ChargeLease, now: datetime) -> None:
        with self._memory.lock:
            held = self._memory.leases.get(_leased(lease))
            if held is not None and held.until > now and held.payment_id != lease.payment_id:
                raise ChargeInProgressError()
            self._memory.leases[_leased(lease)] = lease

    def let_go(self, lease: ChargeLease) -> None:
        with self._memory.lock:
            held = self._memory.leases.get(_leased(lease))
            if held is not None and held.payment_id == lease.payment_id:
                del self._memory.leases[_leased(lease)]

    def get(self, payment_id: str, *, with_invoice: bool = False) -> Payment | None:
        with self._memory.lock:
            payment = self._memory.payments.get(payment_id)
            return self._with_invoice(payment) if payment and with_invoice else payment

    def several(self, payment_ids: Iterable[str]) -> Sequence[Payment]:
        found = [self.get(payment_id, with_invoice=True) for payment_id in payment_ids]
        return [payment for payment in found if payment is not None]

    def _with_invoice(self, payment: Payment) -> Payment:
        invoice = self._memory.invoices.get(invoice_id_for(payment.id))
        if invoice is None:
            return payment
        return replace(payment, invoice_id=invoice.id, invoice_number=invoice.number)

    def commit(self, commit: Commit) -> Payment:
        if self.interruptions:
            self.interruptions.pop(0)(commit)
        memory = self._memory
        with memory.lock:
            stored = memory.payments.get(commit.payment.id)
            expected = None if commit.new else commit.payment.version
            if (stored.version if stored else None) != expected:
                raise VersionConflictError
            if commit.new:
                self._require_customer(commit.payment)
            if commit.answered is not None:
                found = memory.records.get(_record_key(commit.answered))
                if found is None or found.payment_id != commit.payment.id or found.response:
                    raise VersionConflictError
                memory.records[_record_key(commit.answered)] = commit.answered
            payment = replace(commit.payment, version=commit.payment.version + 1)
            memory.payments[payment.id] = replace(payment, invoice_id=None, invoice_number=None)
            memory.events += commit.events
            if commit.transaction is not None:
                memory.transactions[commit.transaction.id] = commit.transaction
            if commit.customer is not None:
                self._fill(commit.customer)
                if commit.payment_method is not None:
                    self._vault(commit.customer, commit.payment_method)
            return payment

    def drafted(self, payment: Payment) -> str:
        return _drafts.dump_json(payment).decode()

    def of_draft(self, draft: str) -> Payment:
        return _drafts.validate_json(draft)

    def _require_customer(self, payment: Payment) -> None:
        if payment.customer_id is not None:
            whose = (payment.organization_id, payment.mode, payment.customer_id)
            customer = self._memory.customers.get(whose)
            if customer is None or customer.erasing_since or customer.erased_at:
                raise CustomerNotFoundError(param="customerId")

    def transaction(self, transaction_id: str) -> Transaction | None:
        with self._memory.lock:
            return self._memory.transactions.get(transaction_id)

    def transactions_page(
        self,
        organization_id: str,
        mode: Mode,
        before: str | None,
        limit: int,
        *,
        customer_id: str | None = None,
    ) -> Sequence[tuple[str, Transaction]]:
        transactions = [
            transaction
            for transaction in self._memory.transactions.values()
            if owner(transaction) == (organization_id, mode)
            and customer_id in {None, None if transaction.settles else transaction.customer_id}
        ]
        return newest_first(transactions, before, limit)

    def due(self, now: datetime) -> Iterator[str]:
        with self._memory.lock:
            due = [
                (payment.due_at, payment)
                for payment in self._memory.payments.values()
                if payment.due_at is not None and payment.due_at <= now
            ]
        yield from (payment.id for _, payment in sorted(due, key=lambda one: one[0]))

    def _fill(self, customer: Customer) -> None:
        key = (customer.organization_id, customer.mode, customer.id)
        known = self._memory.customers.get(key)
        if known is not None and known.erased_at:
            customer = replace(known, updated_at=customer.updated_at)
        elif known is not None:
            customer = replace(
                known,
                updated_at=customer.updated_at,
                email=known.email or customer.email,
                full_name=known.full_name or customer.full_name,
                address=known.address or customer.address,
                tax_ids=known.tax_ids or customer.tax_ids,
                provider_customer_id=known.provider_customer_id or customer.provider_customer_id,
                default_payment_method=customer.default_payment_method
                or known.default_payment_method,
            )
        customer = replace(customer, version=customer.version + 1)
        self._memory.customers[key] = customer

    def _vault(self, customer: Customer, method: PaymentMethod) -> None:
        methods = self._memory.methods[customer.organization_id, customer.mode, customer.id]
        kept = methods.setdefault(method.key, Vaulted(method, first=customer.updated_at))
        kept.method, kept.last = method, customer.updated_at
        kept.provider_ids.add(method.provider_id)


class MemoryIdempotency:
    """Fulfils `paylink.ports.IdempotencyRepository`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        with self._memory.lock:
            found = self._memory.records.get(_record_key(record))
            return found if _still_good(found, now) else None

    def claim(self, record: IdempotencyRecord, now: datetime) -> None:
        with self._memory.lock:
            found = self._memory.records.get(_record_key(record))
            # The clock stands still here, so only who names a new payment is known by its record.
            own = found == record and record.payment_id is not None
            if found is not None and not own and _still_good(found, now):
                raise KeyInUseError(found)
            self._memory.records[_record_key(record)] = record

    def take_over(self, old: IdempotencyRecord, new: IdempotencyRecord) -> bool:
        with self._memory.lock:
            if not self._held(old):
                return False
            self._memory.records[_record_key(new)] = new
            return True

    def answer(self, record: IdempotencyRecord) -> None:
        with self._memory.lock:
            if self._held(record):
                self._memory.records[_record_key(record)] = record

    def forget(self, record: IdempotencyRecord) -> None:
        with self._memory.lock:
            if self._held(record):
                del self._memory.records[_record_key(record)]

    def release(self, record: IdempotencyRecord, now: datetime) -> None:
        with self._memory.lock:
            if self._held(record):
                key = _record_key(record)
                self._memory.records[key] = replace(self._memory.records[key], lease_until=now)

    def _held(self, record: IdempotencyRecord) -> bool:
        found = self._memory.records.get(_record_key(record))
        return (
            found is not None and found.response is None and found.lease_until == record.lease_until
        )


class MemoryCustomers:
    """Fulfils `paylink.ports.CustomerRepository`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.interruptions: list[Callable[[], object]] = []
        """Run once each, in order, before an update: rivals that get in first."""

    def find(
        self, organization_id: str, mode: Mode, reference: str, *, erasing: bool = False
    ) -> Customer | None:
        with self._memory.lock:
            customer_id: str | None = reference
            if not reference.startswith("cus_"):
                customer_id = self._memory.external_ids.get((organization_id, mode, reference))
            found = self._memory.customers.get((organization_id, mode, customer_id or ""))
        if found is None or found.erased_at or (found.erasing_since and not erasing):
            return None
        return found

    def add(self, customer: Customer, events: Sequence[DomainEvent]) -> None:
        with self._memory.lock:
            ids = self._memory.external_ids
            whose = owner(customer)
            taken = customer.external_id is not None and (*whose, customer.external_id) in ids
            if taken or (*whose, customer.id) in self._memory.customers:
                raise VersionConflictError
            self.put(customer)
            self._memory.events += events

    def update(
        self, before: Customer, after: Customer, events: Sequence[DomainEvent] = ()
    ) -> Customer:
        if self.interruptions:
            self.interruptions.pop(0)()
        whose = owner(before)
        with self._memory.lock:
            stored = self._memory.customers.get((*whose, before.id))
            if stored is None or stored.version != before.version:
                raise VersionConflictError
            if after.external_id != before.external_id:
                if (*whose, after.external_id or "") in self._memory.external_ids:
                    raise ExternalIdTakenError
                self._memory.external_ids.pop((*whose, before.external_id or ""), None)
            after = replace(after, version=before.version + 1)
            self.put(after)
            self._memory.events += events
            return after

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, Customer]]:
        mine = [
            customer
            for customer in self._memory.customers.values()
            if owner(customer) == (organization_id, mode) and not customer.erased_at
        ]
        return newest_first(mine, before, limit)

    def payment_methods(self, customer: Customer) -> Sequence[VaultedMethod]:
        with self._memory.lock:
            kept = self._memory.methods[*owner(customer), customer.id].values()
            found = [
                vaulted(customer, one.method, one.provider_ids, one.first)
                for one in kept
                if customer.has_since(one.last)
            ]
        return sorted(found, key=lambda method: (method.vaulted_at, method.id), reverse=True)

    def remove_payment_method(
        self, before: Customer, after: Customer, method: VaultedMethod
    ) -> Customer:
        with self._memory.lock:
            methods = self._memory.methods[*owner(before), before.id]
            if method.method.key not in methods:
                raise VersionConflictError
            after = self.update(before, after)
            del methods[method.method.key]
            return after

    def put(self, customer: Customer) -> None:
        with self._memory.lock:
            self._memory.customers[*owner(customer), customer.id] = customer
            if customer.external_id is not None:
                self._memory.external_ids[*owner(customer), customer.external_id] = customer.id


class MemoryOrganizations:
    """Fulfils `paylink.ports.OrganizationRepository`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, organization_id: str) -> Organization | None:
        return self._memory.organizations.get(organization_id)

    def put(self, organization: Organization) -> None:
        self._memory.organizations[organization.id] = organization

    def accounts(self) -> Sequence[tuple[datetime, Owner]]:
        return [(until, owner) for owner, until in self._memory.heard.items()]

    def note_heard(self, owner: Owner, until: datetime) -> None:
        self._memory.heard[owner] = until


class MemoryApiKeys:
    """Fulfils `paylink.ports.ApiKeyRepository`; counts how often it is asked."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._deleted: set[str] = set()
        self.reads = 0

    def get(self, key_id: str) -> ApiKey | None:
        self.reads += 1
        return self._memory.api_keys.get(key_id)

    def add(self, key: ApiKey) -> None:
        if key.id in self._memory.api_keys or key.id in self._deleted:
            raise VersionConflictError
        self._memory.api_keys[key.id] = key

    def note_use(self, key: ApiKey, now: datetime) -> None:
        if key.id in self._memory.api_keys:
            self._memory.api_keys[key.id] = replace(key, last_used_at=now)

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, ApiKey]]:
        keys = [k for k in self._memory.api_keys.values() if owner(k) == (organization_id, mode)]
        return newest_first(keys, before, limit)

    def delete(self, key: ApiKey, _now: datetime) -> None:
        del self._memory.api_keys[key.id]
        self._deleted.add(key.id)


Paper = TypeVar("Paper", bound=Document)


class MemoryDocuments(Generic[Paper]):
    """Fulfils `paylink.ports.DocumentRepository`, from the documents and numbers of one kind."""

    def __init__(
        self,
        memory: Memory,
        documents: dict[str, Paper],
        numbers: dict[tuple[str, str, int], int],
    ) -> None:
        self._memory = memory
        self._documents = documents
        self._numbers = numbers

    def get(self, document_id: str) -> Paper | None:
        with self._memory.lock:
            return self._documents.get(document_id)

    def next_sequence(self, organization_id: str, mode: Mode, year: int) -> int:
        with self._memory.lock:
            return self._numbers.get((organization_id, mode, year), 0) + 1

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Paper]]:
        mine = [
            document
            for document in self._documents.values()
            if owner(document) == (organization_id, mode)
            and customer_id in {None, document.customer_id}
        ]
        return newest_first(mine, before, limit)

    def claim_receipt(
        self,
        document: Document,
        now: datetime,
        until: datetime,
        after: ReceiptOutcome | None = None,
    ) -> ReceiptClaim:
        memory = self._memory
        with memory.lock:
            claimed = memory.receipt_claims.get(document.id)
            outcome, _ = memory.receipts.get(document.id, (None, now))
            maybe_told = after is not None and outcome is None and claimed is not None
            if claimed is not None and claimed > now:
                return "claimed_by_another"
            if outcome != after and not maybe_told:
                return "done"
            memory.receipt_claims[document.id] = until
            return "claimed"

    def release_receipt(self, document: Document) -> None:
        with self._memory.lock:
            self._memory.receipt_claims.pop(document.id, None)

    def note_receipt(self, document: Document, now: datetime, outcome: ReceiptOutcome) -> None:
        with self._memory.lock:
            self._memory.receipts[document.id] = outcome, now
            self._memory.receipt_claims.pop(document.id, None)


class MemoryInvoices(MemoryDocuments[Invoice]):
    """Fulfils `paylink.ports.InvoiceRepository`."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, memory.invoices, memory.numbers)

    def add(self, issued: Sequence[IssuedInvoice], year: int, first: int) -> None:
        memory = self._memory
        series = (issued[0].invoice.organization_id, issued[0].invoice.mode, year)
        with memory.lock:
            there = {new.payment_id for new, _ in issued if new.id in memory.invoices}
            if there or memory.numbers.get(series, 0) != first - 1:
                raise NumbersConflictError(there)
            memory.numbers[series] = first + len(issued) - 1
            for invoice, event in issued:
                memory.invoices[invoice.id] = invoice
                memory.events.append(event)


class MemoryCreditNotes(MemoryDocuments[CreditNote]):
    """Fulfils `paylink.ports.CreditNoteRepository`."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, memory.credit_notes, memory.credit_note_numbers)

    def add(
        self,
        note: CreditNote,
        year: int,
        sequence: int,
        payment_version: int,
        events: Sequence[DomainEvent],
    ) -> None:
        memory = self._memory
        series = (note.organization_id, note.mode, year)
        with memory.lock:
            taken = memory.credit_note_numbers.get(series, 0)
            if note.id in memory.credit_notes or taken != sequence - 1:
                raise VersionConflictError
            self._count_up(note, payment_version)
            memory.credit_notes[note.id] = note
            memory.credit_note_numbers[series] = sequence
            memory.events += events

    def void(self, note: CreditNote, payment_version: int, events: Sequence[DomainEvent]) -> None:
        memory = self._memory
        with memory.lock:
            known = memory.credit_notes.get(note.id)
            if known is None or known.status != "issued":
                raise VersionConflictError
            self._count_up(note, payment_version)
            memory.credit_notes[note.id] = replace(
                known, status=note.status, voided_at=note.voided_at
            )
            memory.events += events

    def _count_up(self, note: CreditNote, payment_version: int) -> None:
        payment = self._memory.payments.get(note.payment_id)
        if payment is None or payment.version != payment_version:
            raise VersionConflictError
        self._memory.payments[payment.id] = replace(payment, version=payment_version + 1)


class FakeInvoiceStore:
    """Fulfils `paylink.ports.InvoiceStore`."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.failures = 0
        """How many of the next puts fail."""

    def put(self, key: str, document: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the bucket can't be reached")
        self.documents.setdefault(key, document)

    def has(self, key: str) -> bool:
        return key in self.documents

    def get(self, key: str) -> bytes | None:
        return self.documents.get(key)

    def temporary_url(self, key: str, file_name: str) -> str:
        return f"https://bucket.example/{key}?name={file_name}"


class FakeLogoStore:
    """Fulfils `paylink.ports.LogoStore`."""

    def __init__(self, *, unreachable: bool = False) -> None:
        self.pictures: dict[str, bytes] = {}
        self.unreachable = unreachable

    def put(self, key: str, picture: bytes) -> None:
        self.pictures.setdefault(key, picture)

    def find(self, key: str) -> bytes | None:
        if self.unreachable:
            raise ConnectionError("the bucket can't be reached")
        return self.pictures.get(key)


class FakeMailer:
    """Fulfils `paylink.ports.Mailer`; ``trouble`` is raised by the next sends, in this order."""

    def __init__(self) -> None:
        self.configured = True
        self.sent: list[Mail] = []
        self.trouble: list[Exception] = []

    def send(self, mail: Mail) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.sent.append(mail)


class FakeEventBus:
    """Fulfils `paylink.ports.EventBus`; refuses the events named in ``refused``."""

    def __init__(self, refused: Sequence[str] = ()) -> None:
        self.refused = set(refused)
        self.published: list[DomainEvent] = []
        self.awaited: set[str] = set()

    def publish(self, events: Sequence[DomainEvent], awaited: Set[str]) -> list[str]:
        self.awaited |= awaited
        self.published += [event for event in events if event.id not in self.refused]
        return [event.id for event in events if event.id in self.refused]


class FakeCredentials:
    """Fulfils `paylink.ports.CredentialsStore`."""

    def __init__(self, known: Mapping[tuple[str, Mode], ProviderCredentials] | None = None) -> None:
        self.known = dict(known or {})

    def get(self, organization_id: str, mode: Mode) -> ProviderCredentials | None:
        return self.known.get((organization_id, mode))


CARD = PaymentMethod("fp_4242", "pm_card", "card", "visa", "4242", 12, 2034, reusable=True)
DEBIT = PaymentMethod("fp_debit", "pm_debit", "sepa_debit", None, "3000", reusable=True)
BUYER = Buyer("buyer@example.com", "Bea Buyer", Address("Rue 1", None, "Lyon", None, "69001", "FR"))

Fault = Literal["unavailable", "stored", "timeout", "rejected", "done_but_stored"]
_SHORTEST, _LONGEST = timedelta(minutes=30), timedelta(hours=24)


class CheckoutClosedError(Exception):
    """The buyer tried to pay at a checkout that isn't open any more."""


@dataclass
class Checkout:
    """One hosted checkout, and its money, as they stand at the provider."""

    id: str
    payment_id: str
    amount: int
    currency: str
    expires_at: datetime
    status: Literal["open", "complete", "expired"] = "open"
    outcome: Outcome = "unpaid"
    tax: int = 0
    adds_tax: bool = True
    attempt: Attempt | None = None
    intent_id: str | None = None
    method: PaymentMethod | None = None
    customer: str | None = None
    paid_at: datetime | None = None
    buyer: Buyer = field(default_factory=Buyer)


class FakeProvider(FakeCharges, FakeDisputes, FakeRefunds):
    """Fulfils `paylink.ports.PaymentProvider`, and plays the buyer at the hosted checkout."""

    def __init__(self, clock: Callable[[], datetime], name: str = "acct") -> None:
        FakeCharges.__init__(self)
        FakeRefunds.__init__(self, self.money_of, self.taken_back)
        FakeDisputes.__init__(self)
        self._clock = clock
        self._name = name
        self._lock = threading.RLock()
        self._count = itertools.count(1)
        self._answers: dict[str, tuple[Mapping[str, Any], str | None]] = {}
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._interruptions: dict[str, list[Callable[[], object]]] = defaultdict(list)
        self._made_customers: dict[str, str] = {}
        self.customers: dict[str, Customer] = {}
        """What is known of each customer, by the provider's own ids."""
        self.detached: list[str] = []
        self.undelivered: list[ProviderEvent] = []
        """What no endpoint took; it stays here for as long as a test leaves it."""
        self.checkouts: dict[str, Checkout] = {}
        self.calls: list[tuple[str, str]] = []
        self.tax_percent = 20
        self.owner = ("org_1", "deployment_1")
        """Whose organization and deployment is marked on what was made here."""

    def fail(self, operation: str, *faults: Fault) -> None:
        """The next calls of an operation fail: before anything happened (``unavailable``), with a
        failure that is replayed for its key (``stored``), after it was done (``timeout``), or
        because it is wrong (``rejected``)."""
        self._faults[operation] += faults

    def interrupt(self, operation: str, *actions: Callable[[], object]) -> None:
        """What happens elsewhere just after the next calls of an operation were answered."""
        self._interruptions[operation] += actions

    def forget_failures(self) -> None:
        """From now on every call is answered."""
        self._faults.clear()
        self._interruptions.clear()

    def request_of(self, idempotency_key: str) -> Mapping[str, Any]:
        """The parameters that a checkout was made from."""
        return self._answers[idempotency_key][0]

    def forget_answers(self) -> None:
        """As if no idempotency key had been used yet."""
        self._answers.clear()

    # What the port asks for.

    def prepare_session(
        self, payment: Payment, customer: Customer | None, now: datetime
    ) -> CheckoutSession:
        latest = now + _LONGEST - timedelta(minutes=10)
        wanted = payment.expires_at or latest
        end = min(max(wanted, now + _SHORTEST + timedelta(minutes=1)), latest)
        generation = len(payment.sessions) + 1
        return CheckoutSession(
            generation=generation,
            idempotency_key=f"{payment.id}:{generation}",
            request={
                "payment_id": payment.id,
                "amount": payment.amount_total if payment.tax else payment.amount_subtotal,
                "adds_tax": payment.tax is None,
                "currency": payment.currency,
                "customer": customer.provider_customer_id if customer else None,
                "expires_at": int(end.timestamp()),
            },
            expires_at=end.replace(microsecond=0),
            tax=payment.tax,
        )

    def create_session(self, session: CheckoutSession) -> CheckoutSession:
        fault = self._called("create_session", session.idempotency_key)
        with self._lock:
            if fault == "unavailable":
                raise ProviderUnavailableError()
            if fault == "rejected":
                raise ProviderRejectedError(
                    "Amount too small.", provider_code="amount_too_small", param="amount"
                )
            if fault == "stored":
                self._answers.setdefault(session.idempotency_key, (session.request, None))
            checkout = self._answered(session)
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("create_session")
        return replace(
            session,
            request={},
            id=checkout.id,
            url=f"https://checkout.example/{checkout.id}#fid",
            expires_at=checkout.expires_at,
        )

    def fetch_checkout(self, session_id: str) -> CheckoutState:
        self._called("fetch_checkout", session_id, raises=True)
        with self._lock:
            if session_id not in self.checkouts:
                raise ProviderSessionGoneError()
            checkout = self._checkout(session_id)
            rate = f"{self.tax_percent}"
            line = TaxLine("VAT", rate, checkout.amount, checkout.tax, "standard_rated")
            state = CheckoutState(
                session_id=checkout.id,
                session_status=checkout.status,
                outcome=checkout.outcome,
                currency=checkout.currency,
                amount_subtotal=checkout.amount,
                tax_amount=checkout.tax,
                tax_status="final" if checkout.tax else "pending",
                tax_lines=(line,) if checkout.tax else (),
                payment_intent_id=checkout.intent_id,
                provider_customer_id=f"cus_{self._name}",
                attempt=checkout.attempt,
                buyer=checkout.buyer,
                paid_at=checkout.paid_at,
            )
        self._answered_to("fetch_checkout")
        return state

    def expire_session(self, session_id: str) -> None:
        fault = self._called("expire_session", session_id)
        if fault in {"unavailable", "stored"}:
            raise ProviderUnavailableError()
        with self._lock:
            checkout = self._checkout(session_id)
            if checkout.status != "open":
                raise SessionNotOpenError(session_id)
            checkout.status = "expired"
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("expire_session")

    def session_of_payment_intent(self, intent_id: str) -> str | None:
        self._called("session_of_payment_intent", intent_id, raises=True)
        with self._lock:
            found = (c.id for c in self.checkouts.values() if c.intent_id == intent_id)
            return next(found, None)

    def create_customer(self, customer: Customer) -> str:
        key = f"{customer.id}:{customer.provider_generation}"
        fault = self._called("create_customer", key)
        with self._lock:
            if fault == "unavailable":
                raise ProviderUnavailableError()
            if fault == "stored":
                raise ProviderUnavailableError(outcome_stored=True)
            if fault == "rejected":
                raise ProviderRejectedError("No such tax id.", param="taxDocument")
            made = self._made_customers.setdefault(key, f"cus_{self._name}_{next(self._count)}")
            self.customers.setdefault(made, customer)
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("create_customer")
        return made

    def update_customer(self, customer: Customer) -> None:
        fault = self._called("update_customer", customer.provider_customer_id or "")
        if fault in {"unavailable", "stored"}:
            raise ProviderUnavailableError()
        if fault == "rejected":
            raise ProviderRejectedError("No such tax id.", param="taxDocument")
        with self._lock:
            if customer.provider_customer_id not in self.customers:
                raise ProviderCustomerGoneError(customer.provider_customer_id or "")
            self.customers[customer.provider_customer_id] = customer
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("update_customer")

    def delete_customer(self, provider_customer_id: str) -> None:
        fault = self._called("delete_customer", provider_customer_id, raises=True)
        assert fault is None
        with self._lock:
            self.customers.pop(provider_customer_id, None)
        self._answered_to("delete_customer")

    def undelivered_events(self, since: datetime, until: datetime) -> Sequence[ProviderEvent]:
        self._called("undelivered_events", self._name, raises=True)
        found = [one for one in self.undelivered if since <= one.at <= until]
        return sorted(found, key=lambda one: one.at)

    def detach_payment_method(self, provider_id: str) -> None:
        fault = self._called("detach_payment_method", provider_id, raises=True)
        assert fault is None
        self.detached.append(provider_id)
        self._answered_to("detach_payment_method")

    # What the buyer and the bank do.

    def pay(self, session_id: str, method: PaymentMethod = CARD, buyer: Buyer = BUYER) -> None:
        checkout = self._confirm(session_id, buyer)
        self._take(checkout, self._attempt("ch", method))

    def decline(self, session_id: str, code: str = "card_declined") -> None:
        checkout = self._confirm(session_id, BUYER)
        attempt = self._attempt("ch", CARD)
        checkout.attempt = replace(attempt, failure_code=code, failure_message="It was declined.")
        checkout.outcome = "failed"

    def ask_for_3ds(self, session_id: str) -> None:
        checkout = self._confirm(session_id, BUYER)
        checkout.outcome = "requires_action"

    def approve_3ds(self, session_id: str) -> None:
        checkout = self._open(session_id)
        assert checkout.outcome == "requires_action"
        self._take(checkout, self._attempt("ch", CARD))

    def refuse_3ds(self, session_id: str) -> None:
        checkout = self._open(session_id)
        assert checkout.outcome == "requires_action"
        checkout.attempt = Attempt(
            id=f"{checkout.intent_id}:authentication:{next(self._count)}",
            payment_method=CARD,
            failure_code="payment_intent_authentication_failure",
            failure_message="The buyer could not be authenticated.",
        )
        checkout.outcome = "failed"

    def debit(self, session_id: str) -> None:
        """Days pass until a bank's answer; the charge is there from the beginning."""
        checkout = self._confirm(session_id, BUYER)
        checkout.attempt = self._attempt("py", DEBIT)
        checkout.status = "complete"
        checkout.outcome = "processing"

    def settle_debit(self, session_id: str) -> None:
        checkout = self.checkouts[session_id]
        assert checkout.outcome == "processing"
        assert checkout.attempt is not None
        self._take(checkout, checkout.attempt)

    def bounce_debit(self, session_id: str) -> None:
        """The same charge that was processing is now a failed one."""
        checkout = self.checkouts[session_id]
        assert checkout.outcome == "processing"
        assert checkout.attempt is not None
        checkout.attempt = replace(
            checkout.attempt, failure_code="debit_not_authorized", failure_message="It bounced."
        )
        checkout.outcome = "failed"

    def live(self, payment_id: str) -> list[str]:
        """The checkouts at which this payment could be paid now."""
        return [
            checkout_id
            for checkout_id, checkout in self.checkouts.items()
            if checkout.payment_id == payment_id and self._checkout(checkout_id).status == "open"
        ]

    def taken(self, payment_id: str) -> int:
        """How much money the provider took for a payment, in all its checkouts."""
        return sum(
            c.amount + c.tax
            for c in self.checkouts.values()
            if c.payment_id == payment_id and c.outcome == "paid"
        )

    def marks_of_payment_intent(self, intent_id: str) -> ProviderMarks:
        self._called("marks_of_payment_intent", intent_id, raises=True)
        checkouts = [c.payment_id for c in self.checkouts.values() if c.intent_id == intent_id]
        charges = [i.state.payment_id for n, i in self.intents.items() if n == intent_id]
        found = next(iter([*checkouts, *charges]), None)
        return ProviderMarks(found, *self.owner) if found else ProviderMarks()

    def money_of(self, intent_id: str) -> int:
        if intent_id in self.intents:
            state = self.intents[intent_id].state
            return state.amount if state.outcome == "paid" else 0
        checkouts = [c for c in self.checkouts.values() if c.intent_id == intent_id]
        return sum(c.amount + c.tax for c in checkouts if c.outcome == "paid")

    def called(self, operation: str) -> int:
        return sum(1 for name, _ in self.calls if name == operation)

    def _called(self, operation: str, subject: str, *, raises: bool = False) -> Fault | None:
        with self._lock:
            self.calls.append((operation, subject))
            faults = self._faults[operation]
            fault = faults.pop(0) if faults else None
        if raises and fault == "rejected":
            raise ProviderRejectedError("There is no such thing.")
        if raises and fault is not None:
            raise ProviderUnavailableError()
        return fault

    def _answered_to(self, operation: str) -> None:
        if self._interruptions[operation]:
            self._interruptions[operation].pop(0)()

    def _answered(self, session: CheckoutSession) -> Checkout:
        """The first answer for a key again, else a new checkout."""
        known = self._answers.get(session.idempotency_key)
        customer = session.request["customer"]
        if customer is not None and customer not in self.customers:
            raise ProviderCustomerGoneError(customer)
        if known is not None:
            request, checkout_id = known
            assert dict(request) == dict(session.request), "a key was used for other parameters"
            if checkout_id is None:
                raise ProviderUnavailableError(outcome_stored=True)
            return self.checkouts[checkout_id]
        request = session.request
        end = datetime.fromtimestamp(request["expires_at"], UTC)
        if not _SHORTEST <= end - self._clock() <= _LONGEST:
            raise ProviderRejectedError("30 minutes to 24 hours.", param="expiresAt")
        checkout = Checkout(
            id=f"cs_{self._name}_{next(self._count)}",
            payment_id=request["payment_id"],
            amount=request["amount"],
            currency=request["currency"],
            expires_at=end,
            adds_tax=request["adds_tax"],
            customer=customer,
        )
        self.checkouts[checkout.id] = checkout
        self._answers[session.idempotency_key] = (request, checkout.id)
        return checkout

    def _checkout(self, session_id: str) -> Checkout:
        checkout = self.checkouts.get(session_id)
        if checkout is None:
            raise ProviderRejectedError("There is no such checkout session.")
        if checkout.status == "open" and checkout.expires_at <= self._clock():
            checkout.status = "expired"
        return checkout

    def _open(self, session_id: str) -> Checkout:
        checkout = self._checkout(session_id)
        if checkout.status != "open":
            raise CheckoutClosedError(session_id)
        return checkout

    def _confirm(self, session_id: str, buyer: Buyer) -> Checkout:
        checkout = self._open(session_id)
        checkout.buyer = buyer
        checkout.intent_id = checkout.intent_id or f"pi_{checkout.id}"
        if checkout.adds_tax:
            checkout.tax = (checkout.amount * self.tax_percent * 2 + 100) // 200
        return checkout

    def _attempt(self, prefix: str, method: PaymentMethod) -> Attempt:
        number = next(self._count)
        charge_id = f"{prefix}_{number}"
        used = replace(method, provider_id=f"pm_{number}")
        return Attempt(id=charge_id, payment_method=used, charge_id=charge_id)

    def _take(self, checkout: Checkout, attempt: Attempt) -> None:
        checkout.attempt = attempt
        checkout.status = "complete"
        checkout.outcome = "paid"
        checkout.paid_at = self._clock()


class FakeProviders:
    """Fulfils `paylink.ports.Providers`; None in place of an account is one without secrets."""

    def __init__(self, default: FakeProvider | None) -> None:
        self.default = default
        self.accounts: dict[tuple[str, Mode], FakeProvider | None] = {}

    def account(self, organization_id: str, mode: Mode) -> FakeProvider:
        account = self.accounts.get((organization_id, mode), self.default)
        if account is None:
            raise ProviderUnavailableError("No payment provider is set up.")
        return account
