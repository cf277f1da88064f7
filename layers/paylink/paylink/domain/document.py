"""What an invoice has in common with every other document that buyers are given as a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from paylink.domain.organization import Mode


class Document(Protocol):
    """A numbered paper of one organization and mode, whose PDF is stored once or will be."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def document_key(self) -> str | None:
        """Where the PDF is stored, once it is."""

    @property
    def issued_for(self) -> Mapping[str, str]:
        """Those members of an event's data by which its function issues it."""


def document_key_for(document: Document) -> str:
    """The PDF's place in the bucket; it has the unguessable id, so numbers can't be walked."""
    return f"{document.organization_id}/{document.mode}/{document.id}.pdf"
