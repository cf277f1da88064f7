"""Items outlive the code that wrote them: what the first version wrote is read by every later one,
and what a newer one added doesn't keep an older one, back after a bad deployment, from reading.

An item of ``OLDEST`` has what each item of its family has always had, and nothing that came later.
Whoever adds an attribute gives it a default; whoever adds an item to these makes a promise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from paylink.adapters.dynamodb.api_keys import DynamoApiKeys
from paylink.adapters.dynamodb.credit_notes import DynamoCreditNotes
from paylink.adapters.dynamodb.customers import DynamoCustomers
from paylink.adapters.dynamodb.idempotency import DynamoIdempotency, record_key
from paylink.adapters.dynamodb.invoices import DynamoInvoices
from paylink.adapters.dynamodb.organizations import DynamoOrganizations
from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import SCHEMA, Item, Table, encode
from paylink.adapters.dynamodb.webhooks import DynamoWebhooks
from paylink.ports import IdempotencyRecord
from tests.integration.aws import TABLE_NAME, Aws
from tests.integration.template import ROOT
from tests.integration.world import World

AT = "2026-01-31T12:00:00Z"
NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)
OWNER = {"organization_id": "org_a", "mode": "live"}
SELLER = {"id": "org_a", "name": "Example Studio", "address": {"country": "DE"}}
LINES = [{"description": "Consulting", "unit_amount": 4900}]
RECORD = IdempotencyRecord(
    organization_id="org_a",
    mode="live",
    key="k",
    operation="POST /payments",
    request_hash="00",
    lease_until=NOW,
    expires_at=datetime(2026, 2, 1, 12, tzinfo=UTC),
)
DOCUMENT = {
    **OWNER,
    "number": "INV-2026-000001",
    "payment_id": "pay_1",
    "transaction_id": "txn_1",
    "currency": "eur",
    "amount_subtotal": 4900,
    "tax_amount": 931,
    "tax_lines": [],
    "line_items": LINES,
    "seller": SELLER,
    "buyer": {},
    "issued_at": AT,
}


def item(pk: str, sk: str, **attributes: Any) -> Item:
    return {"pk": pk, "sk": sk, "schema": 1, **attributes}


OLDEST: dict[str, Item] = {
    "payment": item(
        "PAYMENT#pay_1",
        "PAYMENT",
        **OWNER,
        id="pay_1",
        kind="link",
        status="pending",
        amount_subtotal=4900,
        currency="eur",
        line_items=LINES,
        created_at=AT,
        updated_at=AT,
        created_by="key1",
        expires_at="2026-03-02T12:00:00Z",
        sessions=[{"generation": 1, "idempotency_key": "pay_1:1", "request": {}, "expires_at": AT}],
        history=[{"at": AT, "status": "pending", "cause": "create"}],
    ),
    "transaction": item(
        "TRANSACTION#txn_1",
        "TRANSACTION",
        **OWNER,
        id="txn_1",
        payment_id="pay_1",
        status="succeeded",
        amount_subtotal=4900,
        tax_amount=931,
        currency="eur",
        created_at=AT,
        updated_at=AT,
    ),
    "invoice": item("INVOICE#inv_1", "INVOICE", **DOCUMENT, id="inv_1", status="paid", paid_at=AT),
    "credit note": item(
        "CREDIT_NOTE#cn_1",
        "CREDIT_NOTE",
        **DOCUMENT,
        id="cn_1",
        status="issued",
        invoice_id="inv_1",
        invoice_number="INV-2026-000001",
        invoice_issued_at=AT,
        refund_id="ref_1",
        refunded_at=AT,
        in_full=False,
    ),
    "customer": item(
        "CUSTOMER#org_a#live#cus_1",
        "CUSTOMER",
        **OWNER,
        id="cus_1",
        created_at=AT,
        updated_at=AT,
    ),
    "payment method": item(
        "CUSTOMER#org_a#live#cus_1",
        "PAYMENT_METHOD#fp_1",
        **OWNER,
        key="fp_1",
        provider_id="pm_1",
        provider_ids={"pm_1"},
        type="card",
        created_at=AT,
        updated_at=AT,
    ),
    "caller's customer id": item(
        "EXTERNAL#org_a#live#customer#crm-1", "ID", **OWNER, customer_id="cus_1"
    ),
    "number series": item("NUMBERS#org_a#live#invoice#2026", "NUMBERS", **OWNER, taken=41),
    "idempotency record": item(
        *record_key(RECORD),
        **OWNER,
        key="k",
        operation="POST /payments",
        request_hash="00",
        lease_until="2026-01-31T12:00:28Z",
        expires_at="2026-02-01T12:00:00Z",
        lease=1769860828000000,
        ttl=1769947200,
    ),
    "organization": item("ORGANIZATION#org_a", "SETTINGS", **SELLER),
    "account at Stripe": item(
        "ORGANIZATION#org_a",
        "ACCOUNT#live",
        **OWNER,
        heard_until=AT,
        list_key="accounts",
        list_sort="org_a#live",
    ),
    "API key": item(
        "API_KEY#key1",
        "API_KEY",
        **OWNER,
        id="key1",
        name="operator",
        prefix="ck_live_key1",
        secret_hash="00",
        created_at=AT,
    ),
    "webhook endpoint": item(
        "WEBHOOKS#org_a#live",
        "ENDPOINT#wh_1",
        **OWNER,
        id="wh_1",
        url="https://example.com/hook",
        events=["payment_link.created"],
        api_version="2026-07-11",
        created_at=AT,
        updated_at=AT,
        created_by="key1",
    ),
    "delivery": item(
        "DELIVERY#whd_1",
        "DELIVERY",
        **OWNER,
        id="whd_1",
        endpoint_id="wh_1",
        event="payment_link.created",
        event_id="whev_1",
        body="{}",
        created_at=AT,
        updated_at=AT,
        expires_at="2026-03-02T12:00:00Z",
    ),
}


def _vaulted(table: Table) -> object:
    customers = DynamoCustomers(table)
    owner = customers.find("org_a", "live", "cus_1")
    assert owner is not None
    (method,) = customers.payment_methods(owner)
    return method


READ: dict[str, Callable[[Table], object]] = {
    "payment": lambda table: DynamoPayments(table).get("pay_1"),
    "transaction": lambda table: DynamoPayments(table).transaction("txn_1"),
    "invoice": lambda table: DynamoInvoices(table).get("inv_1"),
    "credit note": lambda table: DynamoCreditNotes(table).get("cn_1"),
    "customer": lambda table: DynamoCustomers(table).find("org_a", "live", "cus_1"),
    "payment method": _vaulted,
    "caller's customer id": lambda table: DynamoCustomers(table).find("org_a", "live", "crm-1"),
    "number series": lambda table: DynamoInvoices(table).next_sequence("org_a", "live", 2026),
    "idempotency record": lambda table: DynamoIdempotency(table).find(RECORD, NOW),
    "organization": lambda table: DynamoOrganizations(table).get("org_a"),
    "account at Stripe": lambda table: DynamoOrganizations(table).accounts(),
    "API key": lambda table: DynamoApiKeys(table).get("key1"),
    "webhook endpoint": lambda table: DynamoWebhooks(table).endpoint("org_a", "live", "wh_1"),
    "delivery": lambda table: DynamoWebhooks(table).delivery("whd_1"),
}
# Only conditions of writes look into these, by attributes that they always had.
NEVER_READ = {"lease of a charge", "notice", "receipt", "request count"}


# Maps that aren't ours: what a caller gave, and what a provider was asked.
OPAQUE = {"metadata", "request"}


def from_a_newer_version(value: Any) -> Any:
    """With an unknown attribute in every map of ours, and an unknown schema."""
    if isinstance(value, list):
        return [from_a_newer_version(member) for member in value]
    if not isinstance(value, dict):
        return value
    known = {
        name: member if name in OPAQUE else from_a_newer_version(member)
        for name, member in value.items()
    }
    if "schema" in known:
        known["schema"] = SCHEMA + 1
    return {**known, "not_known_yet": {"of": ["a", "newer", "version"]}}


@pytest.fixture
def table(aws: Aws) -> Table:
    return Table(aws.dynamodb, TABLE_NAME)


def put(table: Table, items: list[Item]) -> None:
    for one in items:
        table.client.put_item(TableName=TABLE_NAME, Item=encode(one))


@pytest.mark.parametrize("family", OLDEST)
def test_an_item_of_the_first_version_is_read(table: Table, family: str) -> None:
    put(table, list(OLDEST.values()))
    assert READ[family](table)


@pytest.mark.parametrize("family", OLDEST)
def test_an_item_of_a_newer_version_is_read_as_far_as_it_is_known(
    table: Table, family: str
) -> None:
    put(table, list(OLDEST.values()))
    known = READ[family](table)
    put(table, [from_a_newer_version(one) for one in OLDEST.values()])
    assert READ[family](table) == known


def test_every_family_of_items_is_promised() -> None:
    model = (ROOT / "docs" / "data-model.md").read_text("utf-8")
    table = model.split("| --- | --- | --- | --- |\n")[1].split("\n\n")[0]
    documented = {row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()}
    assert set(OLDEST) | NEVER_READ == documented
    assert set(READ) == set(OLDEST)


def test_after_a_rollback_a_payments_life_goes_on(world: World) -> None:
    """All that a newer version wrote is there when the older one is back, in the middle of it."""
    world.customer({"email": "anna@example.com", "externalId": "crm-1"})
    made = world.create({"amount": 4900, "currency": "eur", "description": "Consulting",
                         "customerId": "crm-1", "metadata": {"order": "7"}})  # fmt: skip
    table = Table(world.aws.dynamodb, TABLE_NAME)

    def roll_back() -> None:
        put(table, [from_a_newer_version(one) for one in world.aws.items()])
        world.new_container()

    roll_back()
    assert world.stripe.pay(world.checkout_url(made["id"])).status_code == 200
    world.deliver_everything()
    roll_back()
    world.issue_invoices()
    roll_back()
    payment = world.payment(made["id"])
    assert (payment["status"], payment["metadata"]) == ("succeeded", {"order": "7"})
    assert payment["invoiceId"]
    (transaction,) = world.transactions().json["data"]
    assert world.refund(transaction["id"], key="k").data["status"] == "succeeded"
    world.issue_invoices()
    roll_back()
    assert len(world.call_credit_notes("GET /credit-notes").json["data"]) == 1
    assert world.payment(made["id"])["amountRefunded"] == 5831
