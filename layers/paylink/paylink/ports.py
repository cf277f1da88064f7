"""What the services need from the outside world, as protocols that adapters and fakes fulfil."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

from paylink.domain.organization import Mode

if TYPE_CHECKING:  # no function has to do with all of it
    from paylink.domain.api_key import ApiKey
    from paylink.domain.charge import ChargeState, TaxCalculation
    from paylink.domain.credit_note import CreditNote
    from paylink.domain.customer import Customer, PaymentMethod, VaultedMethod
    from paylink.domain.dispute import DisputeState
    from paylink.domain.document import Document
    from paylink.domain.events import DomainEvent
    from paylink.domain.invoice import Invoice
    from paylink.domain.mail import Mail
    from paylink.domain.organization import Organization, Owner, ProviderCredentials
    from paylink.domain.payment import (
        CheckoutSession,
        CheckoutState,
        Payment,
        Refund,
        Transaction,
    )
    from paylink.domain.provider_event import ProviderEvent
    from paylink.domain.refund import RefundState
    from paylink.domain.webhook import Attempt as WebhookAttempt
    from paylink.domain.webhook import Conclusion, Delivery, Lane, WebhookEndpoint

Clock = Callable[[], datetime]
"""The present moment, aware and in UTC."""


@dataclass(frozen=True)
class StoredResponse:
    """An answer kept for the replay of an idempotent request; ``body`` is the JSON text."""

    status: int
    body: str


@dataclass(frozen=True)
class IdempotencyRecord:
    """One use of a caller's idempotency key, and what became of it."""

    organization_id: str
    mode: Mode
    key: str
    operation: str
    request_hash: str
    lease_until: datetime
    """While the first request may still be running; nobody may take over before."""
    expires_at: datetime
    payment_id: str | None = None
    response: StoredResponse | None = None
    draft: str | None = None
    """Of a link that isn't made yet: all of it, as `PaymentRepository.drafted` says it."""


@dataclass(frozen=True)
class Commit:
    """Everything that one decision about a payment writes, all of it or nothing.

    ``payment.version`` is the version that was read; the write fails if another came in between.
    """

    payment: Payment
    events: tuple[DomainEvent, ...] = ()
    transaction: Transaction | None = None
    customer: Customer | None = None
    """Made if it doesn't exist; of an existing one only what was unknown is filled in."""
    payment_method: PaymentMethod | None = None
    """Vaulted for ``payment.customer_id``."""
    answered: IdempotencyRecord | None = None
    new: bool = False
    """The payment isn't on record yet: the write fails if it is."""


class VersionConflictError(Exception):
    """The item was changed since it was read: read and decide again."""


class KeyInUseError(Exception):
    """The idempotency key has a record already."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__(record.operation)
        self.record = record


@dataclass(frozen=True)
class ChargeLease:
    """One customer is charged by one payment at a time, until then at the longest."""

    organization_id: str
    mode: Mode
    customer_id: str
    payment_id: str
    until: datetime


class PaymentRepository(Protocol):
    def add(
        self, payment: Payment, record: IdempotencyRecord | None, lease: ChargeLease | None = None
    ) -> None:
        """Writes a new charge, its idempotency record and the customer's lease.

        Raises KeyInUseError if the key is taken, else CustomerNotFoundError if somebody erases its
        customer, else ChargeInProgressError if the lease is taken.
        """

    def hold(self, lease: ChargeLease, now: datetime) -> None:
        """Takes a lease, or keeps the payment's own; else ChargeInProgressError."""

    def let_go(self, lease: ChargeLease) -> None:
        """Ends the payment's lease, unless another has it by now."""

    def remove(self, payment: Payment, record: IdempotencyRecord | None) -> None:
        """Takes back a payment that the provider refused, and frees the key."""

    def get(self, payment_id: str, *, with_invoice: bool = False) -> Payment | None:
        """The newest state of a payment of any organization: the caller checks whose it is.

        Which invoice it has is told only where it is asked for.
        """

    def several(self, payment_ids: Iterable[str]) -> Sequence[Payment]:
        """Those that there are, each as `get` has it, with which invoice they have."""

    def commit(self, commit: Commit) -> Payment:
        """Writes a decision and returns the payment at its new version.

        Raises VersionConflictError if the payment has changed since it was read, and, of a new one,
        CustomerNotFoundError if somebody erases its customer.
        """

    def drafted(self, payment: Payment) -> str:
        """A payment that isn't on record yet as text, for its idempotency record to keep."""

    def of_draft(self, draft: str) -> Payment:
        """The payment that was `drafted`."""

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Payment]]:
        """Payments older than a position, newest first, with their positions, and with which
        invoice they have."""

    def transaction(self, transaction_id: str) -> Transaction | None:
        """The newest state of a transaction of any organization: the caller checks whose it is."""

    def transactions_page(
        self,
        organization_id: str,
        mode: Mode,
        before: str | None,
        limit: int,
        *,
        customer_id: str | None = None,
    ) -> Sequence[tuple[str, Transaction]]:
        """Transactions older than a position, newest first, with their positions; of a customer
        only those that no payment's settlement leads to."""

    def due(self, now: datetime) -> Iterable[str]:
        """Ids of payments that somebody must look after by now, oldest first within each shard."""


class IdempotencyRepository(Protocol):
    def claim(self, record: IdempotencyRecord, now: datetime) -> None:
        """Takes the key for a request about to run, or answered already; else KeyInUseError.

        A record that is there to the microsecond is its own, of a write whose answer was lost.
        """

    def answer(self, record: IdempotencyRecord) -> None:
        """Keeps the answer of a claimed request, unless somebody took it over."""

    def find(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        """What is on record for the key of this one; None once its time is over."""

    def take_over(self, old: IdempotencyRecord, new: IdempotencyRecord) -> bool:
        """Continues a request whose lease is over, or keeps its newer draft; False if somebody
        else does already."""

    def forget(self, record: IdempotencyRecord) -> None:
        """Frees the key of a request that came to nothing, unless somebody took it over."""

    def release(self, record: IdempotencyRecord, now: datetime) -> None:
        """Ends the lease early, so that a retry may run at once with the same payment."""


class ExternalIdTakenError(Exception):
    """Another customer has this external id."""


class CustomerRepository(Protocol):
    def find(
        self, organization_id: str, mode: Mode, reference: str, *, erasing: bool = False
    ) -> Customer | None:
        """By our id (``cus_…``) or the caller's own; one who is being forgotten only if asked for,
        and one who was never."""

    def add(self, customer: Customer, events: Sequence[DomainEvent]) -> None:
        """Writes a new customer; VersionConflictError if one of its ids is taken."""

    def update(
        self, before: Customer, after: Customer, events: Sequence[DomainEvent] = ()
    ) -> Customer:
        """Writes a change and returns the customer at its new version.

        Raises VersionConflictError if the customer has changed since ``before`` was read, and
        ExternalIdTakenError if its new external id is somebody else's.
        """

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, Customer]]:
        """Customers older than a position, newest first, with their positions."""

    def payment_methods(self, customer: Customer) -> Sequence[VaultedMethod]:
        """All that is vaulted for a customer, newest first."""

    def remove_payment_method(
        self, before: Customer, after: Customer, method: VaultedMethod
    ) -> Customer:
        """Writes a customer without a method and returns it at its new version.

        Raises VersionConflictError if the customer has changed since ``before`` was read, as it
        does whenever a method is vaulted.
        """


class OrganizationRepository(Protocol):
    def get(self, organization_id: str) -> Organization | None: ...

    def accounts(self) -> Sequence[tuple[datetime, Owner]]:
        """Whoever has an account at the provider, and up to when all of its events were handled,
        delivered or not."""

    def note_heard(self, owner: Owner, until: datetime) -> None:
        """Keeps how far an account was heard."""


class ApiKeyRepository(Protocol):
    def get(self, key_id: str) -> ApiKey | None: ...

    def add(self, key: ApiKey) -> None:
        """VersionConflictError if there is, or lately was, one with its id."""

    def delete(self, key: ApiKey, now: datetime) -> None: ...

    def note_use(self, key: ApiKey, now: datetime) -> None:
        """Keeps when a key was used last; a key that is gone stays gone."""

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, ApiKey]]:
        """Keys older than a position, newest first, with their positions."""


ReceiptClaim = Literal["claimed", "claimed_by_another", "done"]
ReceiptOutcome = Literal["sent", "refused", "taken_back"]


class MailedDocuments(Protocol):
    """Documents that buyers are written about, once for each thing that there is to say."""

    def claim_receipt(
        self,
        document: Document,
        now: datetime,
        until: datetime,
        after: ReceiptOutcome | None = None,
    ) -> ReceiptClaim:
        """Lets one run at a time write to the buyer, until a moment at the longest.

        ``after`` is what became of what was sent before; None: nothing was. Else it is ``done``.
        """

    def release_receipt(self, document: Document) -> None:
        """Ends a claim early: nothing was sent, and the next run may try."""

    def note_receipt(self, document: Document, now: datetime, outcome: ReceiptOutcome) -> None:
        """Keeps what became of it: from then on it is done."""


class IssuedInvoice(NamedTuple):
    """A new invoice, and the event that tells of it."""

    invoice: Invoice
    event: DomainEvent


MOST_NUMBERS = 25
"""What one write takes: four megabytes, and an invoice may have a hundred kilobytes."""


class NumbersConflictError(VersionConflictError):
    """Others took numbers since they were looked at, or issued some of the same invoices."""

    def __init__(self, payment_ids: Collection[str]) -> None:
        super().__init__(sorted(payment_ids))
        self.payment_ids = payment_ids
        """Those whose invoice there is by now."""


Paper_co = TypeVar("Paper_co", bound="Document", covariant=True)


class DocumentRepository(MailedDocuments, Protocol[Paper_co]):
    """Numbered documents of one kind."""

    def get(self, document_id: str) -> Paper_co | None: ...

    def next_sequence(self, organization_id: str, mode: Mode, year: int) -> int:
        """The number that the next document of this series would get; nothing is taken yet."""

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Paper_co]]:
        """Documents older than a position, newest first, with their positions."""


class InvoiceRepository(DocumentRepository["Invoice"], Protocol):
    def add(self, issued: Sequence[IssuedInvoice], year: int, first: int) -> None:
        """Takes as many numbers of one series as there are invoices, from ``first`` on, and writes
        the invoices in one step: `MOST_NUMBERS` of them at most.

        Raises NumbersConflictError if a number or an invoice is taken.
        """


class CreditNoteRepository(DocumentRepository["CreditNote"], Protocol):
    def add(
        self,
        note: CreditNote,
        year: int,
        sequence: int,
        payment_version: int,
        events: Sequence[DomainEvent],
    ) -> None:
        """Takes the number, writes the note and counts its payment's version up, in one step.

        Raises VersionConflictError if number or note is taken, or the payment has changed.
        """

    def void(self, note: CreditNote, payment_version: int, events: Sequence[DomainEvent]) -> None:
        """Keeps that a note became void, and counts its payment's version up, in one step.

        Raises VersionConflictError if it was void before, or the payment has changed.
        """


class DocumentIssuer(Protocol):
    def issue(self, document: Document) -> None:
        """Has the PDF of a document made and stored, now, by the function that issues its kind.

        Raises DocumentUnavailableError.
        """


class InvoiceStore(Protocol):
    def put(self, key: str, document: bytes) -> None:
        """Stores a PDF once; one that is there already stays as it is."""

    def has(self, key: str) -> bool:
        """Whether a PDF is stored there. Raises DocumentUnavailableError."""

    def get(self, key: str) -> bytes | None:
        """The PDF as it was stored; None if it never was. Raises DocumentUnavailableError."""

    def temporary_url(self, key: str, file_name: str) -> str:
        """A URL of one minute that downloads the document."""


class LogoStore(Protocol):
    def put(self, key: str, picture: bytes) -> None:
        """Stores a picture under a key of `domain.logo`; one that is there stays as it is."""

    def find(self, key: str) -> bytes | None:
        """The picture; None where there is none."""


class Mailer(Protocol):
    @property
    def configured(self) -> bool:
        """Whether the deployment has a sender at all."""

    def send(self, mail: Mail) -> None:
        """Raises EmailNotSendableError for what can't be sent to this address, and
        MailUnavailableError for what a retry may cure."""


@dataclass(frozen=True)
class ProviderMarks:
    """What we write on what we make at the provider; None on anything that isn't ours."""

    payment_id: str | None = None
    organization_id: str | None = None
    deployment_id: str | None = None


class SessionNotOpenError(Exception):
    """The session could not be expired because it isn't open: look at it again and decide."""


class ChargeNotOpenError(Exception):
    """The charge could not be canceled because it isn't open: look at it again and decide."""


class PaymentProvider(Protocol):
    """One organization's account at the provider, in one mode.

    Every call raises ProviderUnavailableError for what a retry may cure, and ProviderRejectedError
    for what it can't.
    """

    def prepare_session(
        self,
        payment: Payment,
        customer: Customer | None,
        now: datetime,
    ) -> CheckoutSession:
        """The next checkout of a payment, with exact parameters; nothing is sent yet."""

    def create_session(self, session: CheckoutSession) -> CheckoutSession:
        """Makes a prepared session, or finds the one that was made from the same parameters.

        Raises ProviderCustomerGoneError if its customer was deleted at the provider.
        """

    def fetch_checkout(self, session_id: str) -> CheckoutState:
        """How the session and its money stand now."""

    def expire_session(self, session_id: str) -> None:
        """Makes an open session unpayable; SessionNotOpenError if it isn't open."""

    def session_of_payment_intent(self, intent_id: str) -> str | None:
        """The session whose checkout made a payment intent."""

    def calculate_tax(self, payment: Payment, customer: Customer) -> TaxCalculation:
        """The tax on a charge.

        Raises TaxCalculationError where the buyer's address is unknown or doesn't tell, and
        ProviderCustomerGoneError if its customer was deleted at the provider.
        """

    def prepare_charge(self, payment: Payment, now: datetime) -> CheckoutSession:
        """The next payment intent of a charge, with exact parameters; nothing is sent yet."""

    def create_charge(self, session: CheckoutSession) -> ChargeState:
        """Asks for the money; a decline is a state and no error.

        Raises NoPaymentMethodError if the vaulted method or its customer can't be used any more.
        """

    def find_charge(self, payment: Payment) -> ChargeState | None:
        """The intent that was made for a charge, by our marks on it."""

    def fetch_charge(self, intent_id: str) -> ChargeState:
        """How a charge's intent and its money stand now."""

    def cancel_charge(self, intent_id: str) -> None:
        """Makes an intent that waits for somebody unpayable; else ChargeNotOpenError."""

    def create_refund(
        self, payment: Payment, transaction: Transaction, refund: Refund
    ) -> RefundState:
        """Sends money of a transaction back, once for the refund's key."""

    def refunds_of(self, intent_id: str) -> Sequence[RefundState]:
        """All refunds of a payment intent, whoever made them."""

    def disputes_of(self, intent_id: str) -> Sequence[DisputeState]:
        """All disputes of a payment intent's money, inquiries among them."""

    def marks_of_payment_intent(self, intent_id: str) -> ProviderMarks:
        """Whose a payment intent is, by what we wrote on it."""

    def create_customer(self, customer: Customer) -> str:
        """Makes the provider's customer of a generation, once, and returns its id."""

    def update_customer(self, customer: Customer) -> None:
        """Tells the provider all that it may know of a customer.

        Raises ProviderCustomerGoneError if its customer was deleted there.
        """

    def delete_customer(self, provider_customer_id: str) -> None:
        """Makes the provider forget a customer for ever; one that is gone already is fine."""

    def undelivered_events(self, since: datetime, until: datetime) -> Sequence[ProviderEvent]:
        """Events of this time that a webhook endpoint has not taken yet, oldest first."""

    def detach_payment_method(self, provider_id: str) -> None:
        """Makes a vaulted method unusable for ever; one that is gone already is fine."""


class Providers(Protocol):
    def account(self, organization_id: str, mode: Mode) -> PaymentProvider:
        """Raises ProviderUnavailableError where no credentials are set."""


class CredentialsStore(Protocol):
    def get(self, organization_id: str, mode: Mode) -> ProviderCredentials | None: ...


class EventBus(Protocol):
    def publish(self, events: Sequence[DomainEvent], awaited: Set[str]) -> list[str]:
        """Puts events on the bus; returns the ids of those that it did not take.

        ``awaited`` are the ids of those that webhooks tell somebody of: rules go by it.
        """


class EndpointChangedError(Exception):
    """The endpoint was changed since it was read; the delivery wasn't."""


class WebhookRepository(Protocol):
    """Endpoints and deliveries. A change is refused with VersionConflictError if what it was made
    from is no longer so."""

    def endpoints(self, organization_id: str, mode: Mode) -> Sequence[WebhookEndpoint]:
        """All of an owner's, newest first, as of now."""

    def endpoint(
        self, organization_id: str, mode: Mode, endpoint_id: str
    ) -> WebhookEndpoint | None: ...

    def add_endpoint(self, endpoint: WebhookEndpoint) -> None:
        """VersionConflictError if there is, or lately was, one with its id."""

    def update_endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """Writes a change of the version that was read; returns it at its new version."""

    def delete_endpoint(self, endpoint: WebhookEndpoint, now: datetime) -> None: ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Of any organization: the caller checks whose it is."""

    def add_delivery(self, delivery: Delivery) -> Delivery:
        """Writes a new delivery and returns it, or the one there is with its id."""

    def conclude(self, conclusion: Conclusion) -> Delivery:
        """Writes delivery, endpoint and events in one step; returns the delivery as it is then.

        EndpointChangedError if only the endpoint is no longer as it was read.
        """

    def claim_notice(self, event_id: str, now: datetime) -> bool:
        """Whether nobody has told the owner of this event; from now on somebody has."""

    def release_notice(self, event_id: str) -> None:
        """Nothing was told after all, and the next run may try."""

    def deliveries_page(
        self, endpoint: WebhookEndpoint, before: str | None, limit: int
    ) -> Sequence[tuple[str, Delivery]]:
        """Deliveries older than a position, newest first, with their positions."""


@dataclass(frozen=True)
class DeliveryCall:
    """Word that a delivery may be due; the delivery itself says whether it is."""

    delivery_id: str
    endpoint_id: str
    lane: Lane
    """The queue that it goes by."""


class DeliveryQueue(Protocol):
    def send(self, calls: Sequence[DeliveryCall], delay: timedelta = timedelta(0)) -> None:
        """Brings calls after a delay, or earlier if it is longer than the queue can wait."""


class WebhookSender(Protocol):
    def check(self, url: str) -> None:
        """Raises TargetRefusedError for a URL that leads anywhere but to the public internet."""

    def send(
        self, url: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> WebhookAttempt:
        """One POST to a URL, checked again; whatever happens is an attempt and no error."""
