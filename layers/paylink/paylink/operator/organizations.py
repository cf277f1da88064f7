"""Sellers and their details: who they are, how their pages look, what tax they charge."""

from __future__ import annotations

import argparse
import re
import secrets
from dataclasses import asdict, fields, replace
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from paylink.domain.color import accent_color
from paylink.domain.ids import new_id
from paylink.domain.logo import Logo, logo_key
from paylink.domain.organization import (
    MODES,
    ORGANIZATION_ID,
    Address,
    Organization,
    ProviderCredentials,
    TaxMode,
    TaxRate,
)
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError
from paylink.operator.logos import Picture, read_picture
from paylink.presentation.countries import COUNTRIES

_TAX_RATE = re.compile(
    r"(?P<country>[A-Z]{2})(-(?P<region>[A-Z0-9]{1,3}))?"
    r":(?P<label>[^:\x00-\x1f]{1,40}):(?P<percent>\d{1,3}(\.\d{1,4})?)",
    re.ASCII,
)


def add_to(things: Any) -> None:
    """The actions of ``paylink organizations``."""
    organizations = things.add_parser("organizations", help="sellers and their details")
    actions = organizations.add_subparsers(required=True, metavar="create|update|show")
    create = add_action(actions, "create", create_organization, "a new seller")
    create.add_argument("--id", type=_organization_id, help="org_…; default: a new one")
    create.add_argument("--name", required=True, help="as printed on pages and invoices")
    update = add_action(actions, "update", update_organization, "change what is given")
    update.add_argument("organization", help="org_…")
    update.add_argument("--name", help="as printed on pages and invoices")
    for action in (create, update):
        for part in fields(Address):
            action.add_argument(f"--{part.name.replace('_', '-')}", help="of the address")
        action.add_argument(
            "--tax-id", dest="tax_ids", action="append", help="e.g. DE123456789; may be repeated"
        )
        action.add_argument(
            "--tax-mode",
            choices=get_args(TaxMode),
            help="stripe: Stripe Tax says what is due; rates: own rates; none: no tax",
        )
        action.add_argument(
            "--tax-rate",
            dest="tax_rates",
            action="append",
            type=_tax_rate,
            metavar="PLACE:LABEL:PERCENT",
            help="an own rate, e.g. DE:VAT:19 or CA-QC:QST:9.975; repeat it for all there are, they"
            " replace those from before; rates of a region take the place of its country's",
        )
        action.add_argument(
            "--prices",
            choices=["exclusive", "inclusive"],
            help="whether own rates are added to the amounts that are asked for or are in them",
        )
        action.add_argument("--email", help="for questions, printed on the invoice")
        action.add_argument("--website")
        action.add_argument(
            "--accent", type=_accent, help="colour of pages and invoices, e.g. #1f5f4f"
        )
        logo = action.add_mutually_exclusive_group()
        logo.add_argument(
            "--logo",
            type=read_picture,
            metavar="FILE",
            help="picture on pages, invoices and mails: PNG or JPEG, up to 200 kB",
        )
        logo.add_argument("--no-logo", action="store_true", help="from now on none")
        action.add_argument(
            "--time-zone", type=_time_zone, help="whose calendar dates invoices, e.g. Europe/Berlin"
        )
        action.add_argument(
            "--receipts",
            action=argparse.BooleanOptionalAction,
            help="whether buyers are sent their invoice by e-mail (default: yes)",
        )
        action.add_argument(
            "--link-lifetime-days", type=int, choices=range(1, 366), metavar="1..365"
        )
    show = add_action(actions, "show", show_organization, "one seller's details")
    show.add_argument("organization", help="org_…")


def create_organization(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = Organization(id=options.id or new_id("org"), name=options.name)
    if deployment.organizations.get(organization.id) is not None:
        raise UsageError(f"there is an organization {organization.id} already")
    for mode in MODES:
        keys = ProviderCredentials("", (), signing_key=secrets.token_hex(32))
        deployment.credentials.put(organization.id, mode, keys)
    return _save(deployment, organization, options)


def update_organization(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    return _save(deployment, deployment.organization(options.organization), options)


def show_organization(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    return asdict(deployment.organization(options.organization))


def _save(
    deployment: Deployment, organization: Organization, options: argparse.Namespace
) -> dict[str, Any]:
    """Applies what was given, and leaves the rest as it is."""
    given = {
        f.name: getattr(options, f.name)
        for f in fields(Organization)
        if f.name not in {"id", "address", "tax", "logo"}
        and getattr(options, f.name, None) is not None
    }
    address = {
        f.name: getattr(options, f.name)
        for f in fields(Address)
        if getattr(options, f.name, None) is not None
    }
    if "tax_ids" in given:
        given["tax_ids"] = tuple(given["tax_ids"])
    if options.logo or options.no_logo:
        given["logo"] = options.logo and _kept(deployment, organization, options.logo)
    tax: dict[str, Any] = {
        name: value
        for name, value in (
            ("mode", options.tax_mode),
            ("inclusive", options.prices and options.prices == "inclusive"),
            ("rates", options.tax_rates and tuple(options.tax_rates)),
        )
        if value is not None
    }
    organization = replace(
        organization,
        **given,
        address=replace(organization.address, **address),
        tax=replace(organization.tax, **tax),
    )
    _check_tax(organization)
    deployment.organizations.put(organization)
    return asdict(organization)


def _kept(deployment: Deployment, organization: Organization, picture: Picture) -> Logo:
    """Those from before stay: invoices and mails that were made with them name them."""
    key = logo_key(organization.id, picture.content, picture.kind)
    deployment.logos.put(key, picture.content)
    return Logo(key, picture.width, picture.height)


def _check_tax(organization: Organization) -> None:
    """What own rates need to be right: where the seller is, and a number to print beside them."""
    settings = organization.tax
    if settings.mode != "rates":
        return
    if not settings.rates:
        raise UsageError("own rates need at least one --tax-rate")
    if not organization.address.country:
        raise UsageError("own rates need the seller's --country, which reverse charge depends on")
    if not organization.tax_ids:
        raise UsageError("own rates need the seller's --tax-id, which is printed on every invoice")
    named = [(rate.country, rate.region, rate.label) for rate in settings.rates]
    if len(set(named)) < len(named):
        raise UsageError("a place has the same tax twice")


def _organization_id(text: str) -> str:
    if not ORGANIZATION_ID.fullmatch(text):
        raise argparse.ArgumentTypeError("an id is org_ and 1 to 64 letters and digits")
    return text


def _tax_rate(text: str) -> TaxRate:
    found = _TAX_RATE.fullmatch(text)
    if found is None or found["country"] not in COUNTRIES or Decimal(found["percent"]) > 100:
        raise argparse.ArgumentTypeError(
            f"{text} is no rate: country or country-region, label and percentage, e.g. DE:VAT:19"
        )
    percentage = f"{Decimal(found['percent']).normalize():f}"
    return TaxRate(found["country"], found["label"].strip(), percentage, found["region"])


def _accent(text: str) -> str:
    try:
        return accent_color(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError(f"{name} is no time zone") from None
    return name
