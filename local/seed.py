"""Fills a fresh local stack: three organizations with Stripe accounts, webhook endpoints and keys.

A process of its own (`python -m local.seed`), because it runs the product's own code: the
operator's command, on the packages of the layers. Keys are shown only once, so they are kept in
.local/seed.json for the next start, and made anew if the stack no longer takes them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from local.settings import STACK_NAME, STATE, LocalStackError, read_json, write_json
from paylink import cli
from paylink.adapters.stripe.setup import StripeSetup, StripeSetupError
from paylink.domain.organization import Mode
from paylink.operator.deployment import Deployment
from paylink.operator.stripe_account import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS

SEED_FILE = STATE / "seed.json"
_MADE = "5"
"""Counts up when an older seed lacks something: accounts are items since 2, own rates since 3,
endpoints hear of disputes since 4, the first seller has a logo since 5."""

# Stripe accounts of the sandbox are read off the key: sk_test_<account>_<anything>.
SELLERS: list[dict[str, Any]] = [
    {
        "name": "Example Studio GmbH",
        "account": "examplestudio",
        "modes": ["sandbox", "live"],
        "details": {
            "--line1": "Lindenstraße 12",
            "--postal-code": "10969",
            "--city": "Berlin",
            "--country": "DE",
            "--tax-id": "DE123456789",
            "--email": "billing@example.com",
            "--website": "https://example.com",
            "--logo": str(Path(__file__).with_name("logo.png")),
            "--time-zone": "Europe/Berlin",
        },
    },
    {
        "name": "Another Company Ltd",
        "account": "anothercompany",
        "modes": ["sandbox"],
        "details": {
            "--line1": "1 Example Street",
            "--city": "Dublin",
            "--country": "IE",
            "--time-zone": "Europe/Dublin",
        },
    },
    {
        "name": "Werkstatt Beispiel GmbH",
        "account": "werkstatt",
        "modes": ["sandbox"],
        "details": {
            "--line1": "Am Hafen 3",
            "--postal-code": "20457",
            "--city": "Hamburg",
            "--country": "DE",
            "--tax-id": "DE136695976",
            "--time-zone": "Europe/Berlin",
            "--tax-mode": "rates",
            "--tax-rate": ["DE:MwSt.:19", "FR:TVA:20", "CA:GST:5", "CA-ON:HST:13"],
        },
    },
]


def operator(*arguments: str) -> dict[str, Any]:
    """Runs the operator's command and returns what it prints."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = cli.main(["--stack", STACK_NAME, *arguments])
    if status:
        raise LocalStackError(f"paylink {' '.join(arguments[:2])}: {errors.getvalue().strip()}")
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def request(url: str, headers: dict[str, str]) -> Any:
    """The JSON answer of a GET; HTTPError for what isn't 2xx."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return json.loads(answer.read())


class Seeder:
    def __init__(self, api_url: str, stripe_url: str) -> None:
        self._api_url = api_url
        self._stripe_url = stripe_url
        # With these, the stack talks to Stripe itself, whose events the Stripe CLI brings.
        self._own_key = os.environ.get(STRIPE_SECRET_KEY, "")
        self._own_secrets = os.environ.get(STRIPE_WEBHOOK_SECRETS, "")

    def seeded(self) -> dict[str, Any]:
        """What is there already if it still works, else all of it made anew."""
        known = read_json(SEED_FILE)
        if known and known.get("madeFor") == self._made_for() and self._works(known):
            return dict(known)
        first, second, third = (self._organization(seller) for seller in SELLERS)
        seed = {
            "madeFor": self._made_for(),
            "organizationId": first["id"],
            "otherOrganizationId": second["id"],
            "apiKey": first["keys"]["sandbox"],
            "liveApiKey": first["keys"]["live"],
            "otherApiKey": second["keys"]["sandbox"],
            "ownRatesApiKey": third["keys"]["sandbox"],
            "stripeWebhookUrl": first["endpoints"]["sandbox"]["url"],
            "stripeWebhookSecret": first["endpoints"]["sandbox"]["secret"],
            "stripeKeys": [
                key for made in (first, second, third) for key in made["stripe"].values()
            ],
        }
        write_json(SEED_FILE, seed)
        return seed

    def _made_for(self) -> str:
        """The address, what is made and, if given, the Stripe account: with others, all must be
        made anew."""
        given = "\n".join([_MADE, self._api_url, self._own_key, self._own_secrets])
        return hashlib.sha256(given.encode()).hexdigest()

    def _works(self, seed: dict[str, Any]) -> bool:
        """Whether both the deployed stack and the Stripe sandbox still know of it."""
        try:
            for key in [] if self._own_key else seed["stripeKeys"]:
                authorized = {"authorization": f"Bearer {key}"}
                if not request(f"{self._stripe_url}/v1/webhook_endpoints", authorized)["data"]:
                    return False
            operator("organizations", "show", seed["organizationId"])
            request(f"{self._api_url}/payments/pay_none", {"x-api-key": seed["apiKey"]})
        except urllib.error.HTTPError as error:
            return error.code == 404
        except (OSError, ValueError, LocalStackError):
            return False
        return True

    def _name_account(self, seller: dict[str, Any]) -> None:
        """Lets the sandbox's checkout page show the seller that invoices show."""
        country = seller["details"]["--country"]
        settings = {
            "business_profile": {"name": seller["name"]},
            "country": country,
            "tax_settings": {"head_office": {"country": country}},
        }
        url = f"{self._stripe_url}/_control/accounts/acct_{seller['account']}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, json.dumps(settings).encode()), timeout=60):
            pass

    def _organization(self, seller: dict[str, Any]) -> dict[str, Any]:
        details = [
            part
            for option, value in seller["details"].items()
            for one in (value if isinstance(value, list) else [value])
            for part in (option, one)
        ]
        organization = operator("organizations", "create", "--name", seller["name"], *details)["id"]
        self._name_account(seller)
        keys, stripe, endpoints = {}, {}, {}
        for mode in seller["modes"]:
            kind = "live" if mode == "live" else "test"
            stripe[mode] = f"sk_{kind}_{seller['account']}_local"
            if not self._own_key:
                self._forget_earlier_stacks(stripe[mode])
                os.environ[STRIPE_SECRET_KEY] = stripe[mode]
                operator("stripe", "connect", organization, "--mode", mode)
            elif mode == "sandbox":
                operator("stripe", "set", organization, "--mode", mode)
            endpoints[mode] = self._endpoint(organization, mode)
            keys[mode] = operator("keys", "create", organization, "--mode", mode)["apiKey"]
        return {"id": organization, "keys": keys, "stripe": stripe, "endpoints": endpoints}

    def _forget_earlier_stacks(self, key: str) -> None:
        """Their endpoints would only fail, and an account has a number of places."""
        setup = StripeSetup(key, self._stripe_url)
        for endpoint in setup.endpoints():
            setup.remove_endpoint(endpoint.id)

    def _endpoint(self, organization: str, mode: Mode) -> dict[str, str]:
        """Where the account's events go, and what signs them."""
        deployment = Deployment.of_stack(STACK_NAME)
        credentials = deployment.credentials.get(organization, mode)
        known = credentials.webhook_secrets if credentials else ()
        return {
            "url": deployment.webhook_url(organization, mode),
            "secret": ",".join(known),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True)
    parser.add_argument("--stripe", required=True)
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    try:
        seed = Seeder(arguments.api, arguments.stripe).seeded()
    except (StripeSetupError, LocalStackError) as error:
        sys.exit(str(error))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error} {error.read().decode(errors='replace')[:500]}")
    write_json(arguments.output, seed)


if __name__ == "__main__":
    main()
