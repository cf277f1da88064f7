"""Credit notes, as callers read them: one, and lists."""

from __future__ import annotations

from paylink.domain.credit_note import CreditNote
from paylink.domain.errors import CreditNoteNotFoundError
from paylink.domain.organization import Owner
from paylink.ports import CredentialsStore, CreditNoteRepository, CustomerRepository
from paylink.services.documents import list_documents, owned
from paylink.services.list_items import ListRequest, Page


def read_credit_note(
    credit_note_id: str, owner: Owner, credit_notes: CreditNoteRepository
) -> CreditNote:
    """Raises CreditNoteNotFoundError, for anybody else's as well."""
    found = owned(credit_notes.get(credit_note_id), owner)
    if found is None:
        raise CreditNoteNotFoundError()
    return found


def list_credit_notes(
    request: ListRequest,
    *,
    customer: str | None,
    credit_notes: CreditNoteRepository,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[CreditNote]:
    """``customer`` is our id or the caller's own; nobody's credit notes are an empty page.

    Raises ValidationError for a cursor of another list.
    """
    return list_documents(
        request,
        customer=customer,
        read=credit_notes.page,
        customers=customers,
        credentials=credentials,
    )
