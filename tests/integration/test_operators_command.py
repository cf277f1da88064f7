"""The operator's command on a stack: what it makes and prints, and what it never shows."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from paylink import cli
from paylink.operator.stripe_account import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS
from tests.integration.template import REGION, STACK_NAME
from tests.integration.world import World

STRIPE_KEY = "sk_live_topsecret_0123456789"
WEBHOOK_SECRET = "whsec_topsecret_0123456789"


def refused(world: World, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says on standard error when it can't do what it was asked."""
    capsys.readouterr()
    status = cli.main(["--stack", STACK_NAME, *arguments])
    printed = capsys.readouterr()
    assert status != 0
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err.startswith("paylink: ")
    return printed.err


def test_an_organization_is_created_changed_and_shown(world: World) -> None:
    made = world.operator(
        *("organizations", "create", "--name", "Zürich & Söhne 商店", "--country", "CH"),
        *("--tax-id", "CHE-1", "--tax-id", "DE2", "--link-lifetime-days", "7"),
    )
    assert re.fullmatch(r"org_[0-9A-Za-z]{26}", made["id"])
    assert made["name"] == "Zürich & Söhne 商店"
    assert made["tax_ids"] == ["CHE-1", "DE2"]
    changed = world.operator(
        *(
            "organizations",
            "update",
            made["id"],
            "--city",
            "Zürich",
            "--time-zone",
            "Europe/Zurich",
        ),
        *("--accent", "#7A1FA2"),
    )
    assert changed == {
        **made,
        "address": {**made["address"], "city": "Zürich"},
        "time_zone": "Europe/Zurich",
        "accent": "#7a1fa2",
    }
    assert world.operator("organizations", "show", made["id"]) == changed


def test_an_organizations_own_link_lifetime_counts(world: World) -> None:
    world.operator(
        "organizations", "update", world.seller.organization_id, "--link-lifetime-days", "2"
    )
    payment = world.create()
    lives = datetime.fromisoformat(payment["expiresAt"]) - datetime.fromisoformat(
        payment["createdAt"]
    )
    assert lives == timedelta(days=2)


def test_an_id_is_used_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.operator("organizations", "create", "--id", "org_mine", "--name", "First")
    message = refused(world, capsys, "organizations", "create", "--id", "org_mine", "--name", "X")
    assert "org_mine" in message
    assert world.operator("organizations", "show", "org_mine")["name"] == "First"


@pytest.mark.parametrize(
    "arguments",
    [
        ("organizations", "show", "org_none"),
        ("organizations", "update", "org_none", "--name", "X"),
        ("keys", "create", "org_none", "--mode", "live"),
        ("keys", "delete", "nokey"),
        ("stripe", "set", "org_none", "--mode", "live"),
    ],
)
def test_what_is_not_there_is_said(
    world: World, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    message = refused(world, capsys, *arguments)
    assert "there is no" in message


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("organizations",),
        ("organizations", "create"),
        ("organizations", "create", "--name", "X", "--time-zone", "Mars/Olympus"),
        ("organizations", "create", "--name", "X", "--accent", "#ffcc00"),
        ("organizations", "create", "--name", "X", "--link-lifetime-days", "0"),
        ("organizations", "create", "--name", "X", "--link-lifetime-days", "366"),
        ("keys", "create", "org_x", "--mode", "test"),
        ("keys", "create", "org_x"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    world: World, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    before = world.aws.items()
    with pytest.raises(SystemExit) as ended:
        cli.main(["--stack", STACK_NAME, *arguments])
    assert ended.value.code == 2
    assert "usage: paylink" in capsys.readouterr().err
    assert world.aws.items() == before


def test_an_organization_made_with_an_id_of_ones_own_can_be_used(world: World) -> None:
    """Whatever id the command accepts must work with secrets, keys and webhooks."""
    for wanted in ("org_mine", "org_A1"):
        world.operator("organizations", "create", "--id", wanted, "--name", "Mine")
        seller = world.add_mode(wanted, "mine", "sandbox")
        payment = world.create(seller=seller)
        assert payment["status"] == "pending"


def test_an_id_that_would_not_work_is_refused(world: World) -> None:
    """Secrets are kept under the id, and its webhooks' address has it."""
    before = world.aws.items()
    for wanted in ("mine", "org_", "org_a/b", "org_a#b", "org_../x", "org_ü", "cus_1", "org_a\n"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["organizations", "create", "--id", wanted, "--name", "X"])
        assert ended.value.code == 2
    assert world.aws.items() == before


def test_a_key_is_shown_once_and_only_its_hash_is_kept(world: World) -> None:
    made = world.operator(
        *("keys", "create", world.seller.organization_id, "--mode", "live", "--name", "shop")
    )
    assert re.fullmatch(r"ck_live_[0-9A-Za-z]{50}", made["apiKey"])
    assert made["mode"] == "live"
    stored = json.dumps(world.aws.items(), default=str)
    assert made["apiKey"] not in stored
    assert made["apiKey"].removeprefix("ck_live_")[12:44] not in stored
    (item,) = [item for item in world.aws.items("API_KEY#") if item["id"] == made["id"]]
    assert item["name"] == "shop"
    assert item["organization_id"] == world.seller.organization_id


def test_a_keys_end_is_printed_as_everywhere(world: World) -> None:
    made = world.operator(
        *("keys", "create", world.seller.organization_id, "--mode", "live"),
        *("--expires-in-days", "30"),
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["expiresAt"])
    left = datetime.fromisoformat(made["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_a_deleted_key_is_gone(world: World) -> None:
    made = world.operator("keys", "create", world.seller.organization_id, "--mode", "sandbox")
    assert world.post_payment(headers={"x-api-key": made["apiKey"]}).status == 201
    assert world.operator("keys", "delete", made["id"]) == {"id": made["id"], "deleted": True}
    world.new_container()
    assert world.post_payment(headers={"x-api-key": made["apiKey"]}).status == 401


def test_stripes_secrets_are_kept_encrypted_and_nowhere_else(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    organization = world.operator("organizations", "create", "--name", "X")["id"]
    monkeypatch.setenv(STRIPE_SECRET_KEY, STRIPE_KEY)
    monkeypatch.setenv(STRIPE_WEBHOOK_SECRETS, f"{WEBHOOK_SECRET},whsec_next_one")
    capsys.readouterr()
    assert cli.main(["--stack", STACK_NAME, "stripe", "set", organization, "--mode", "live"]) == 0
    printed = capsys.readouterr()
    for secret in (STRIPE_KEY, WEBHOOK_SECRET, "whsec_next_one"):
        assert secret not in printed.out + printed.err
        assert secret not in json.dumps(world.aws.items(), default=str)
    name = f"/{STACK_NAME}/{organization}/live"
    plain = world.aws.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert plain["Type"] == "SecureString"
    document = json.loads(plain["Value"])
    assert document["secret_key"] == STRIPE_KEY
    assert document["webhook_secrets"] == [WEBHOOK_SECRET, "whsec_next_one"]
    assert len(document["signing_key"]) == 64
    assert document["signing_key"] not in printed.out + printed.err


def test_setting_secrets_again_keeps_download_links_alive(world: World) -> None:
    payment = world.paid()
    world.issue_invoices()
    page = world.open_link(payment["id"])
    found = re.search(r"token=([0-9a-f.]+)", page.text)
    assert found is not None
    world.add_mode(world.seller.organization_id, "studio", "sandbox")
    world.new_container()
    assert world.download(world.invoice_of(payment), found[1]).status == 303


NOT_ENOUGH = [
    {},
    {STRIPE_SECRET_KEY: "sk"},
    {STRIPE_WEBHOOK_SECRETS: "w"},
]


@pytest.mark.parametrize("given", NOT_ENOUGH)
def test_without_its_variables_nothing_is_set(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
) -> None:
    organization = world.operator("organizations", "create", "--name", "X")["id"]
    for name in (STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    message = refused(world, capsys, "stripe", "set", organization, "--mode", "live")
    assert STRIPE_SECRET_KEY in message


def test_empty_secrets_between_commas_are_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty secret would let anybody sign webhooks."""
    monkeypatch.setenv(STRIPE_SECRET_KEY, world.seller.stripe_key)
    monkeypatch.setenv(STRIPE_WEBHOOK_SECRETS, f"{world.seller.webhook_secret}, ,")
    world.operator("stripe", "set", world.seller.organization_id, "--mode", "sandbox")
    world.new_container()
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    event = world.provider_event("checkout.session.completed")
    assert world.deliver(event, secret="").status == 400
    assert world.payment(payment["id"])["status"] == "pending"
    assert world.deliver(event).status == 200


def test_a_refusal_of_aws_is_one_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.aws.fail_once("PutItem", "ProvisionedThroughputExceededException")
    message = refused(world, capsys, "organizations", "create", "--name", "X")
    assert message.count("\n") == 1
    assert "AWS" in message


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_REGION": REGION},
        {"AWS_DEFAULT_REGION": REGION},
        {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": "us-west-2"},
        {"AWS_REGION": "", "AWS_DEFAULT_REGION": REGION},
    ],
)
def test_the_region_comes_by_either_variable(
    world: World, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    shown = world.operator("organizations", "show", world.seller.organization_id)
    assert shown["id"] == world.seller.organization_id


def test_the_stack_is_named_by_the_environment_too(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAYLINK_STACK", STACK_NAME)
    capsys.readouterr()
    assert cli.main(["organizations", "show", world.seller.organization_id]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == world.seller.organization_id
    assert os.environ["PAYLINK_STACK"] == STACK_NAME
