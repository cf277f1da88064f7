"""Attempts to pay, as callers read them: one, and lists."""

from __future__ import annotations

from paylink.domain.errors import TransactionNotFoundError
from paylink.domain.organization import Owner
from paylink.domain.payment import Transaction
from paylink.ports import CredentialsStore, PaymentRepository
from paylink.services.list_items import ListRequest, Page, list_items


def read_transaction(transaction_id: str, owner: Owner, payments: PaymentRepository) -> Transaction:
    """Raises TransactionNotFoundError, for anybody else's as well."""
    found = payments.transaction(transaction_id)
    if found is None or (found.organization_id, found.mode) != owner:
        raise TransactionNotFoundError()
    return found


def list_transactions(
    request: ListRequest,
    *,
    status: str | None,
    customer_email: str | None,
    payments: PaymentRepository,
    credentials: CredentialsStore,
) -> Page[Transaction]:
    """Those in a status, and of buyers who gave an e-mail address (in any case), where asked for.

    Raises ValidationError for a cursor of another list.
    """
    email = customer_email.casefold() if customer_email is not None else None
    return list_items(
        request,
        lambda before, limit: payments.transactions_page(
            request.organization_id, request.mode, before, limit
        ),
        credentials,
        lambda found: (
            status in {None, found.status}
            and email in {None, (found.customer_email or "").casefold()}
        ),
    )
