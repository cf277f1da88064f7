"""What CloudWatch makes of the functions' logs: one value for each thing that happened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paylink.metrics import METRICS
from tests.integration.stripe_driver import DECLINED
from tests.integration.template import STACK_NAME
from tests.integration.world import World, sample_event

Values = list[tuple[str, float, dict[str, str]]]
SANDBOX = {"mode": "sandbox"}


def emitted(capsys: pytest.CaptureFixture[str]) -> Values:
    """Name, value and dimensions of all metrics since the last look, as CloudWatch reads them."""
    found: Values = []
    for line in capsys.readouterr().out.splitlines():
        entry: dict[str, Any] = json.loads(line)
        for definition in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            assert definition["Namespace"] == STACK_NAME
            (names,) = definition["Dimensions"]
            for metric in definition["Metrics"]:
                known = METRICS[metric["Name"]]
                assert (metric["Unit"], tuple(names)) == (known.unit, known.dimensions)
                dimensions = {name: entry[name] for name in names}
                found += [(metric["Name"], v, dimensions) for v in entry[metric["Name"]]]
    return found


def business(values: Values) -> Values:
    return [value for value in values if value[0] != "ProviderLatency"]


def test_a_purchase_is_counted_once_whatever_is_repeated(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    payment = world.create(key="once")
    world.create(key="once")
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, DECLINED)
    world.deliver_everything()
    world.stripe.pay(url)
    world.deliver_everything()
    world.deliver(world.provider_event("checkout.session.completed"))
    world.issue_invoices()
    world.dispatch()
    values = business(emitted(capsys))
    lags = [value for value in values if value[0].endswith("Lag")]
    assert {name for name, _, _ in lags} == {"WebhookLag", "InvoiceLag"}
    assert all(0 <= seconds < 60 for _, seconds, _ in lags)
    total = world.payment(payment["id"])["amountTotal"]
    assert sorted(value for value in values if value not in lags) == [
        ("AmountPaid", float(total), {"mode": "sandbox", "currency": "eur"}),
        ("LinksMade", 1.0, SANDBOX),
        ("PaymentsFailed", 1.0, SANDBOX),
        ("PaymentsSucceeded", 1.0, SANDBOX),
    ]


def test_each_call_to_the_provider_is_timed_and_its_trouble_counted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.create()
    healthy = emitted(capsys)
    assert [(name, dimensions) for name, _, dimensions in healthy] == [("ProviderLatency", SANDBOX)]
    assert healthy[0][1] > 0
    # What was asked for is wrong: nobody is in trouble.
    assert world.post_payment({"currency": "krw", "amount": 100}).status == 400
    assert business(emitted(capsys)) == []
    world.stripe.fault("error", path="/v1/checkout/sessions", status=500, stored="answer")
    assert world.post_payment().status == 502
    troubled = emitted(capsys)
    errors = [value for value in troubled if value[0] == "ProviderErrors"]
    # The SDK tries twice.
    assert errors == [("ProviderErrors", 1.0, SANDBOX)] * (len(troubled) // 2)
    assert errors


def test_forged_webhooks_are_counted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    event = world.provider_event("checkout.session.completed")
    emitted(capsys)
    assert world.deliver(event, secret="whsec_wrong").status == 400
    assert emitted(capsys) == [("SignatureFailures", 1.0, SANDBOX)]
    assert world.deliver(event).status == 200
    assert "SignatureFailures" not in {name for name, _, _ in emitted(capsys)}


def test_the_sweep_tells_its_backlog(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.invoke("expire_links", sample_event("expire_links"))
    assert emitted(capsys) == [("SweepBacklog", 0.0, {})]


def test_the_operator_at_work_is_no_traffic(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    payment = world.create()
    world.operator("payments", "reconcile", payment["id"])
    assert "_aws" not in capsys.readouterr().out
