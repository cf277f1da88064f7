"""A buyer is sent their invoice: once by itself, and whenever the seller asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from paylink.domain.document import Document
from paylink.domain.errors import (
    DocumentUnavailableError,
    EmailNotSendableError,
    InvoiceNotFoundError,
    MailBeingSentError,
    MailUnavailableError,
    UnknownInvoiceError,
)
from paylink.domain.invoice import Invoice
from paylink.domain.mail import InvoiceMailing, Mail
from paylink.domain.organization import Mode
from paylink.services.documents import Shelf
from paylink.services.send_invoice import CLAIM, MailPorts, send_invoice, send_receipt
from tests.unit.fakes import FakeMailer
from tests.unit.world import BASE, MODE, ORGANIZATION, SELLER, World


def composed(mailing: InvoiceMailing) -> Mail:
    attachments = (mailing.attachment,) if mailing.attachment else ()
    subject = "asked for" if mailing.asked_for else "receipt"
    return Mail(mailing.to, "X", None, subject, mailing.url, "", attachments)


class Post:
    """A world that also sends mail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mailer = FakeMailer()
        self.issue: Callable[[Document], None] = self._issue

    def _issue(self, document: Document) -> None:
        self.world.issue(document.issued_for["paymentId"])

    @property
    def ports(self) -> MailPorts:
        world = self.world
        return MailPorts(
            invoices=world.invoices,
            organizations=world.organizations,
            shelf=Shelf(world.invoices.get, self.issue),
            store=world.store,
            credentials=world.credentials,
            mailer=self.mailer,
            compose=composed,
            clock=world.clock,
        )

    def issued(self, email: str | None = "anna@example.com") -> Invoice:
        """An invoice with its PDF, of a buyer with this address."""
        invoice = self.world.issue(self.world.paid())
        stored = self.world.invoices.get(invoice.id)
        assert stored is not None
        written = replace(stored, buyer=replace(stored.buyer, email=email))
        self.world.memory.invoices[invoice.id] = written
        return written

    def receipt(self, invoice: Invoice) -> None:
        send_receipt(invoice.id, BASE, self.ports)

    def send(self, invoice: Invoice, owner: tuple[str, Mode] = (ORGANIZATION, MODE)) -> None:
        send_invoice(invoice.id, owner, BASE, self.ports)


@pytest.fixture
def post() -> Post:
    return Post(World())


def test_the_receipt_has_the_pdf_and_a_link_to_it(post: Post) -> None:
    invoice = post.issued()
    post.receipt(invoice)
    (mail,) = post.mailer.sent
    assert (mail.to, mail.subject) == ("anna@example.com", "receipt")
    (attachment,) = mail.attachments
    assert attachment.file_name == f"{invoice.number}.pdf"
    assert attachment.content == invoice.number.encode()
    assert mail.text.startswith(f"{BASE}/documents/{invoice.id}?token=")


def test_the_same_event_again_sends_nothing_more(post: Post) -> None:
    invoice = post.issued()
    for _ in range(3):
        post.receipt(invoice)
        post.world.clock.advance(days=1)
    assert len(post.mailer.sent) == 1


def test_two_runs_at_once_send_one_receipt(post: Post) -> None:
    invoice, mailer = post.issued(), post.mailer

    class Meanwhile(FakeMailer):
        def send(self, mail: Mail) -> None:
            with pytest.raises(MailBeingSentError):
                post.receipt(invoice)
            mailer.send(mail)

    send_receipt(invoice.id, BASE, replace(post.ports, mailer=Meanwhile()))
    post.receipt(invoice)
    assert len(mailer.sent) == 1


def test_a_run_that_died_is_repeated_once_its_claim_is_over(post: Post) -> None:
    invoice, now = post.issued(), post.world.clock()
    assert post.world.invoices.claim_receipt(invoice, now, now + CLAIM) == "claimed"
    with pytest.raises(MailBeingSentError):
        post.receipt(invoice)
    post.world.clock.advance(seconds=CLAIM.total_seconds())
    post.receipt(invoice)
    assert len(post.mailer.sent) == 1


def test_trouble_is_left_to_the_queue_and_the_next_try_may_begin_at_once(post: Post) -> None:
    invoice = post.issued()
    post.mailer.trouble = [MailUnavailableError(), ConnectionError()]
    for kind in (MailUnavailableError, ConnectionError):
        with pytest.raises(kind):
            post.receipt(invoice)
    post.receipt(invoice)
    assert len(post.mailer.sent) == 1


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "nobody",
        "a@b.c\nBcc: x@evil.example",
        "a@b.c,x@evil.example",
        "<a@b.c>",
        "a b@c.d",
    ],
)
def test_who_cannot_be_written_to_is_tried_once(post: Post, email: str | None) -> None:
    invoice = post.issued(email)
    post.receipt(invoice)
    assert post.mailer.sent == []
    assert post.world.memory.receipts == {invoice.id: ("refused", post.world.clock())}
    with pytest.raises(EmailNotSendableError):
        post.send(invoice)


def test_a_refused_address_does_not_loop(post: Post) -> None:
    invoice = post.issued()
    post.mailer.trouble = [EmailNotSendableError()]
    post.receipt(invoice)
    post.receipt(invoice)
    assert post.mailer.sent == []


def test_a_seller_may_want_no_receipts_and_still_send_one(post: Post) -> None:
    invoice = post.issued()
    post.world.organizations.put(replace(SELLER, receipts=False))
    post.receipt(invoice)
    assert post.mailer.sent == []
    post.send(invoice)
    assert len(post.mailer.sent) == 1


def test_without_a_sender_there_is_no_receipt_and_sending_says_so(post: Post) -> None:
    invoice = post.issued()
    post.mailer.configured = False
    post.receipt(invoice)
    with pytest.raises(EmailNotSendableError, match="ReceiptSender"):
        post.send(invoice)
    assert post.world.memory.receipts == {}


def test_a_pdf_that_was_never_stored_is_made_for_the_mail(post: Post) -> None:
    payment_id = post.world.paid()
    post.world.store.failures = 1
    with pytest.raises(ConnectionError):
        post.world.issue(payment_id)
    (invoice,) = post.world.memory.invoices.values()
    post.receipt(invoice)
    (mail,) = post.mailer.sent
    assert mail.attachments


def test_a_pdf_that_cannot_be_made_is_linked(post: Post) -> None:
    invoice = post.issued()
    post.world.memory.invoices[invoice.id] = replace(invoice, document_key=None)

    def fails(_document: Document) -> None:
        raise DocumentUnavailableError()

    for post.issue in (fails, lambda _document: None):
        post.send(invoice)
    assert [mail.attachments for mail in post.mailer.sent] == [(), ()]


def test_the_seller_may_send_again_and_again(post: Post) -> None:
    invoice = post.issued()
    post.receipt(invoice)
    for _ in range(2):
        post.send(invoice)
    assert [mail.subject for mail in post.mailer.sent] == ["receipt", "asked for", "asked for"]


def test_nobody_sends_the_invoices_of_others(post: Post) -> None:
    invoice = post.issued()
    for owner in (("org_2", MODE), (ORGANIZATION, "live")):
        with pytest.raises(InvoiceNotFoundError):
            post.send(invoice, owner)  # type: ignore[arg-type]
    assert post.mailer.sent == []


def test_an_invoice_that_is_not_seen_yet_is_asked_for_again(post: Post) -> None:
    with pytest.raises(UnknownInvoiceError):
        send_receipt("inv_unknown", BASE, post.ports)


def test_the_link_lives_for_a_week(post: Post) -> None:
    links: list[InvoiceMailing] = []

    def note(mailing: InvoiceMailing) -> Mail:
        links.append(mailing)
        return composed(mailing)

    send_receipt(post.issued().id, BASE, replace(post.ports, compose=note))
    assert links[0].url_until == post.world.clock() + timedelta(days=7)
