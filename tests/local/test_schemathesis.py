"""The published OpenAPI document is true: schemathesis makes requests of it, good and bad ones,
and holds every answer against it.

A JSON schema can't say that a time lies ahead or that each currency has a smallest amount, so that
good requests are made of a narrowed copy of the document; bad ones break the published one itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.stack import ROOT, Stack

OPENAPI = ROOT / "docs" / "openapi.json"
EXAMPLES = os.environ.get("PAYLINK_TEST_EXAMPLES", "5")
# A method without a route is the gateway's to refuse, which says 404 and not 405. And what is still
# good in the run with bad requests isn't narrowed: whether it is accepted, the other run tells.
EXCLUDED = {
    "positive": "unsupported_method",
    "negative": "unsupported_method,positive_data_acceptance",
}

# Right for every currency, with its smallest amount, its steps, and its largest after any tax.
AMOUNT = {"type": "integer", "minimum": 200_000, "maximum": 50_000_000, "multipleOf": 100}
# No control characters, and something to be seen.
DESCRIPTION = {
    "type": "string",
    "pattern": "^[A-Za-z \u00e0-\u00fe\u4e00-\u9fff<>&]{0,60}[A-Za-z]$",
}
TIME_ZONE = {"enum": ["Europe/Berlin", "America/New_York"]}
COUNTRY = {"enum": ["DE", "fr", "US"]}
METADATA = {
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"minLength": 1, "maxLength": 40},
    "additionalProperties": {"type": "string", "maxLength": 100},
}
# What the buyer's bank says, and whether the place of a customer can be taxed, no request can know.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "402", "403", "404", "409", "429"]
"""


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """A copy that only allows what is also right by the rules that the document has in words."""
    month = (datetime.now(UTC) + timedelta(days=60)).strftime("%Y-%m")
    time_ahead = rf"^{month}-[12][0-8]T1[0-9]:[0-5][0-9]:[0-5][0-9]Z$"
    rules: dict[str, dict[str, dict[str, Any] | None]] = {
        "CreatePayment": {
            "amount": AMOUNT,
            "description": DESCRIPTION,
            "successUrl": {
                "type": "string",
                "pattern": "^https://[a-z]{1,9}[.]example/[a-z]{0,9}$",
            },
            "expiresAt": {"type": "string", "pattern": time_ahead},
        },
        "ChargePayment": {"amount": AMOUNT, "description": DESCRIPTION},
        # `id` must be the same as `externalId`.
        "CreateCustomer": {"id": None, "timezone": TIME_ZONE, "metadata": METADATA},
        "UpdateCustomer": {"timezone": TIME_ZONE, "metadata": METADATA},
        "AddressFields": {"country": COUNTRY},
    }
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for name, members in rules.items():
        properties = copy["components"]["schemas"][name]["properties"]
        for member, rule in members.items():
            assert member in properties, f"{name}.{member} is gone; so should its rule be"
            if rule is None:
                del properties[member]
            else:
                properties[member] = rule
    # Whether money came, and how much of it is left, no request can know beforehand.
    del copy["paths"]["/transactions/{transactionId}/refund"]
    # Cursors can't be guessed.
    for operations in copy["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [
                p for p in operation["parameters"] if not p.get("$ref", "").endswith("/Cursor")
            ]
    return copy


def new_key(stack: Stack, name: str) -> str:
    """A key of its own, with a minute's allowance of its own."""
    headers = {"x-api-key": stack.about["apiKey"]}
    made = stack.http.post("/api-keys", json={"name": name}, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["data"]["apiKey"])


def key_ids(stack: Stack) -> list[str]:
    headers = {"x-api-key": stack.about["apiKey"]}
    listed = stack.http.get("/api-keys", params={"limit": 100}, headers=headers)
    return [key["id"] for key in listed.json()["data"]]


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_answers_are_those_of_the_published_document(
    mode: str, stack: Stack, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    if mode == "positive":
        document = narrowed(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    key = new_key(stack, f"schemathesis, {mode}")
    environment = {
        "PYTHONPATH": str(Path(__file__).parent),
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "SCHEMATHESIS_MODE": mode,
        "SPARED_KEYS": " ".join(key_ids(stack)),
    }
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            *("run", str(file), "--url", stack.about["apiUrl"], "--header", f"x-api-key: {key}"),
            *("--mode", mode, "--checks", "all", "--exclude-checks", EXCLUDED[mode]),
            *("--max-examples", EXAMPLES, "--generation-deterministic", "--no-shrink"),
            *("--rate-limit", "1100/m", "--request-timeout", "20", "--continue-on-failure"),
            *("--warnings", "off", "--no-color"),
        ],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-30_000:] + run.stderr
    operations = re.search(r"Tested: +([0-9]+)", run.stdout)
    cases = re.search(r"([0-9]+) generated", run.stdout)
    assert operations, run.stdout
    assert cases, run.stdout
    with capfd.disabled():
        print(f"\nschemathesis, {mode}: {operations[1]} operations, {cases[1]} cases, 0 failures")
