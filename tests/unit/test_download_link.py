"""A signed link opens one document for a while, and nothing else ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.document import Document
from paylink.domain.download_link import opens, sign
from paylink.domain.errors import DocumentUnavailableError, NotFoundError, PaylinkError
from paylink.services.documents import Shelf, download_document, make_download_link
from tests.unit.fakes import START
from tests.unit.world import BASE, SECRETS, World

END = START + timedelta(hours=1)


def test_a_link_opens_its_document_until_its_end() -> None:
    token = sign("inv_1", END, "key")
    assert opens(token, "inv_1", START, "key")
    assert opens(token, "inv_1", END - timedelta(seconds=1), "key")
    assert not opens(token, "inv_1", END, "key")


def test_it_opens_no_other_document_and_only_with_the_key_it_was_signed_with() -> None:
    token = sign("inv_1", END, "key")
    assert not opens(token, "inv_2", START, "key")
    assert not opens(token, "inv_1", START, "other key")


def test_its_end_cannot_be_moved() -> None:
    instant, signature = sign("inv_1", END, "key").split(".")
    assert not opens(f"{int(instant) + 1}.{signature}", "inv_1", START, "key")
    assert not opens(f"0{instant}.{signature}", "inv_2", START, "key")


def test_where_document_and_end_part_makes_a_difference() -> None:
    end = START + timedelta(days=1)
    instant = int(end.timestamp())
    token = sign(f"inv_1\0{instant}", end, "key")
    assert not opens(token, "inv_1", START, "key")


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "x", "1.2", "\x00", "\ud800", "1" * 100_000, "9" * 12 + "." + "0" * 64),
        *(f"{instant}.{'0' * 64}" for instant in ("1", "-1", "+1", " 1", "１", "1_0", "")),
        *("1." + "A" * 64, "1." + "0" * 64 + "\n", "1." + "0" * 63),
    ],
)
def test_nonsense_opens_nothing(token: str) -> None:
    assert not opens(token, "inv_1", START, "key")


@given(token=st.text(max_size=100) | st.from_regex(r"[0-9]{1,11}\.[0-9a-f]{64}", fullmatch=True))
def test_no_guess_opens_anything(token: str) -> None:
    assert not opens(token, "inv_1", START, "key")


def download(world: World, invoice_id: str, token: str) -> str:
    def issue(document: Document) -> None:
        try:
            world.issue(document.issued_for["paymentId"])
        except ConnectionError:
            raise DocumentUnavailableError() from None

    return download_document(
        invoice_id,
        token,
        shelves={"inv": Shelf(world.invoices.get, issue)},
        store=world.store,
        credentials=world.credentials,
        clock=world.clock,
    )


def test_the_receipts_link_downloads_the_stored_pdf_under_its_number(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    token = world.view(payment_id).download_token
    assert token is not None
    url = download(world, invoice.id, token)
    assert invoice.id in url
    assert url.endswith("INV-2026-000001.pdf")


def test_a_link_made_for_a_caller_lives_for_a_week(world: World) -> None:
    invoice = world.issue(world.paid())
    link = make_download_link(invoice, BASE, credentials=world.credentials, clock=world.clock)
    assert link.expires_at == START + timedelta(days=7)
    address, _, token = link.url.partition("?token=")
    assert address == f"{BASE}/documents/{invoice.id}"
    world.clock.advance(days=7, seconds=-1)
    assert invoice.id in download(world, invoice.id, token)
    world.clock.advance(seconds=1)
    with pytest.raises(NotFoundError):
        download(world, invoice.id, token)


def test_a_wrong_or_old_token_is_answered_like_an_unknown_invoice(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    token = world.view(payment_id).download_token or ""
    other = sign("inv_other", END, SECRETS.signing_key)
    refusals = []
    for asked, with_token in (
        (invoice.id, ""),
        (invoice.id, token[:-1]),
        (invoice.id, other),
        ("inv_unknown", token),
        (f"pay_{invoice.id}", token),
        (payment_id, token),
    ):
        with pytest.raises(NotFoundError) as refused:
            download(world, asked, with_token)
        refusals.append((refused.value.message, refused.value.status))
    world.clock.advance(hours=2)
    with pytest.raises(NotFoundError) as refused:
        download(world, invoice.id, token)
    refusals.append((refused.value.message, refused.value.status))
    assert len(set(refusals)) == 1


def test_the_first_download_makes_what_was_never_stored(world: World) -> None:
    payment_id = world.paid()
    world.store.failures = 2
    with pytest.raises(ConnectionError):
        world.issue(payment_id)
    view = world.view(payment_id)
    assert view.invoice is not None
    assert not world.store.has(view.invoice.document_key)
    assert view.download_token is not None
    with pytest.raises(DocumentUnavailableError):
        download(world, view.invoice.id, view.download_token)
    assert view.invoice.id in download(world, view.invoice.id, view.download_token)
    assert len(world.store.documents) == 1


def test_a_function_that_stores_nothing_is_no_download(world: World) -> None:
    payment_id = world.paid()
    world.store.failures = 1
    with pytest.raises(ConnectionError):
        world.issue(payment_id)
    view = world.view(payment_id)
    assert view.invoice is not None
    with pytest.raises(DocumentUnavailableError):
        download_document(
            view.invoice.id,
            view.download_token or "",
            shelves={"inv": Shelf(world.invoices.get, lambda _document: None)},
            store=world.store,
            credentials=world.credentials,
            clock=world.clock,
        )


def test_without_secrets_there_is_no_link(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    token = sign(invoice.id, END, SECRETS.signing_key)
    world.credentials.known.clear()
    assert world.view(payment_id).download_token is None
    with pytest.raises(NotFoundError):
        download(world, invoice.id, token)
    with pytest.raises(PaylinkError):
        make_download_link(invoice, BASE, credentials=world.credentials, clock=world.clock)
