"""The seller: who issues the invoices, and how this organization wants things done."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from paylink.domain.logo import Logo

Mode = Literal["live", "sandbox"]
MODES: tuple[Mode, ...] = ("live", "sandbox")
Owner = tuple[str, Mode]
"""Whose something is: an organization's id, and its mode."""
ORGANIZATION_ID: Final = re.compile(r"org_[0-9A-Za-z]{1,64}", re.ASCII)
"""What can stand in a secret's path and in a webhook's address."""


@dataclass(frozen=True)
class Address:
    """A postal address; ``country`` is a two-letter ISO 3166 code."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class TaxRate:
    """One of the seller's own rates; ``percentage`` as decimal text, ``9.975``."""

    country: str
    label: str
    percentage: str
    region: str | None = None
    """A code within the country, ``QC``; such rates take the place of the whole country's."""


TaxMode = Literal["stripe", "rates", "none"]
"""Who says what tax is due: Stripe Tax, the seller's own rates, or nobody."""


@dataclass(frozen=True)
class TaxSettings:
    """How the seller's prices are taxed."""

    mode: TaxMode = "stripe"
    inclusive: bool = False
    """Own rates only: whether the amounts that are asked for have the tax in them."""
    rates: tuple[TaxRate, ...] = ()


@dataclass(frozen=True)
class Organization:
    """Settings of one seller, kept by the operator's command."""

    id: str
    name: str
    address: Address = field(default_factory=Address)
    tax_ids: tuple[str, ...] = ()
    email: str | None = None
    website: str | None = None
    time_zone: str = "UTC"
    tax: TaxSettings = field(default_factory=TaxSettings)
    accent: str | None = None
    """The colour of pages and documents, as `domain.color` has checked it."""
    logo: Logo | None = None
    link_lifetime_days: int | None = None
    """Overrides the deployment's default lifetime of a link."""
    receipts: bool = True
    """Whether buyers are sent their invoice by e-mail once they have paid."""


@dataclass(frozen=True)
class ProviderCredentials:
    """Secrets of one organization and mode; they live in the parameter store, not in the table."""

    secret_key: str
    """Empty until the provider is set up."""
    webhook_secrets: tuple[str, ...]
    """Every signing secret that is valid now; more than one while a secret is being rotated."""
    signing_key: str
    """Ours: signs download links and cursors."""
    webhook_endpoint: str = ""
    """The id of the endpoint at the provider that the first secret is of; empty for one that was
    made elsewhere."""

    def __repr__(self) -> str:
        return "ProviderCredentials(…)"
