"""A signed link opens one document for a while, and nothing else ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.download_link import opens, sign
from paylink.domain.errors import InvoiceNotFoundError
from paylink.services.download_invoice import download_invoice
from tests.unit.fakes import START
from tests.unit.world import SECRETS, World

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


def download(world: World, payment_id: str, token: str) -> str:
    return download_invoice(
        payment_id,
        token,
        invoices=world.invoices,
        store=world.store,
        credentials=world.credentials,
        clock=world.clock,
    )


def test_the_receipts_link_downloads_the_stored_pdf_under_its_number(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    token = world.view(payment_id).download_token
    assert token is not None
    url = download(world, payment_id, token)
    assert invoice.id in url
    assert url.endswith("INV-2026-000001.pdf")


def test_a_wrong_or_old_token_is_answered_like_an_unknown_invoice(world: World) -> None:
    payment_id = world.paid()
    world.issue(payment_id)
    token = world.view(payment_id).download_token or ""
    other = sign("inv_other", END, SECRETS.signing_key)
    refusals = []
    for asked, with_token in (
        (payment_id, ""),
        (payment_id, token[:-1]),
        (payment_id, other),
        ("pay_unknown", token),
    ):
        with pytest.raises(InvoiceNotFoundError) as refused:
            download(world, asked, with_token)
        refusals.append((refused.value.message, refused.value.status))
    world.clock.advance(hours=2)
    with pytest.raises(InvoiceNotFoundError) as refused:
        download(world, payment_id, token)
    refusals.append((refused.value.message, refused.value.status))
    assert len(set(refusals)) == 1


def test_without_a_stored_pdf_or_secrets_there_is_no_link(world: World) -> None:
    payment_id = world.paid()
    world.store.failures = 1
    with pytest.raises(ConnectionError):
        world.issue(payment_id)
    view = world.view(payment_id)
    assert view.invoice is not None
    assert view.download_token is None
    token = sign(view.invoice.id, END, SECRETS.signing_key)
    with pytest.raises(InvoiceNotFoundError):
        download(world, payment_id, token)
    world.issue(payment_id)
    world.credentials.known.clear()
    assert world.view(payment_id).download_token is None
    with pytest.raises(InvoiceNotFoundError):
        download(world, payment_id, token)
