"""A whole service on fakes: one seller, one account at the provider, and the use cases by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from paylink.domain.credit_note import CreditNote
from paylink.domain.customer import Customer
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Mode, Organization, ProviderCredentials
from paylink.domain.payment import LineItem, Payment, Refund, Transaction
from paylink.domain.provider_event import ProviderEvent
from paylink.http.envelope import failure, success
from paylink.http.schemas.payments import present_payment
from paylink.metrics import Measure
from paylink.services.cancel_payment import cancel_payment
from paylink.services.charge_payment import NewCharge, charge_payment
from paylink.services.create_payment import NewLink, create_payment
from paylink.services.handle_provider_event import handle_provider_event
from paylink.services.hear_undelivered import Hearing, HearingPorts, hear_undelivered
from paylink.services.idempotency import IdempotentRequest
from paylink.services.issue_credit_notes import issue_credit_notes
from paylink.services.issue_invoice import IssuePorts, issue_invoice, number_invoices
from paylink.services.open_checkout import open_checkout
from paylink.services.own_tax import Told
from paylink.services.payment_requests import Answer, PaymentPorts, Presenter, Requester
from paylink.services.refund_transaction import NewRefund, refund_transaction
from paylink.services.return_surplus import return_surplus
from paylink.services.sweep_payments import Sweep, sweep_payments
from paylink.services.view_link import LinkView, view_link
from tests.unit.fakes import (
    START,
    FakeClock,
    FakeCredentials,
    FakeInvoiceStore,
    FakeProvider,
    FakeProviders,
    Memory,
    MemoryCreditNotes,
    MemoryCustomers,
    MemoryIdempotency,
    MemoryInvoices,
    MemoryOrganizations,
    MemoryPayments,
)

ORGANIZATION = "org_1"
MODE: Mode = "sandbox"
DEPLOYMENT = "deployment_1"
BASE = "https://pay.example.com"
LEASE = timedelta(seconds=30)
SELLER = Organization(ORGANIZATION, "Northwind Studio", time_zone="Europe/Berlin")
SECRETS = ProviderCredentials("sk_test_1", ("whsec_1",), "signing_1")


def a_payment(**changes: Any) -> Payment:
    """A pending link of 10.00 EUR without a checkout yet."""
    values: dict[str, Any] = {
        "id": "pay_1",
        "organization_id": ORGANIZATION,
        "mode": MODE,
        "kind": "link",
        "status": "pending",
        "amount_subtotal": 1000,
        "currency": "eur",
        "line_items": (LineItem("Design work", 1000),),
        "created_at": START,
        "updated_at": START,
        "created_by": "key_1",
        "url": f"{BASE}/pay/pay_1",
        "expires_at": START + timedelta(days=30),
    }
    return Payment(**values | changes)


def a_request(key: str = "K", request_hash: str = "hash", **changes: Any) -> IdempotentRequest:
    values: dict[str, Any] = {"operation": "POST /payments", "request_hash": request_hash}
    values["lease"] = LEASE
    return IdempotentRequest(key, **values | changes)


def link_of(amount: int = 1000, **changes: Any) -> NewLink:
    values: dict[str, Any] = {"currency": "eur", "description": "Design work"}
    return NewLink(amount=amount, **values | changes)


def charge_of(customer: str = "cus_1", amount: int = 1000, **changes: Any) -> NewCharge:
    values: dict[str, Any] = {"currency": "eur", "description": "Support"}
    return NewCharge(customer=customer, amount=amount, **values | changes)


class World:
    """The ports and what can be done with them; every member may be replaced by a test."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.measures: list[Measure] = []
        self.memory = Memory()
        self.payments = MemoryPayments(self.memory)
        self.idempotency = MemoryIdempotency(self.memory)
        self.customers = MemoryCustomers(self.memory)
        self.organizations = MemoryOrganizations(self.memory)
        self.invoices = MemoryInvoices(self.memory)
        self.credit_notes = MemoryCreditNotes(self.memory)
        self.store = FakeInvoiceStore()
        self.credentials = FakeCredentials({(ORGANIZATION, MODE): SECRETS})
        self.provider = FakeProvider(self.clock)
        self.providers = FakeProviders(self.provider)
        self.organizations.put(SELLER)

    @property
    def link_ports(self) -> PaymentPorts:
        return PaymentPorts(
            payments=self.payments,
            idempotency=self.idempotency,
            customers=self.customers,
            providers=self.providers,
            presenter=Presenter(
                payment=lambda payment: success(present_payment(payment)),
                error=lambda error: failure(error, BASE),
            ),
            clock=self.clock,
        )

    def create(
        self,
        link: NewLink | None = None,
        request: IdempotentRequest | None = None,
        *,
        organization: Organization = SELLER,
        mode: Mode = MODE,
    ) -> Answer:
        return create_payment(
            link or link_of(),
            Requester(organization, mode, "key_1"),
            request,
            self.link_ports,
            public_base_url=BASE,
            default_lifetime=timedelta(days=30),
        )

    def new_payment(self, **link: Any) -> str:
        """The id of a link that was just made."""
        return payment_id_in(self.create(link_of(**link)))

    def open(self, payment_id: str) -> str:
        """Where a buyer goes on who is asked nothing."""
        opened = self.open_with(payment_id, None)
        assert isinstance(opened, str)
        return opened

    def open_with(
        self, payment_id: str, told: Told | None, reads: str | None = None
    ) -> str | LinkView:
        return open_checkout(
            payment_id,
            told,
            reads,
            payments=self.payments,
            customers=self.customers,
            organizations=self.organizations,
            providers=self.providers,
            clock=self.clock,
        )

    def charge(
        self,
        charge: NewCharge | None = None,
        request: IdempotentRequest | None = None,
        *,
        organization: Organization = SELLER,
        mode: Mode = MODE,
    ) -> Answer:
        return charge_payment(
            charge or charge_of(),
            Requester(organization, mode, "key_1"),
            request,
            self.link_ports,
            lease=LEASE,
        )

    def vaulted_customer(self) -> str:
        """Our id of a customer who paid a link by card."""
        customer_id = self.payment(self.paid()).customer_id
        assert customer_id is not None
        return customer_id

    def transaction(self, payment_id: str) -> Transaction:
        """The one that paid a payment."""
        settlement = self.payment(payment_id).settlement
        assert settlement is not None
        return self.memory.transactions[settlement.transaction_id]

    def refund(
        self,
        transaction_id: str,
        amount: int | None = None,
        seed: str | None = None,
        *,
        owner: tuple[str, Mode] = (ORGANIZATION, MODE),
    ) -> Refund:
        return refund_transaction(
            transaction_id,
            NewRefund(amount),
            seed,
            owner,
            payments=self.payments,
            providers=self.providers,
            clock=self.clock,
        )[0]

    def return_surplus(self, payment_id: str, transaction_id: str) -> None:
        return_surplus(
            payment_id,
            transaction_id,
            payments=self.payments,
            providers=self.providers,
            clock=self.clock,
        )

    def hear_refunds(self, intent_id: str, payment_id: str | None = None) -> str:
        """The provider tells of a refund, which bears our marks only if we made it."""
        return self.notify(self.refund_event(intent_id, payment_id))

    def refund_event(self, intent_id: str, payment_id: str | None = None) -> ProviderEvent:
        self._heard = getattr(self, "_heard", 0) + 1
        return event_of(
            payment_id,
            id=f"evt_refund_{self._heard}",
            type="refund.created",
            payment_intent_id=intent_id,
            deployment_id=DEPLOYMENT if payment_id else None,
            organization_id=ORGANIZATION if payment_id else None,
            about_refunds=True,
        )

    def hear_disputes(self, intent_id: str) -> str:
        """The provider tells of a dispute, which never bears a mark of ours."""
        self._heard = getattr(self, "_heard", 0) + 1
        return self.notify(
            event_of(
                None,
                id=f"evt_dispute_{self._heard}",
                type="charge.dispute.updated",
                payment_intent_id=intent_id,
                deployment_id=None,
                organization_id=None,
                about_disputes=True,
            )
        )

    def hear_charge(self, payment_id: str | None, intent_id: str, **changes: Any) -> str:
        """The provider tells of one payment intent."""
        self._heard = getattr(self, "_heard", 0) + 1
        values = {"id": f"evt_charge_{self._heard}", "type": "payment_intent.succeeded"}
        return self.notify(event_of(payment_id, payment_intent_id=intent_id, **values | changes))

    def cancel(self, payment_id: str, *, owner: tuple[str, Mode] = (ORGANIZATION, MODE)) -> Payment:
        return cancel_payment(
            payment_id,
            owner,
            payments=self.payments,
            providers=self.providers,
            clock=self.clock,
        )

    def notify(self, event: ProviderEvent | None, *, organization_id: str = ORGANIZATION) -> str:
        return handle_provider_event(
            event,
            organization_id=organization_id,
            mode=MODE,
            deployment_id=DEPLOYMENT,
            payments=self.payments,
            providers=self.providers,
            metrics=self.measures.append,
            clock=self.clock,
        )

    def hear(self, payment_id: str, session_id: str | None = None) -> str:
        """The provider tells of one checkout of a payment, by default the current one."""
        session_id = session_id or self.session(payment_id)
        self._heard = getattr(self, "_heard", 0) + 1
        return self.notify(
            event_of(payment_id, session_id=session_id, id=f"evt_heard_{self._heard}")
        )

    def sweep(self, **parts: float) -> Sweep:
        return sweep_payments(
            self.clock() + timedelta(**parts),
            payments=self.payments,
            providers=self.providers,
            metrics=self.measures.append,
            clock=self.clock,
            time_left=lambda: True,
        )

    def hear_undelivered(self, time_left: Callable[[], bool] = lambda: True) -> Hearing:
        return hear_undelivered(
            HearingPorts(
                organizations=self.organizations,
                payments=self.payments,
                providers=self.providers,
                metrics=self.measures.append,
                clock=self.clock,
                deployment_id=DEPLOYMENT,
                time_left=time_left,
            )
        )

    @property
    def issue_ports(self) -> IssuePorts:
        return IssuePorts(
            payments=self.payments,
            invoices=self.invoices,
            organizations=self.organizations,
            store=self.store,
            render=lambda invoice: invoice.number.encode(),
            clock=self.clock,
        )

    def issue(self, payment_id: str) -> Invoice:
        return issue_invoice(payment_id, self.issue_ports)

    def issue_together(self, payment_ids: Sequence[str]) -> list[Invoice]:
        """What the function of invoices does about the payments of one batch."""
        numbered = number_invoices(payment_ids, self.issue_ports)
        return [
            issue_invoice(p, self.issue_ports, numbered.pop(p, (None, None))[1])
            for p in payment_ids
        ]

    def credit_notes_of(self, payment_id: str) -> list[CreditNote]:
        """What the function of invoices does about a payment's refunds."""
        return issue_credit_notes(
            payment_id,
            payments=self.payments,
            invoices=self.invoices,
            credit_notes=self.credit_notes,
            store=self.store,
            render=lambda note: note.number.encode(),
            clock=self.clock,
        )

    def view(self, payment_id: str, returned_session: str | None = None) -> LinkView:
        return view_link(
            payment_id,
            returned_session,
            payments=self.payments,
            organizations=self.organizations,
            invoices=self.invoices,
            credit_notes=self.credit_notes,
            credentials=self.credentials,
            clock=self.clock,
        )

    def payment(self, payment_id: str) -> Payment:
        payment = self.payments.get(payment_id, with_invoice=True)
        assert payment is not None
        return payment

    def session(self, payment_id: str) -> str:
        """The id of the payment's current checkout."""
        session = self.payment(payment_id).current_session
        assert session is not None
        assert session.id is not None
        return session.id

    def only_payment(self) -> Payment:
        (payment,) = self.memory.payments.values()
        return payment

    def paid(self, **link: Any) -> str:
        """The id of a payment whose money came and was heard of."""
        payment_id = self.new_payment(**link)
        self.provider.pay(self.session(payment_id))
        assert self.hear(payment_id) == "succeeded"
        return payment_id

    def customer(self, **changes: Any) -> Customer:
        values: dict[str, Any] = {
            "id": "cus_1",
            "organization_id": ORGANIZATION,
            "mode": MODE,
            "created_at": START,
            "updated_at": START,
        }
        customer = Customer(**values | changes)
        self.customers.put(customer)
        return customer


def event_of(payment_id: str | None, **changes: Any) -> ProviderEvent:
    """A provider's event about a payment of ours, with all our marks."""
    values: dict[str, Any] = {
        "id": "evt_1",
        "type": "checkout.session.completed",
        "at": START,
        "mode": MODE,
        "session_id": None,
        "payment_intent_id": None,
        "payment_id": payment_id,
        "organization_id": ORGANIZATION,
        "deployment_id": DEPLOYMENT,
    }
    return ProviderEvent(**values | changes)


def data_of(answer: Answer) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(answer.body)["data"]
    return data


def payment_id_in(answer: Answer) -> str:
    return str(data_of(answer)["id"])
