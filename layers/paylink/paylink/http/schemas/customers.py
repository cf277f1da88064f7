"""Customers: the requests that make and change them, and customers as callers see them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, TypedDict

from babel.core import get_global
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from paylink.domain.customer import OUR_IDS, Customer
from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    DuplicateError,
    PaymentNotCancelableError,
    ProviderUnavailableError,
)
from paylink.domain.organization import Address
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.validation import validated, without_null
from paylink.presentation.countries import COUNTRIES
from paylink.services.customers import NewCustomer

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"]+\.[^\s@<>()\[\],;:\\\".]+")
_DEEPEST = 10
_LONGEST_METADATA = 16_000


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value) or not value.isprintable():
        raise ValueError("It must be an e-mail address.")
    return value


def _own_id(value: str) -> str:
    if value.startswith(OUR_IDS):
        raise ValueError(f"It must not begin with {OUR_IDS}, as our own ids do.")
    return value


def _time_zone(value: str) -> str:
    known = value in get_global("zone_territories") or value in get_global("zone_aliases")
    if not known:
        raise ValueError("It must be a time zone such as Europe/Berlin.")
    return value


def _country(value: str) -> str:
    code = value.upper()
    if code not in COUNTRIES:
        raise ValueError("It must be a two-letter country code of ISO 3166.")
    return code


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    _check_json(value, _DEEPEST)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        raise ValueError("It must be JSON without half characters or infinite numbers.") from None
    if len(text) > _LONGEST_METADATA:
        raise ValueError(f"It must not be longer than {_LONGEST_METADATA} characters as JSON.")
    return value


def _check_json(value: object, depth: int) -> None:
    if isinstance(value, str):
        if len(value) > 500:
            raise ValueError("No text in it may be longer than 500 characters.")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"It must not be nested more than {_DEEPEST} levels deep.")
        if isinstance(value, dict) and any(not 1 <= len(name) <= 40 for name in value):
            raise ValueError("Its keys must have 1 to 40 characters.")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_json(inner, depth - 1)


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
OwnId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    AfterValidator(_own_id),
    Field(json_schema_extra={"pattern": f"^(?!{OUR_IDS})"}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=150)]
TaxDocument = Annotated[str, StringConstraints(min_length=1, max_length=50)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone)]
Metadata = Annotated[dict[str, Any], Field(max_length=50), AfterValidator(_metadata)]
Line = Annotated[str, StringConstraints(max_length=200)]

_OWN_ID = (
    "Your own id of the customer; it stands for ours in every route. One with a slash is found by "
    "the list's `externalId` only: the gateway takes no slash within a part of a path."
)
_TAX_DOCUMENT = (
    "The number under which the customer is registered for tax: a VAT id, an EIN. Together with "
    "the address it decides what tax is due."
)


class AddressFields(BaseModel):
    """A postal address, always given as a whole."""

    model_config = ConfigDict(extra="ignore", strict=True)

    line1: Line | None = None
    line2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    postal_code: Annotated[str | None, Field(alias="postalCode", max_length=20)] = None
    country: Annotated[
        str,
        AfterValidator(_country),
        Field(
            min_length=2,
            max_length=2,
            description="ISO 3166, two letters.",
            examples=["DE"],
            json_schema_extra={"pattern": "^[A-Za-z]+$"},
        ),
    ]

    def address(self) -> Address:
        return Address(
            line1=self.line1 or None,
            line2=self.line2 or None,
            city=self.city or None,
            state=self.state or None,
            postal_code=self.postal_code or None,
            country=self.country,
        )


class CreateCustomer(BaseModel):
    """The body of ``POST /customers``. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    email: Annotated[Email, Field(examples=["ap@customer.example"])]
    id: Annotated[OwnId | None, Field(description="The same as `externalId`.")] = None
    external_id: Annotated[OwnId | None, Field(alias="externalId", description=_OWN_ID)] = None
    full_name: Annotated[Name | None, Field(alias="fullName")] = None
    tax_document: Annotated[
        TaxDocument | None, Field(alias="taxDocument", description=_TAX_DOCUMENT)
    ] = None
    timezone: Annotated[TimeZone | None, Field(examples=["Europe/Berlin"])] = None
    address: AddressFields | None = None
    metadata: Annotated[Metadata | None, Field(description="Yours to use; any JSON object.")] = None

    @field_validator("external_id")
    @classmethod
    def _one_id(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("id") not in {None, value}:
            raise ValueError("It must be the same as id where both are given.")
        return value

    def wanted(self) -> NewCustomer:
        """What the service makes."""
        return NewCustomer(
            email=self.email,
            external_id=self.external_id or self.id,
            full_name=self.full_name,
            tax_document=self.tax_document,
            time_zone=self.timezone,
            address=self.address.address() if self.address else None,
            metadata=self.metadata,
        )


class UpdateCustomer(BaseModel):
    """The body of ``PATCH`` and ``PUT``: what is given changes, and ``null`` clears it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    email: Annotated[
        Email | None, Field(description="Can't be cleared.", json_schema_extra=without_null)
    ] = None
    external_id: Annotated[OwnId | None, Field(alias="externalId", description=_OWN_ID)] = None
    full_name: Annotated[Name | None, Field(alias="fullName")] = None
    tax_document: Annotated[
        TaxDocument | None, Field(alias="taxDocument", description=_TAX_DOCUMENT)
    ] = None
    timezone: TimeZone | None = None
    address: Annotated[AddressFields | None, Field(description="Replaces all of the old one.")] = (
        None
    )
    metadata: Annotated[Metadata | None, Field(description="Replaces all of the old one.")] = None

    @field_validator("email")
    @classmethod
    def _stays(cls, value: str | None) -> str | None:
        if value is None:
            raise ValueError("A customer always has an e-mail address.")
        return value

    def changes(self) -> dict[str, Any]:
        """Members of the domain's customer, those only that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "timezone" in given:
            given["time_zone"] = given.pop("timezone")
        if "address" in given:
            given["address"] = self.address.address() if self.address else None
        if "tax_document" in given:
            document = given.pop("tax_document")
            given["tax_ids"] = (document,) if document is not None else ()
        return given


def new_customer(body: dict[str, Any]) -> NewCustomer:
    """The validated request; raises ValidationError."""
    return validated(CreateCustomer, body).wanted()


def changes_of_customer(body: dict[str, Any]) -> dict[str, Any]:
    """The validated request: members of the domain's customer; raises ValidationError."""
    return validated(UpdateCustomer, body).changes()


class AddressObject(TypedDict):
    """A postal address."""

    line1: str | None
    line2: str | None
    city: str | None
    state: str | None
    postalCode: str | None
    country: Annotated[str | None, Field(description="ISO 3166, two letters.")]


class CustomerObject(TypedDict):
    """Somebody who pays you."""

    object: Literal["customer"]
    id: Annotated[str, Field(description="Ours.", examples=["cus_7Hn3VxqTzKcB2LmWdRfY9s"])]
    livemode: bool
    externalId: Annotated[str | None, Field(description="Yours.", examples=["user-4711"])]
    email: Annotated[
        str | None,
        Field(
            description="Null only for a guest who paid without telling one.",
            examples=["ap@customer.example"],
        ),
    ]
    fullName: str | None
    taxDocument: Annotated[
        str | None, Field(description="As you gave it, or else as the buyer did at checkout.")
    ]
    documentType: Annotated[None, Field(description="Always null.")]
    timezone: str | None
    address: AddressObject | None
    metadata: dict[str, Any] | None
    createdAt: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    updatedAt: Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def present_customer(customer: Customer) -> CustomerObject:
    address = customer.address
    return {
        "object": "customer",
        "id": customer.id,
        "livemode": customer.mode == "live",
        "externalId": customer.external_id,
        "email": customer.email,
        "fullName": customer.full_name,
        "taxDocument": customer.tax_document,
        "documentType": None,
        "timezone": customer.time_zone,
        "address": {
            "line1": address.line1,
            "line2": address.line2,
            "city": address.city,
            "state": address.state,
            "postalCode": address.postal_code,
            "country": address.country,
        }
        if address
        else None,
        "metadata": dict(customer.metadata) if customer.metadata is not None else None,
        "createdAt": timestamp(customer.created_at),
        "updatedAt": timestamp(customer.updated_at),
    }


class ErasedCustomerObject(TypedDict):
    """A customer of whom nothing personal is left."""

    object: Literal["customer"]
    id: Annotated[str, Field(description="Ours.", examples=["cus_7Hn3VxqTzKcB2LmWdRfY9s"])]
    livemode: bool
    deleted: Literal[True]


def present_erased_customer(customer: Customer) -> ErasedCustomerObject:
    return {
        "object": "customer",
        "id": customer.id,
        "livemode": customer.mode == "live",
        "deleted": True,
    }


CREATE = Operation(
    summary="Make a customer",
    description="With your own id the same customer is made once only: another request for it is "
    "answered 200, with the customer there is.",
    request=CreateCustomer,
    response=CustomerObject,
    status=201,
    also=(200,),
    errors=(DuplicateError, ProviderUnavailableError),
)
GET = Operation("Get a customer", CustomerObject, errors=(CustomerNotFoundError,))
LIST = Operation(
    "List customers",
    CustomerObject,
    listed=True,
    query={"externalId": Annotated[str, Field(description="Your own id of the customer.")]},
)
ERASE = Operation(
    summary="Erase a customer",
    description="Removes everything personal: the customer, their saved payment methods here and "
    "at the provider, and their names and addresses in payments and transactions. Links that wait "
    "for them are canceled. Invoices and credit notes stay as they were issued, as tax law asks; "
    "what the provider has to keep, it keeps. If it is interrupted, the same request goes on.",
    response=ErasedCustomerObject,
    errors=(
        CustomerNotFoundError,
        PaymentNotCancelableError,
        ChargeInProgressError,
        ProviderUnavailableError,
    ),
)
UPDATE = Operation(
    summary="Change a customer",
    description="What is given changes, `null` clears it, and the rest stays.",
    request=UpdateCustomer,
    response=CustomerObject,
    errors=(CustomerNotFoundError, DuplicateError, ProviderUnavailableError),
)
