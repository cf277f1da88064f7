"""Sellers' logos: for anybody who asks for one, and for the documents that are made with one."""

from __future__ import annotations

import logging

from paylink.domain.errors import NotFoundError
from paylink.domain.logo import media_type_of
from paylink.domain.organization import Organization
from paylink.ports import LogoStore

logger = logging.getLogger(__name__)


def read_logo(organization_id: str, name: str, logos: LogoStore) -> tuple[bytes, str]:
    """The picture and its media type. Raises NotFoundError."""
    key = f"logos/{organization_id}/{name}"
    media_type = media_type_of(key)
    picture = logos.find(key) if media_type else None
    if media_type is None or picture is None:
        raise NotFoundError()
    return picture, media_type


def logo_of(seller: Organization, logos: LogoStore) -> bytes | None:
    """The picture of a seller who has one; a lost one is logged, since no document waits for it."""
    if seller.logo is None:
        return None
    picture = logos.find(seller.logo.key)
    if picture is None:
        logger.warning("a document goes without its logo", extra={"key": seller.logo.key})
    return picture
