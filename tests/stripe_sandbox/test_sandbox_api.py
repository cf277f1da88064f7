"""The API's rules: keys, parameters, idempotency, errors, shapes."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.stripe_sandbox.harness import Server, session_params, wait_for

Make = Callable[..., stripe.checkout.Session]
ROOT = Path(__file__).resolve().parents[2]


def fails(
    call: Callable[[], Any], kind: type[stripe.StripeError] = stripe.InvalidRequestError
) -> stripe.StripeError:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def code_of(error: stripe.StripeError) -> str:
    """The SDK's APIError has no `code` of its own."""
    body: dict[str, Any] = error.json_body  # type: ignore[assignment]
    return str(body["error"]["code"])


# -- keys


@pytest.mark.parametrize("key", ["sk_test_", "nonsense", "pk_test_acme_1", "sk_test_ac me_1"])
def test_a_malformed_key_is_401(sandbox: Server, key: str) -> None:
    error = fails(sandbox.client(key).v1.customers.list, stripe.AuthenticationError)
    assert error.http_status == 401
    assert sandbox.http.get("/v1/customers").status_code == 401


def test_accounts_and_modes_dont_see_each_other(sandbox: Server) -> None:
    customer = sandbox.client("sk_test_acme_1").v1.customers.create({"email": "a@b.example"})
    assert sandbox.client("sk_test_acme_2").v1.customers.retrieve(customer.id).id == customer.id
    for key in ("sk_test_other_1", "sk_live_acme_1"):
        stranger = sandbox.client(key)
        error = fails(functools.partial(stranger.v1.customers.retrieve, customer.id))
        assert (error.http_status, error.code) == (404, "resource_missing")
    assert "similar object exists in test mode" in str(error)
    assert sandbox.client("sk_test_x").v1.customers.retrieve(customer.id).id == customer.id
    fails(lambda: sandbox.client("sk_live_x").v1.customers.retrieve(customer.id))
    inspector = sandbox.client("sk_test_x")
    fails(lambda: inspector.v1.customers.update(customer.id, {"name": "changed"}))
    account = sandbox.client("sk_test_acme_1").v1.accounts.retrieve_current()
    assert account.business_profile
    assert (account.id, account.business_profile.name) == ("acct_acme", "Sandbox seller")


def test_live_ids_and_flags(sandbox: Server) -> None:
    client = sandbox.client("sk_live_acme_1")
    session = client.v1.checkout.sessions.create(session_params())
    assert session.livemode is True
    assert session.id.startswith("cs_live_")


# -- parameters


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"line_items": [{"price_data": {"currency": "eur", "colour": "red"}}]},
         "parameter_unknown", "line_items[0][price_data][colour]"),
        ({"line_items": [{"price_data": {"product_data": {"name": "x"}}, "quantity": 1}]},
         "parameter_missing", "line_items[0][price_data][currency]"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"mode": "paiement"}, None, "mode"),
        ({"mode": None}, "parameter_missing", "mode"),
        ({"customer_creation": "sometimes"}, None, "customer_creation"),
        ({"expires_at": "tomorrow"}, "parameter_invalid_integer", "expires_at"),
        ({"automatic_tax": {"enabled": "maybe"}}, None, "automatic_tax[enabled]"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"success_url": "javascript:alert(1)"}, "url_invalid", "success_url"),
        ({"customer_update": {"address": "auto"}}, None, "customer_update"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {"a[b]": "v"}}, None, "metadata"),
        ({"client_reference_id": ""}, "parameter_invalid_empty", "client_reference_id"),
        ({"price": {"product_data": {"name": "n" * 251}}}, None,
         "line_items[0][price_data][product_data][name]"),
        ({"price": {"currency": "xyz"}}, None, "line_items[0][price_data][currency]"),
        ({"price": {"currency": "usd", "unit_amount": 49}}, "amount_too_small",
         "line_items[0][price_data][unit_amount]"),
        ({"price": {"currency": "usd", "unit_amount": 100_000_000}}, "amount_too_large",
         "line_items[0][price_data][unit_amount]"),
        ({"price": {"currency": "kwd", "unit_amount": 18605}}, "invalid_charge_amount",
         "line_items[0][price_data][unit_amount]"),
        ({"price": {"currency": "isk", "unit_amount": 150050}}, "invalid_charge_amount",
         "line_items[0][price_data][unit_amount]"),
        ({"price": {"currency": "usd", "unit_amount": "1e3"}}, "parameter_invalid_integer",
         "line_items[0][price_data][unit_amount]"),
        ({"price": {"tax_behavior": "unspecified"}, "automatic_tax": {"enabled": True}},
         "parameter_missing", "line_items[0][price_data][tax_behavior]"),
        ({"discounts": [{"coupon": "x"}]}, None, "discounts"),
        ({"expand": ["colour"]}, None, "expand"),
    ],
)  # fmt: skip
def test_what_stripe_rejects_is_rejected(
    sandbox: Server, new_session: Make, changes: dict[str, Any], code: str | None, param: str | None
) -> None:
    params: Any = {k: v for k, v in session_params(**changes).items() if v is not None}
    error = fails(lambda: sandbox.client().v1.checkout.sessions.create(params))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code, error.param) == (400, code, param)
    assert not sandbox.client().v1.checkout.sessions.list().data, "nothing is left behind"


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("usd", 50), ("usd", 99_999_999), ("jpy", 500), ("kwd", 18600), ("ugx", 500_000)],
)
def test_amounts_at_the_edge_are_taken(new_session: Make, currency: str, amount: int) -> None:
    session = new_session(price={"currency": currency, "unit_amount": amount})
    assert session.amount_total == amount


def test_exact_limits_are_taken(new_session: Make) -> None:
    session = new_session(
        metadata={f"{n:040}": "v" * 500 for n in range(50)},
        price={"product_data": {"name": "n" * 250}},
    )
    assert session.metadata
    assert len(session.metadata.to_dict()) == 50


@pytest.mark.parametrize(("seconds", "fine"), [(1700, False), (1860, True), (86300, True),
                                               (86500, False)])  # fmt: skip
def test_expires_at_is_30_minutes_to_24_hours_ahead(
    new_session: Make, seconds: int, fine: bool
) -> None:
    when = int(time.time()) + seconds
    if fine:
        assert new_session(expires_at=when).expires_at == when
    else:
        error = fails(lambda: new_session(expires_at=when))
        assert error.param == "expires_at"  # type: ignore[attr-defined]


def test_customer_rules(client: stripe.StripeClient, new_session: Make) -> None:
    customer = client.v1.customers.create({"email": "a@b.example"})
    tax = {"enabled": True}
    fails(lambda: new_session(customer=customer.id, customer_creation="always"))
    fails(lambda: new_session(customer=customer.id, customer_email="c@d.example"))
    error = fails(lambda: new_session(customer=customer.id, automatic_tax=tax))
    assert error.code == "customer_tax_location_invalid"
    auto = {"address": "auto"}
    new_session(customer=customer.id, automatic_tax=tax, customer_update=auto)
    fails(
        lambda: new_session(
            customer=customer.id, tax_id_collection={"enabled": True}, customer_update=auto
        )
    )
    client.v1.customers.update(customer.id, {"address": {"country": "FR"}})
    session = new_session(customer=customer.id, automatic_tax=tax)
    assert (session.automatic_tax.status, session.amount_total) == ("complete", 12000)
    client.v1.customers.delete(customer.id)
    gone = client.v1.customers.retrieve(customer.id)
    assert gone.deleted is True
    error = fails(lambda: new_session(customer=customer.id))
    assert error.code == "resource_missing"


def test_allowed_payment_method_types_filter(new_session: Make) -> None:
    assert new_session().payment_method_types == ["card", "sepa_debit"]
    assert new_session(allowed_payment_method_types=["card"]).payment_method_types == ["card"]
    fails(lambda: new_session(allowed_payment_method_types=["us_bank_account"]))


def test_only_open_sessions_expire(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session()
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    error = fails(lambda: client.v1.checkout.sessions.expire(session.id))
    assert "`expired`" in str(error)


def test_metadata_is_merged_and_unset(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}, "name": "Ada"})
    customer = client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert customer.metadata
    assert customer.metadata.to_dict() == {"b": "2", "c": "3"}
    customer = client.v1.customers.update(customer.id, {"metadata": "", "name": ""})
    assert customer.metadata is not None
    assert customer.metadata.to_dict() == {}
    assert customer.name is None


def test_lists_page_in_both_directions(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"name": str(n)}).id for n in range(5)]
    first = client.v1.customers.list({"limit": 2})
    assert [c.id for c in first.data] == made[:2:-1]
    assert first.has_more
    rest = client.v1.customers.list({"limit": 10, "starting_after": first.data[-1].id})
    assert [c.id for c in rest.data] == made[2::-1]
    assert not rest.has_more
    assert [c.id for c in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    back = client.v1.customers.list({"limit": 1, "ending_before": made[0]})
    assert [c.id for c in back.data] == [made[1]]
    fails(lambda: client.v1.customers.list({"limit": 101}))


def test_unknown_url_and_content_type(sandbox: Server) -> None:
    auth = {"Authorization": "Bearer sk_test_acme_1"}
    answer = sandbox.http.get("/v1/subscriptions", headers=auth)
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]
    answer = sandbox.http.post("/v1/customers", headers=auth, json={"name": "x"})
    assert answer.status_code == 400
    answer = sandbox.http.get("/v1/customers", headers={**auth, "Stripe-Version": "newest"})
    assert answer.status_code == 400
    answer = sandbox.http.get("/v1/customers", headers=auth)
    assert answer.headers["Stripe-Version"] == stripe.api_version
    assert answer.headers["Request-Id"].startswith("req_")


# -- idempotency


def keyed(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


def test_the_same_key_gives_the_first_answer(client: stripe.StripeClient) -> None:
    first = client.v1.customers.create({"name": "a"}, keyed("k1"))
    again = client.v1.customers.create({"name": "a"}, keyed("k1"))
    assert first.id == again.id
    assert again.last_response
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    error = fails(
        lambda: client.v1.customers.create({"name": "b"}, keyed("k1")), stripe.IdempotencyError
    )
    assert error.http_status == 400
    assert len(client.v1.customers.list().data) == 1


def test_keys_belong_to_account_and_mode(sandbox: Server) -> None:
    ids = {
        sandbox.client(key).v1.customers.create({"name": "a"}, keyed("k")).id
        for key in ("sk_test_acme_1", "sk_test_other_1", "sk_live_acme_1")
    }
    assert len(ids) == 3


def test_a_refused_parameter_leaves_the_key_free(client: stripe.StripeClient) -> None:
    unknown: Any = {"colour": "red"}
    fails(lambda: client.v1.customers.create(unknown, keyed("k")))
    assert client.v1.customers.create({"name": "a"}, keyed("k")).name == "a"


def test_a_stored_500_is_given_again(client: stripe.StripeClient, sandbox: Server) -> None:
    sandbox.control("POST faults", {"kind": "error", "path": "/v1/customers"})
    for _ in range(2):
        error = fails(lambda: client.v1.customers.create({"name": "a"}, keyed("k")),
                      stripe.APIError)  # fmt: skip
        assert error.http_status == 500
    assert not client.v1.customers.list().data
    assert client.v1.customers.create({"name": "a"}, keyed("k2"))


@pytest.mark.parametrize("stored", ["answer", "result", "nothing"])
def test_done_then_answered_500(client: stripe.StripeClient, sandbox: Server, stored: str) -> None:
    sandbox.control(
        "POST faults", {"kind": "error_after", "path": "/v1/customers", "stored": stored}
    )
    fails(lambda: client.v1.customers.create({"name": "a"}, keyed("k")), stripe.APIError)
    (made,) = client.v1.customers.list().data
    if stored == "answer":
        fails(lambda: client.v1.customers.create({"name": "a"}, keyed("k")), stripe.APIError)
    elif stored == "result":
        assert client.v1.customers.create({"name": "a"}, keyed("k")).id == made.id
    else:
        assert client.v1.customers.create({"name": "a"}, keyed("k")).id != made.id


def test_a_key_in_use_is_409(client: stripe.StripeClient, sandbox: Server) -> None:
    sandbox.control("POST faults", {"kind": "slow", "seconds": 0.6, "method": "POST"})
    slow = threading.Thread(target=client.v1.customers.create, args=({"name": "a"}, keyed("k")))
    slow.start()
    wait_for(lambda: sandbox.control("GET requests", method="post")["requests"])
    error = fails(lambda: client.v1.customers.create({"name": "a"}, keyed("k")), stripe.APIError)
    assert (error.http_status, code_of(error)) == (409, "idempotency_key_in_use")
    fails(lambda: client.v1.customers.create({"name": "b"}, keyed("k")), stripe.IdempotencyError)
    slow.join()
    assert len(client.v1.customers.list().data) == 1


def test_twenty_at_once_make_one(client: stripe.StripeClient, sandbox: Server) -> None:
    def create(_: int) -> str:
        try:
            return client.v1.customers.create({"name": "a"}, keyed("k")).id
        except stripe.APIError as error:
            return code_of(error)

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(create, range(20))) - {"idempotency_key_in_use"}
    assert len(ids) == 1
    assert len(client.v1.customers.list().data) == 1


# -- faults


def test_rate_limit_then_fine(client: stripe.StripeClient, sandbox: Server) -> None:
    sandbox.control("POST faults", {"kind": "rate_limit", "count": 2, "method": "GET"})
    for _ in range(2):
        fails(client.v1.customers.list, stripe.RateLimitError)
    client.v1.customers.list()


@pytest.mark.parametrize(("kind", "made"), [("drop", 0), ("hang", 0), ("hang_after", 1)])
def test_broken_connections(sandbox: Server, kind: str, made: int) -> None:
    sandbox.control(
        "POST faults", {"kind": kind, "path": "/v1/customers$", "seconds": 0.2, "method": "POST"}
    )
    client = sandbox.client()
    fails(lambda: client.v1.customers.create({"name": "a"}, keyed("k")), stripe.APIConnectionError)
    assert len(client.v1.customers.list().data) == made
    client.v1.customers.create({"name": "a"}, keyed("k"))
    assert len(client.v1.customers.list().data) == 1


def test_a_client_that_gives_up_on_a_hang(sandbox: Server) -> None:
    sandbox.control("POST faults", {"kind": "hang", "seconds": 30})
    impatient = sandbox.client(http_client=stripe.RequestsClient(timeout=0.3))
    started = time.monotonic()
    fails(lambda: impatient.v1.customers.create({"name": "a"}), stripe.APIConnectionError)
    assert time.monotonic() - started < 5
    assert not sandbox.client().v1.customers.list().data


def test_the_sdk_retries_a_500_that_isnt_stored(sandbox: Server) -> None:
    sandbox.control("POST faults", {"kind": "error", "status": 503, "stored": "nothing"})
    client = sandbox.client(max_network_retries=2)
    assert client.v1.customers.create({"name": "a"}).name == "a"
    calls = sandbox.control("GET requests", path="/v1/customers")["requests"]
    assert [call["status"] for call in calls] == [503, 200]
    assert calls[0]["idempotency_key"] == calls[1]["idempotency_key"]


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("faults", {"kind": "fire"}),
        ("faults", {"kind": "error", "status": 200}),
        ("faults", {"kind": "error", "colour": "red"}),
        ("webhooks/explode", {}),
        ("accounts/acct_acme", {"colour": "red"}),
        ("webhooks/resend", {}),
    ],
)
def test_the_control_api_refuses_nonsense(sandbox: Server, call: str, body: dict[str, Any]) -> None:
    answer = sandbox.http.post(f"/_control/{call}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_requests_are_kept_and_filtered(client: stripe.StripeClient, sandbox: Server) -> None:
    client.v1.customers.create({"name": "a", "metadata": {"x": "y"}}, keyed("k"))
    fails(lambda: client.v1.customers.retrieve("cus_none"))
    client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    (created,) = sandbox.control("GET requests", path="/v1/customers", method="post")["requests"]
    assert created["params"] == {"name": "a", "metadata[x]": "y"}
    assert (created["status"], created["idempotency_key"]) == (200, "k")
    assert created["headers"]["authorization"] == "***"
    assert created["response"]["object"] == "customer"
    everything = sandbox.control("GET requests")["requests"]
    assert [entry["status"] for entry in everything] == [200, 404, 200]
    assert "whsec_" not in json.dumps(everything)
    assert not sandbox.control("GET requests", since=time.time() + 5)["requests"]


# -- shapes


RESOURCES = {
    "checkout.session": "stripe.checkout.Session",
    "payment_intent": "stripe.PaymentIntent",
    "charge": "stripe.Charge",
    "customer": "stripe.Customer",
    "refund": "stripe.Refund",
    "event": "stripe.Event",
    "webhook_endpoint": "stripe.WebhookEndpoint",
    "balance_transaction": "stripe.BalanceTransaction",
    "tax.calculation": "stripe.tax.Calculation",
    "dispute": "stripe.Dispute",
    "tax_id": "stripe.TaxId",
}
# Members that Stripe sends only when asked, or in cases that don't occur here.
LEFT_OUT = {
    "checkout.session": {"line_items"},
    "charge": {"level3", "refunds", "transfer"},
    "customer": {"deleted", "sources", "subscriptions", "tax", "tax_ids"},
    "event": {"account", "context"},
    "webhook_endpoint": {"deleted", "secret"},
    "tax.calculation": {"line_items"},
    "tax_id": {"deleted"},
}


def test_objects_have_the_members_that_the_sdk_declares(
    client: stripe.StripeClient, sandbox: Server, new_session: Make
) -> None:
    session = new_session(customer_creation="always")
    sandbox.pay(session.id)
    sandbox.control("POST clock", {"advance": 5})
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    client.v1.refunds.create({"payment_intent": str(intent), "amount": 100})
    sandbox.control("POST disputes", {"payment_intent": str(intent)})
    client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    client.v1.tax.calculations.create(
        {"currency": "eur", "line_items": [{"amount": 1000}],
         "customer_details": {"address": {"country": "DE"}, "address_source": "billing"}}
    )  # fmt: skip
    customer = client.v1.customers.list().data[0]
    client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE123456789"})
    samples = sandbox.control("GET samples", account="acct_acme")
    for kind, name in RESOURCES.items():
        module, _, class_name = name.rpartition(".")
        declared = get_type_hints_of(getattr(importlib.import_module(module), class_name))
        missing = declared - samples[kind].keys() - LEFT_OUT.get(kind, set())
        assert not missing, f"{kind} lacks {sorted(missing)}"


def get_type_hints_of(resource: Any) -> set[str]:
    names = {name for name in resource.__annotations__ if not name.startswith("_")}
    return names - {"OBJECT_NAME", "last_response"}


# -- restart


def test_state_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.db"
    server = Server(path)
    made = server.client().v1.customers.create({"name": "a"}, keyed("k"))
    session = server.client().v1.checkout.sessions.create(session_params())
    server.stop()
    server = Server(path)
    try:
        client = server.client()
        assert client.v1.customers.retrieve(made.id).name == "a"
        assert client.v1.customers.create({"name": "a"}, keyed("k")).id == made.id
        assert server.http.get(f"/c/pay/{session.id}").status_code == 200
        assert server.control("GET requests", path="/v1/customers")["requests"]
    finally:
        server.stop()


def test_started_from_the_command_line(tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "local.stripe_sandbox", "--port", str(port),
               "--state-file", str(tmp_path / "state.db")]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:

        def healthy() -> bool:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/_control/health", trust_env=False)
            except httpx.TransportError:
                return False
            return bool(answer.json()["ok"])

        wait_for(healthy, seconds=20)
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20,
                                check=False)  # fmt: skip
        assert second.returncode == 1
        assert second.stderr.startswith(f"Can't listen on 127.0.0.1:{port}")
    finally:
        process.terminate()
        process.communicate(timeout=10)
