"""The request of a new link, field by field, at its limits and one step past them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.errors import ValidationError
from paylink.domain.organization import Mode
from paylink.http.envelope import failure, json_response, timestamp
from paylink.http.schemas.payments import new_link, present_payment
from paylink.services.create_payment import NewLink
from tests.unit.world import a_payment

REQUIRED = {"amount": 1000, "currency": "usd", "description": "Design work"}


def link(mode: Mode = "sandbox", **changes: Any) -> NewLink:
    return new_link(REQUIRED | changes, mode)


def refused(mode: Mode = "sandbox", **changes: Any) -> ValidationError:
    with pytest.raises(ValidationError) as error:
        link(mode, **changes)
    assert (error.value.status, error.value.code) == (400, "validation_error")
    answer = json_response(400, failure(error.value, "https://pay.example.com"))
    answer.body.encode()
    assert json.loads(answer.body)["error"]["param"] == error.value.param
    return error.value


def fields_of(error: ValidationError) -> list[str]:
    assert isinstance(error.details, list)
    return [problem["field"] for problem in error.details]


def test_the_least_that_makes_a_link() -> None:
    made = link()
    assert made == NewLink(amount=1000, currency="usd", description="Design work")


@pytest.mark.parametrize(
    "amount",
    [
        *(True, False, "1000", "", None, [1000], {"value": 1000}),
        *(10.5, 1000.0, 1e3, float("inf")),
        *(-1, 0, 49, 100_000_000, 9_007_199_254_740_993, 10**39, -(10**39)),
    ],
)
def test_an_amount_is_a_chargeable_json_integer_and_nothing_else(amount: object) -> None:
    error = refused(amount=amount)
    assert error.param == "amount"
    assert fields_of(error) == ["amount"]


@pytest.mark.parametrize("amount", [50, 99_999_999])
def test_the_exact_limits_of_an_amount_are_accepted(amount: int) -> None:
    assert link(amount=amount).amount == amount


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_a_missing_field_is_named(missing: str) -> None:
    body = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(ValidationError) as error:
        new_link(body, "sandbox")
    assert error.value.param == missing


def test_everything_that_is_wrong_is_listed() -> None:
    error = refused(amount="1", description="", successURL="https://a.example", metadata={"w": 1.5})
    assert sorted(fields_of(error)) == ["amount", "description", "metadata.w", "successURL"]


def test_currency_is_answered_in_lower_case() -> None:
    assert link(currency="USD").currency == "usd"


@pytest.mark.parametrize("currency", ["", "us", "usdd", "xxx", None, 840, ["usd"], "ＵＳＤ"])
def test_another_currency_is_refused_by_name(currency: object) -> None:
    assert refused(currency=currency).param == "currency"


@pytest.mark.parametrize(
    "description", ["", " ", "\t\n", "\u2003", "x" * 501, None, 5, ["x"], "\ud800", "a\udfffb"]
)
def test_a_description_is_1_to_500_characters_of_text(description: object) -> None:
    assert refused(description=description).param == "description"


@pytest.mark.parametrize(
    "description", ["x", "x" * 500, "😀" * 500, "請求書 فاتورة Ωμέγα 😀 €", "<b>x</b>"]
)
def test_any_text_within_the_limits_stays_as_it_is(description: str) -> None:
    assert link(description=description).description == description


@pytest.mark.parametrize("customer", ["", "x" * 256, 5, ["cus_1"], {"id": "x"}, "\ud800"])
def test_a_customer_id_is_text_that_says_something(customer: object) -> None:
    assert refused(customerId=customer).param == "customerId"


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({f"k{n}": "v" for n in range(51)}, "metadata"),
        ({"k" * 41: "v"}, "metadata." + "k" * 41),
        ({"": "v"}, "metadata."),
        ({"note": "v" * 501}, "metadata.note"),
        ({"note": {"deep": "v"}}, "metadata.note"),
        ({"note": ["v"]}, "metadata.note"),
        ({"w": 1.5}, "metadata.w"),
        ({"n": 1}, "metadata.n"),
        ({"b": True}, "metadata.b"),
        ({"null": None}, "metadata.null"),
        ({"note": "\ud800"}, "metadata.note"),
        (["a"], "metadata"),
        ("a", "metadata"),
    ],
)
def test_metadata_past_its_limits_is_named_as_sent(metadata: object, param: str) -> None:
    assert refused(metadata=metadata).param == param


def test_a_key_that_is_no_text_is_refused_too() -> None:
    assert str(refused(metadata={"\ud800": "v"}).param).startswith("metadata")


def test_metadata_at_its_exact_limits_is_accepted() -> None:
    metadata = {f"{n:02}" + "k" * 38: "v" * 500 for n in range(50)}
    assert link(metadata=metadata).metadata == metadata
    assert link(metadata={}).metadata == {}
    assert link(metadata={"note": ""}).metadata == {"note": ""}


@pytest.mark.parametrize(
    "name", ["Amount", "success_url", "customer_id", "taxAmount", "", "\ud800"]
)
def test_an_unknown_field_is_refused_by_its_name(name: str) -> None:
    assert len(fields_of(refused("sandbox", **{name: 1}))) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://shop.example:8443/a?b=c&d=%20#fragment",
        "https://shop.example/done?s={CHECKOUT_SESSION_ID}",
        "HTTPS://SHOP.EXAMPLE/",
        "https://xn--bcher-kva.example/ok",
        "https://shop.example/@handle",
        "https://shop.example/?next=a@b",
        "https://[2001:db8::1]/",
        "https://shop.example/" + "x" * (2048 - len("https://shop.example/")),
    ],
)
@pytest.mark.parametrize("mode", ["live", "sandbox"])
def test_an_absolute_https_url_survives_byte_for_byte(url: str, mode: Mode) -> None:
    assert link(mode, successUrl=url).success_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/relative",
        "shop.example",
        "https://shop.example@evil.example/",
        "https://user:pass@evil.example/",
        "https://@evil.example/",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https://",
        "https://?x",
        "https://:443/",
        "https://shop.example:port/",
        "https://shop.example:99999/",
        "https://shop.example\\@evil.example/",
        "https://shop.example/\\evil",
        "https://shop.example/a b",
        " https://shop.example/",
        "https://shop.example/\n",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/\u2028",
        "https://shop.example/\u00a0",
        "https://shop.example/\u202e",
        "https://shop.example/\x00",
        "java\tscript:alert(1)",
        "https://[::1",
        "https://evil.example\uff0fa.shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "http://shop.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://shop.example/\ud800",
        "https://shop.example/" + "x" * 2048,
        5,
        ["https://shop.example"],
    ],
)
@pytest.mark.parametrize("mode", ["live", "sandbox"])
def test_any_other_url_is_refused(url: object, mode: Mode) -> None:
    assert refused(mode, successUrl=url).param == "successUrl"


@pytest.mark.parametrize("url", ["http://localhost:3000/ok", "http://127.0.0.1/", "http://[::1]/"])
def test_plain_http_is_for_the_own_machine_in_the_sandbox_only(url: str) -> None:
    assert link("sandbox", successUrl=url).success_url == url
    assert refused("live", successUrl=url).param == "successUrl"


@pytest.mark.parametrize(
    "text",
    ["2026-12-01T00:00:00Z", "2026-12-01T01:30:00+01:30", "2026-11-30T19:00:00-0500"],
)
def test_an_end_may_be_given_in_any_zone(text: str) -> None:
    assert link(expiresAt=text).expires_at == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-12-01",
        "2026-12-01T00:00:00",
        "tomorrow",
        "1796083200",
        1796083200,
        "2026-13-01T00:00:00Z",
        "2026-12-01T25:00:00Z",
        "2026-12-01T00:00:00+25:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "２０２６-12-01T00:00:00Z",
        "2026-12-01T00:00:00Z\n",
        "2026-12-01T00:00:00 Europe/Berlin",
        "x" * 41,
        "\ud800",
    ],
)
def test_an_end_that_is_no_moment_is_refused(text: object) -> None:
    assert refused(expiresAt=text).param == "expiresAt"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["amount", "currency", "description", "customerId", "successUrl", "metadata", "expiresAt"]
)


@given(body=st.dictionaries(NAMES | st.text(), JSON, max_size=9))
def test_any_json_object_is_a_link_or_a_validation_error(body: dict[str, Any]) -> None:
    try:
        new_link(REQUIRED | body, "sandbox")
    except ValidationError as error:
        json_response(400, failure(error, "")).body.encode()


@given(url=st.text(min_size=1, max_size=60), text=st.text(max_size=40))
def test_any_text_is_judged_without_an_accident(url: str, text: str) -> None:
    for changes in ({"successUrl": f"https://{url}"}, {"successUrl": url}, {"expiresAt": text}):
        try:
            link("sandbox", **changes)
        except ValidationError as error:
            assert error.param == next(iter(changes))  # noqa: PT017 - either is right


def test_a_payment_is_shown_as_the_contract_has_it() -> None:
    shown = present_payment(a_payment(metadata={"order": "7"}, tax_amount=200, tax_status="final"))
    assert shown == {
        "object": "payment",
        "id": "pay_1",
        "livemode": False,
        "kind": "link",
        "status": "pending",
        "provider": "stripe",
        "customerId": None,
        "amountSubtotal": 1000,
        "taxAmount": 200,
        "amountTotal": 1200,
        "taxStatus": "final",
        "amountRefunded": 0,
        "amountLost": 0,
        "disputeStatus": None,
        "currency": "eur",
        "description": "Design work",
        "metadata": {"order": "7"},
        "url": "https://pay.example.com/pay/pay_1",
        "expiresAt": "2026-12-25T12:00:00.000Z",
        "cancellationReason": None,
        "invoiceId": None,
        "failureCode": None,
        "failureMessage": None,
        "paidAt": None,
        "createdAt": "2026-11-25T12:00:00.000Z",
        "updatedAt": "2026-11-25T12:00:00.000Z",
    }


@pytest.mark.parametrize("name", ["customerId", "successUrl", "metadata", "expiresAt"])
def test_null_is_as_good_as_absent_where_a_field_may_be(name: str) -> None:
    assert link("sandbox", **{name: None}) == link()


def test_livemode_is_the_keys_mode() -> None:
    assert present_payment(replace(a_payment(), mode="live"))["livemode"] is True


def test_times_are_utc_with_milliseconds() -> None:
    moment = datetime.fromisoformat("2026-11-25T13:00:00.123999+01:00")
    assert timestamp(moment) == "2026-11-25T12:00:00.123Z"
    assert timestamp(None) is None


@pytest.mark.parametrize(
    "description",
    [
        "\0",
        "a\0b",
        "\u200b",
        "\ufeff",
        "\u202e",
        "Invoice \u202e00.94€",
        "a\x07c",
        "\ufffe",
        "\n\t",
    ],
)
def test_a_description_that_hides_or_turns_text_is_refused(description: str) -> None:
    with pytest.raises(ValidationError) as refused:
        link(description=description)
    assert refused.value.param == "description"


@pytest.mark.parametrize(
    "description", ["請求書 فاتورة Ωμέγα 😀 €", "two\nlines\tand a tab", "a\u200db", "\U0001fae9"]
)
def test_a_description_in_any_script_is_fine(description: str) -> None:
    assert link(description=description).description == description


@pytest.mark.parametrize(
    "url",
    [
        "https://.",
        "https://..",
        "https://-/",
        "https://a..b/",
        "https://%00/",
        "https://a%40b/",
        "https://a.com|b/",
        "https://a.com<b>/",
        "https://a.com:0/",
        f"https://{'a' * 64}.com/",
    ],
)
def test_a_success_url_names_a_host_that_can_exist(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        link(successUrl=url)
    assert refused.value.param == "successUrl"


def test_a_time_may_be_written_in_lower_case() -> None:
    assert link(expiresAt="2026-12-01t12:00:00z").expires_at is not None
