"""Invoices and credit notes, as callers read them, and links to the PDF of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from paylink.domain.document import Document
from paylink.domain.download_link import link_to, opens, sign
from paylink.domain.errors import DocumentUnavailableError, NotFoundError, PaylinkError
from paylink.domain.organization import Mode, Owner
from paylink.ports import Clock, CredentialsStore, CustomerRepository, InvoiceStore
from paylink.services.list_items import ListRequest, Page, list_items

LINK_LIFETIME = timedelta(days=7)

Paper = TypeVar("Paper", bound=Document)
Paper_co = TypeVar("Paper_co", bound=Document, covariant=True)


@dataclass(frozen=True)
class Shelf:
    """Where documents of one kind are found, and how the PDF of one is made that has none."""

    get: Callable[[str], Document | None]
    issue: Callable[[Document], None]


@dataclass(frozen=True)
class DownloadLink:
    """Whoever has the url may download the document until then."""

    url: str
    expires_at: datetime


class DocumentReader(Protocol[Paper_co]):
    """Reads documents of one kind older than a position, newest first, with their positions."""

    def __call__(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Paper_co]]: ...


def shelf_of(document_id: str, shelves: Mapping[str, Shelf]) -> Shelf | None:
    """The shelf of a document's kind, which the prefix of its id says."""
    return shelves.get(document_id.partition("_")[0])


def owned(document: Paper | None, owner: Owner) -> Paper | None:
    """The document, unless it is somebody else's."""
    mine = document is not None and (document.organization_id, document.mode) == owner
    return document if mine else None


def list_documents(
    request: ListRequest,
    *,
    customer: str | None,
    read: DocumentReader[Paper],
    customers: CustomerRepository,
    credentials: CredentialsStore,
    keep: Callable[[Paper], bool] = lambda _: True,
) -> Page[Paper]:
    """``customer`` is our id or the caller's own; nobody's documents are an empty page.

    Raises ValidationError for a cursor of another list.
    """
    organization_id, mode = request.organization_id, request.mode
    owner = None
    if customer is not None:
        found = customers.find(organization_id, mode, customer) if customer else None
        if found is None:
            return list_items(request, lambda _before, _limit: (), credentials)
        owner = found.id
    return list_items(
        request,
        lambda before, limit: read(organization_id, mode, owner, before, limit),
        credentials,
        keep,
    )


def make_download_link(
    document: Document, base_url: str, *, credentials: CredentialsStore, clock: Clock
) -> DownloadLink:
    """A link of a week; the PDF need not be stored yet."""
    secrets = credentials.get(document.organization_id, document.mode)
    if secrets is None:
        raise PaylinkError(f"{document.organization_id} has no secrets")
    # A token counts whole seconds.
    expires_at = (clock() + LINK_LIFETIME).replace(microsecond=0)
    token = sign(document.id, expires_at, secrets.signing_key)
    return DownloadLink(link_to(base_url, document.id, token), expires_at)


def download_document(
    document_id: str,
    token: str,
    *,
    shelves: Mapping[str, Shelf],
    store: InvoiceStore,
    credentials: CredentialsStore,
    clock: Clock,
) -> str:
    """A URL of one minute. ``shelves`` are named by the prefix of their documents' ids.

    Raises NotFoundError for a wrong or outdated token just as for an unknown document, so that
    nothing is learned by trying; DocumentUnavailableError while the PDF can't be made.
    """
    shelf = shelf_of(document_id, shelves)
    document = shelf.get(document_id) if shelf else None
    secrets = credentials.get(document.organization_id, document.mode) if document else None
    if shelf is None or document is None or secrets is None:
        raise NotFoundError()
    if not opens(token, document.id, clock(), secrets.signing_key):
        raise NotFoundError()
    if not store.has(document.document_key):
        shelf.issue(document)
        if not store.has(document.document_key):
            raise DocumentUnavailableError()
    return store.temporary_url(document.document_key, f"{document.number}.pdf")
