"""A buyer is sent their invoice and credit notes: once by itself, an invoice whenever asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from paylink.domain.credit_note import CreditNote
from paylink.domain.document import Document
from paylink.domain.errors import (
    DocumentUnavailableError,
    EmailNotSendableError,
    InvoiceNotFoundError,
    MailBeingSentError,
    MailUnavailableError,
    UnknownCreditNoteError,
    UnknownInvoiceError,
)
from paylink.domain.invoice import Invoice
from paylink.domain.mail import DocumentMailing, Mail
from paylink.domain.organization import Mode
from paylink.services.documents import Shelf
from paylink.services.send_document import (
    CLAIM,
    MailPorts,
    send_credit_note,
    send_invoice,
    send_receipt,
)
from tests.unit.fakes import FakeMailer
from tests.unit.world import BASE, MODE, ORGANIZATION, SELLER, World


def composed(mailing: DocumentMailing) -> Mail:
    attachments = (mailing.attachment,) if mailing.attachment else ()
    link = mailing.link.url if mailing.link else ""
    return Mail(mailing.to, "X", None, mailing.occasion, link, "", attachments)


class Post:
    """A world that also sends mail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mailer = FakeMailer()
        self.issue: Callable[[Document], None] = self._issue

    def _issue(self, document: Document) -> None:
        self.world.issue(document.issued_for["paymentId"])
        self.world.credit_notes_of(document.payment_id)

    @property
    def ports(self) -> MailPorts:
        world = self.world
        return MailPorts(
            invoices=world.invoices,
            credit_notes=world.credit_notes,
            organizations=world.organizations,
            shelves={
                "inv": Shelf(world.invoices.get, self.issue),
                "cn": Shelf(world.credit_notes.get, self.issue),
            },
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

    def credited(self) -> CreditNote:
        """The credit note of a refund of a paid payment."""
        payment_id = self.world.paid()
        self.world.issue(payment_id)
        self.world.refund(self.world.transaction(payment_id).id, 1000)
        (note,) = self.world.credit_notes_of(payment_id)
        return note

    def becomes_void(self, note: CreditNote) -> None:
        (refund,) = self.world.payment(note.payment_id).refunds
        self.world.provider.end_refund(refund.provider_id or "", "failed")
        intent = self.world.transaction(note.payment_id).payment_intent_id
        self.world.hear_refunds(intent or "", note.payment_id)
        (void,) = self.world.credit_notes_of(note.payment_id)
        assert void.status == "void"

    def credit(self, note: CreditNote) -> None:
        send_credit_note(note.id, BASE, self.ports)

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
    assert (mail.to, mail.subject) == ("anna@example.com", "paid")
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
    post.world.store.documents.clear()

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
    assert [mail.subject for mail in post.mailer.sent] == ["paid", "asked_for", "asked_for"]


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
    links: list[DocumentMailing] = []

    def note(mailing: DocumentMailing) -> Mail:
        links.append(mailing)
        return composed(mailing)

    send_receipt(post.issued().id, BASE, replace(post.ports, compose=note))
    (mailing,) = links
    assert mailing.link is not None
    assert mailing.link.until == post.world.clock() + timedelta(days=7)


def test_a_credit_note_is_sent_once_with_its_pdf(post: Post) -> None:
    note = post.credited()
    for _ in range(3):
        post.credit(note)
        post.world.clock.advance(days=1)
    (mail,) = post.mailer.sent
    assert (mail.to, mail.subject) == ("buyer@example.com", "refunded")
    assert [a.file_name for a in mail.attachments] == [f"{note.number}.pdf"]
    assert mail.text.startswith(f"{BASE}/documents/{note.id}?token=")


def test_whoever_got_a_credit_note_is_told_once_that_it_is_void(post: Post) -> None:
    note = post.credited()
    post.credit(note)
    post.becomes_void(note)
    for _ in range(3):
        post.credit(note)
    assert [(mail.subject, mail.text) for mail in post.mailer.sent][1:] == [("refund_failed", "")]
    assert post.mailer.sent[1].attachments == ()


def test_of_a_note_that_was_void_before_it_was_sent_nobody_is_told(post: Post) -> None:
    note = post.credited()
    post.becomes_void(note)
    for _ in range(2):
        post.credit(note)
    assert post.mailer.sent == []


def test_a_run_that_died_may_have_sent_the_note_that_became_void(post: Post) -> None:
    note, now = post.credited(), post.world.clock()
    assert post.world.credit_notes.claim_receipt(note, now, now + CLAIM) == "claimed"
    post.becomes_void(note)
    with pytest.raises(MailBeingSentError):
        post.credit(note)
    post.world.clock.advance(seconds=CLAIM.total_seconds())
    for _ in range(2):
        post.credit(note)
    assert [mail.subject for mail in post.mailer.sent] == ["refund_failed"]


def test_a_seller_who_wants_no_receipts_wants_no_mails_of_credit_notes(post: Post) -> None:
    note = post.credited()
    post.world.organizations.put(replace(SELLER, receipts=False))
    post.credit(note)
    assert post.mailer.sent == []


def test_trouble_with_a_credit_note_is_left_to_the_queue(post: Post) -> None:
    note = post.credited()
    post.mailer.trouble = [MailUnavailableError()]
    with pytest.raises(MailUnavailableError):
        post.credit(note)
    post.credit(note)
    assert len(post.mailer.sent) == 1
    with pytest.raises(UnknownCreditNoteError):
        send_credit_note("cn_unknown", BASE, post.ports)
