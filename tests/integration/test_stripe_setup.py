"""The operator connects a Stripe account: endpoint, secrets and what is said about tax."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import stripe

from paylink.adapters.stripe.webhook import EVENT_TYPES
from paylink.operator import stripe_account
from paylink.operator.stripe_account import STRIPE_SECRET_KEY
from tests.integration.template import STACK_NAME
from tests.integration.test_operators_command import refused
from tests.integration.world import World

KEY = "sk_test_fresh_key"


@pytest.fixture
def organization(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """One without an account, and the key of a fresh one in the environment."""
    monkeypatch.setenv(STRIPE_SECRET_KEY, KEY)
    return str(world.operator("organizations", "create", "--name", "Fresh")["id"])


def connect(world: World, organization: str) -> dict[str, Any]:
    return world.operator("stripe", "connect", organization, "--mode", "sandbox")


def rotate(world: World, organization: str, *how: str) -> dict[str, Any]:
    return world.operator("stripe", "rotate-webhook", organization, "--mode", "sandbox", *how)


@pytest.fixture
def six_minutes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rotation was begun long enough ago to be ended."""
    monkeypatch.setattr(stripe_account, "FINISH_AFTER", timedelta())


def endpoints(world: World, key: str = KEY) -> list[dict[str, Any]]:
    """Of the account, newest first."""
    found: list[dict[str, Any]] = world.stripe.api(key, "GET", "/v1/webhook_endpoints")["data"]
    return found


def kept(world: World, organization: str) -> dict[str, Any]:
    name = f"/{STACK_NAME}/{organization}/sandbox"
    found = world.aws.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    document: dict[str, Any] = json.loads(found["Value"])
    return document


def accepts(world: World, organization: str, secret: str) -> bool:
    """Whether a webhook signed with a secret is taken by a container that starts now."""
    world.new_container()
    event = {"id": "evt_1", "type": "ping", "livemode": False, "data": {"object": {}}}
    answer = world.deliver(event, secret=secret, path=(organization, "sandbox"))
    return answer.status == 200


def test_connecting_makes_the_endpoint_that_the_code_is_written_for(
    world: World, organization: str
) -> None:
    told = connect(world, organization)
    (endpoint,) = endpoints(world)
    assert endpoint["id"] == told["webhookEndpoint"]
    assert endpoint["url"] == told["webhookUrl"]
    assert endpoint["url"].endswith(f"/stripe/webhook/{organization}/sandbox")
    assert endpoint["url"].startswith("https://")
    assert sorted(endpoint["enabled_events"]) == sorted(EVENT_TYPES)
    assert endpoint["api_version"] == stripe.api_version
    secrets = kept(world, organization)
    assert secrets["secret_key"] == KEY
    assert accepts(world, organization, secrets["webhook_secrets"][0])
    for secret in (KEY, secrets["webhook_secrets"][0], secrets["signing_key"]):
        assert secret not in json.dumps(told)
        assert secret not in json.dumps(world.aws.items(), default=str)


def test_the_endpoint_is_at_the_public_address_if_there_is_one(
    world: World, organization: str
) -> None:
    world.template.set_parameter("PublicBaseUrl", "https://pay.studio.example")
    expected = f"https://pay.studio.example/stripe/webhook/{organization}/sandbox"
    assert connect(world, organization)["webhookUrl"] == expected


def test_a_stack_that_moves_to_another_address_takes_its_endpoint_along(
    world: World, organization: str
) -> None:
    connect(world, organization)
    world.template.set_parameter("PublicBaseUrl", "https://pay.studio.example")
    told = connect(world, organization)
    (endpoint,) = endpoints(world)
    assert endpoint["url"] == told["webhookUrl"]
    assert endpoint["url"].startswith("https://pay.studio.example/")
    assert accepts(world, organization, kept(world, organization)["webhook_secrets"][0])


def test_connecting_again_keeps_the_endpoint_and_takes_another_key(
    world: World, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(world, organization)
    (endpoint,) = endpoints(world)
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    world.stripe.api(KEY, "POST", path, **{"enabled_events[]": "charge.refunded"})
    before = kept(world, organization)
    monkeypatch.setenv(STRIPE_SECRET_KEY, "sk_test_fresh_next")
    connect(world, organization)
    (after,) = endpoints(world)
    assert after["id"] == endpoint["id"]
    assert sorted(after["enabled_events"]) == sorted(EVENT_TYPES)
    assert kept(world, organization) == {**before, "secret_key": "sk_test_fresh_next"}


def test_an_endpoint_whose_secret_was_lost_is_replaced(world: World, organization: str) -> None:
    world.aws.fail_once("PutParameter")
    with pytest.raises(AssertionError):
        connect(world, organization)
    (lost,) = endpoints(world)
    told = connect(world, organization)
    (endpoint,) = endpoints(world)
    assert endpoint["id"] == told["webhookEndpoint"] != lost["id"]


@pytest.mark.usefixtures("six_minutes_later")
def test_other_endpoints_of_the_account_are_left_alone(world: World, organization: str) -> None:
    other = {"url": "https://shop.example/hook", "enabled_events[]": "charge.refunded"}
    world.stripe.api(KEY, "POST", "/v1/webhook_endpoints", **other)
    connect(world, organization)
    rotate(world, organization)
    rotate(world, organization, "--finish")
    assert [e["url"] for e in endpoints(world)].count("https://shop.example/hook") == 1
    assert len(endpoints(world)) == 2


@pytest.mark.parametrize(
    ("key", "mode"), [("sk_live_fresh_key", "sandbox"), ("rk_test_fresh_key", "live")]
)
@pytest.mark.parametrize("action", ["connect", "set"])
def test_a_key_of_the_other_mode_is_refused(
    world: World,
    organization: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    mode: str,
    action: str,
) -> None:
    monkeypatch.setenv(STRIPE_SECRET_KEY, key)
    monkeypatch.setenv("PAYLINK_STRIPE_WEBHOOK_SECRETS", "whsec_x")
    message = refused(world, capsys, "stripe", action, organization, "--mode", mode)
    assert f"not one for {mode}" in message
    assert key not in message
    assert kept(world, organization)["secret_key"] == ""
    assert endpoints(world) == []


@pytest.mark.parametrize("key", ["", "pk_test_public", "nonsense"])
def test_what_is_no_secret_key_is_refused(
    world: World,
    organization: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    monkeypatch.setenv(STRIPE_SECRET_KEY, key)
    refused(world, capsys, "stripe", "connect", organization, "--mode", "sandbox")
    assert kept(world, organization)["secret_key"] == ""


def test_it_is_said_whether_stripe_tax_is_active(world: World, organization: str) -> None:
    assert "Stripe Tax is active" in connect(world, organization)["tax"]
    world.stripe.control("POST", "accounts/acct_fresh", {"tax_settings": {"status": "pending"}})
    told = connect(world, organization)["tax"]
    assert "NOT active" in told
    assert "head_office" in told
    world.operator("organizations", "update", organization, "--tax-mode", "none")
    assert "not asked" in connect(world, organization)["tax"]


@pytest.mark.usefixtures("six_minutes_later")
def test_while_a_secret_is_rotated_both_are_valid(world: World, organization: str) -> None:
    connect(world, organization)
    (old,) = kept(world, organization)["webhook_secrets"]
    assert rotate(world, organization)["validSecrets"] == 2
    new = kept(world, organization)["webhook_secrets"][0]
    assert new != old
    assert len(endpoints(world)) == 2
    assert accepts(world, organization, old)
    assert accepts(world, organization, new)
    told = rotate(world, organization, "--finish")
    assert [e["id"] for e in endpoints(world)] == [told["webhookEndpoint"]]
    assert not accepts(world, organization, old)
    assert accepts(world, organization, new)


def test_connecting_in_a_rotation_ends_nothing(world: World, organization: str) -> None:
    connect(world, organization)
    rotate(world, organization)
    before = kept(world, organization)
    connect(world, organization)
    assert kept(world, organization) == before
    assert len(endpoints(world)) == 2


def test_a_rotation_is_begun_and_ended_once(
    world: World, organization: str, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ("stripe", "rotate-webhook", organization, "--mode", "sandbox")
    assert "connected" in refused(world, capsys, *again)
    connect(world, organization)
    assert "no rotation" in refused(world, capsys, *again, "--finish")
    rotate(world, organization)
    assert "under way" in refused(world, capsys, *again)
    assert len(endpoints(world)) == 2


def test_a_rotation_is_not_ended_before_all_functions_know_the_new_secret(
    world: World, organization: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(world, organization)
    rotate(world, organization)
    before = kept(world, organization)
    finish = ("stripe", "rotate-webhook", organization, "--mode", "sandbox", "--finish")
    message = refused(world, capsys, *finish)
    left = re.search(r"finish in (\d+) seconds", message)
    assert left is not None
    assert 300 < int(left[1]) <= 360
    assert kept(world, organization) == before
    assert len(endpoints(world)) == 2


def test_payments_of_a_connected_account_settle(world: World) -> None:
    """The endpoint's secret is the one that Stripe signs with."""
    seller = world.seller
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STRIPE_SECRET_KEY, seller.stripe_key)
        connect(world, seller.organization_id)
    world.new_container()
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    secret = kept(world, seller.organization_id)["webhook_secrets"][0]
    event = world.provider_event("checkout.session.completed")
    assert world.deliver(event, secret=secret).status == 200
    assert world.payment(payment["id"])["status"] == "succeeded"
