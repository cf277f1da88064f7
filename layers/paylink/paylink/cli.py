"""``paylink``: the operator's command. It works on whatever deployment the AWS environment
variables lead to, the local stack included, and prints JSON.

Secrets are read from the environment, never from arguments, which shells and process lists keep.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from paylink.adapters.dynamodb.api_keys import DynamoApiKeys
from paylink.adapters.dynamodb.organizations import DynamoOrganizations
from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import Table
from paylink.adapters.ssm import SsmCredentials
from paylink.adapters.stripe.accounts import StripeAccounts
from paylink.domain.api_key import generate
from paylink.domain.color import accent_color
from paylink.domain.errors import PaylinkError
from paylink.domain.ids import new_id
from paylink.domain.organization import (
    MODES,
    ORGANIZATION_ID,
    Address,
    Organization,
    ProviderCredentials,
    TaxMode,
    TaxRate,
)
from paylink.domain.payment import CheckoutMismatchError
from paylink.presentation.countries import COUNTRIES
from paylink.services.reconcile_payment import look_into_payment

_TAX_RATE = re.compile(
    r"(?P<country>[A-Z]{2})(-(?P<region>[A-Z0-9]{1,3}))?"
    r":(?P<label>[^:\x00-\x1f]{1,40}):(?P<percent>\d{1,3}(\.\d{1,4})?)",
    re.ASCII,
)
STRIPE_SECRET_KEY = "PAYLINK_STRIPE_SECRET_KEY"  # noqa: S105 - a variable's name
STRIPE_WEBHOOK_SECRETS = "PAYLINK_STRIPE_WEBHOOK_SECRETS"


class UsageError(Exception):
    """What was asked for can't be done; the message says why."""


@dataclass(frozen=True)
class Deployment:
    """The parts of one stack that an operator works on."""

    organizations: DynamoOrganizations
    keys: DynamoApiKeys
    credentials: SsmCredentials
    payments: DynamoPayments
    providers: StripeAccounts

    @classmethod
    def of_stack(cls, name: str) -> Deployment:
        """Finds table and secrets by the outputs of a CloudFormation stack."""
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}
        table = Table(boto3.client("dynamodb"), outputs["TableName"])
        credentials = SsmCredentials(boto3.client("ssm"), outputs["SecretsPrefix"])
        api_base = outputs.get("StripeApiBase", "")  # no output where it is Stripe's own
        return cls(
            DynamoOrganizations(table),
            DynamoApiKeys(table),
            credentials,
            DynamoPayments(table),
            StripeAccounts(credentials, outputs["DeploymentId"], api_base),
        )

    def organization(self, organization_id: str) -> Organization:
        found = self.organizations.get(organization_id)
        if found is None:
            raise UsageError(f"there is no organization {organization_id}")
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        result = options.run(Deployment.of_stack(options.stack), options)
    except UsageError as error:
        print(f"paylink: {error}", file=sys.stderr)
        return 2
    except (ClientError, BotoCoreError) as error:
        print(f"paylink: AWS: {error}", file=sys.stderr)
        return 1
    except (PaylinkError, CheckoutMismatchError) as error:
        print(f"paylink: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2, ensure_ascii=False, default=str))
    return 0


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


def set_stripe(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    known = deployment.credentials.get(organization.id, options.mode)
    key, hooks = os.environ.get(STRIPE_SECRET_KEY), os.environ.get(STRIPE_WEBHOOK_SECRETS)
    if not key or not hooks:
        raise UsageError(f"set {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS} (comma between)")
    credentials = ProviderCredentials(
        secret_key=key,
        webhook_secrets=tuple(s.strip() for s in hooks.split(",") if s.strip()),
        signing_key=known.signing_key if known else secrets.token_hex(32),
    )
    deployment.credentials.put(organization.id, options.mode, credentials)
    deployment.organizations.add_account((organization.id, options.mode), datetime.now(UTC))
    return {"organization": organization.id, "mode": options.mode, "stripe": "set"}


def create_key(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    now = datetime.now(UTC)
    days = options.expires_in_days
    key, plain = generate(
        organization.id,
        options.mode,
        options.name,
        now,
        now + timedelta(days=days) if days is not None else None,
    )
    deployment.keys.put(key)
    return {"id": key.id, "mode": key.mode, "expiresAt": key.expires_at, "apiKey": plain}


def delete_key(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    if deployment.keys.get(options.key) is None:
        raise UsageError(f"there is no key {options.key}")
    deployment.keys.delete(options.key)
    return {"id": options.key, "deleted": True}


def reconcile(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    before = deployment.payments.get(options.payment)
    if before is None:
        raise UsageError(f"there is no payment {options.payment}")
    after = look_into_payment(
        before.id,
        payments=deployment.payments,
        providers=deployment.providers,
        clock=lambda: datetime.now(UTC),
    )
    return {
        "id": after.id,
        "statusBefore": before.status,
        "status": after.status,
        "amountRefunded": after.amount_refunded,
    }


def _save(
    deployment: Deployment, organization: Organization, options: argparse.Namespace
) -> dict[str, Any]:
    """Applies what was given, and leaves the rest as it is."""
    given = {
        f.name: getattr(options, f.name)
        for f in fields(Organization)
        if f.name not in {"id", "address", "tax"} and getattr(options, f.name, None) is not None
    }
    address = {
        f.name: getattr(options, f.name)
        for f in fields(Address)
        if getattr(options, f.name, None) is not None
    }
    if "tax_ids" in given:
        given["tax_ids"] = tuple(given["tax_ids"])
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("paylink", description=__doc__)
    parser.add_argument(
        "--stack",
        default=os.environ.get("PAYLINK_STACK", "paylink"),
        help="name of the CloudFormation stack (or PAYLINK_STACK; default: paylink)",
    )
    things = parser.add_subparsers(required=True, metavar="organizations|stripe|keys|payments")

    organizations = things.add_parser("organizations", help="sellers and their details")
    actions = organizations.add_subparsers(required=True, metavar="create|update|show")
    create = _action(actions, "create", create_organization, "a new seller")
    create.add_argument("--id", type=_organization_id, help="org_…; default: a new one")
    create.add_argument("--name", required=True, help="as printed on pages and invoices")
    update = _action(actions, "update", update_organization, "change what is given")
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
    show = _action(actions, "show", show_organization, "one seller's details")
    show.add_argument("organization", help="org_…")

    stripe = things.add_parser("stripe", help="a seller's account at Stripe")
    actions = stripe.add_subparsers(required=True, metavar="set")
    keys_of_stripe = _action(
        actions,
        "set",
        set_stripe,
        f"keep the secrets found in {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS}",
    )
    keys_of_stripe.add_argument("organization", help="org_…")
    keys_of_stripe.add_argument("--mode", choices=MODES, required=True)

    keys = things.add_parser("keys", help="API keys")
    actions = keys.add_subparsers(required=True, metavar="create|delete")
    create = _action(actions, "create", create_key, "a new key, shown this once")
    create.add_argument("organization", help="org_…")
    create.add_argument("--mode", choices=MODES, required=True)
    create.add_argument("--name", default="operator")
    create.add_argument("--expires-in-days", type=int, choices=range(1, 3651), metavar="1..3650")
    delete = _action(actions, "delete", delete_key, "end a key; within a minute nobody takes it")
    delete.add_argument("key", help="the key's id")

    payments = things.add_parser("payments", help="what became of one")
    actions = payments.add_subparsers(required=True, metavar="reconcile")
    reconciled = _action(actions, "reconcile", reconcile, "ask Stripe how its money stands")
    reconciled.add_argument("payment", help="pay_…")
    return parser


def _action(
    actions: Any,
    name: str,
    run: Callable[[Deployment, argparse.Namespace], dict[str, Any]],
    help_text: str,
) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
    action.set_defaults(run=run)
    return action


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


if __name__ == "__main__":
    sys.exit(main())
