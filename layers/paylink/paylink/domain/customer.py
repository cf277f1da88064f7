"""Customers and the payment methods that were vaulted for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from paylink.domain.organization import Address, Mode


@dataclass(frozen=True)
class Customer:
    """Somebody who pays one organization in one mode."""

    id: str
    organization_id: str
    mode: Mode
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    external_id: str | None = None
    """The caller's own id; shown instead of ours wherever there is one."""
    full_name: str | None = None
    address: Address | None = None
    tax_ids: tuple[str, ...] = ()
    provider_customer_id: str | None = None
    default_payment_method: str | None = None
    """Key of the vaulted method that off-session charges use."""

    @property
    def public_id(self) -> str:
        return self.external_id or self.id


@dataclass(frozen=True)
class PaymentMethod:
    """A vaulted card or bank account; the number itself only ever lives at the provider."""

    key: str
    """The card's fingerprint at the provider, so that one card used twice is one item."""
    provider_id: str
    type: str
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    reusable: bool = False

    @property
    def label(self) -> str:
        """``Visa •••• 4242``, as pages and invoices print it."""
        name = (self.brand or self.type).replace("_", " ").title()
        return f"{name} •••• {self.last4}" if self.last4 else name


@dataclass(frozen=True)
class Buyer:
    """Who paid, as the provider collected it at checkout; the invoice keeps a copy."""

    email: str | None = None
    name: str | None = None
    address: Address = field(default_factory=Address)
    tax_ids: tuple[str, ...] = ()

    def fill(self, customer: Customer) -> Customer:
        """The customer with what was unknown taken from the checkout; nothing is overwritten."""
        return replace(
            customer,
            email=customer.email or self.email,
            full_name=customer.full_name or self.name,
            address=customer.address or (self.address if self.address != Address() else None),
            tax_ids=customer.tax_ids or self.tax_ids,
        )
