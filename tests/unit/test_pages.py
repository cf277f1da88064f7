"""The buyer's pages: what strangers wrote stays text, and each state says what it is."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from babel import Locale
from babel.localedata import locale_identifiers
from hypothesis import given, settings
from hypothesis import strategies as st

from paylink.domain.customer import Buyer, PaymentMethod
from paylink.domain.invoice import Invoice, issue
from paylink.domain.language import LANGUAGES
from paylink.domain.logo import Logo
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import LineItem, Payment, Settlement
from paylink.presentation.formatting import format_day, format_money
from paylink.presentation.languages import language_read, language_tag, negotiate_locale
from paylink.presentation.pages import (
    Page,
    bad_request_page,
    confirming_page,
    ended_page,
    not_found_page,
    payable_page,
    problem_page,
    receipt_page,
    unavailable_page,
)
from paylink.services.own_tax import PlaceForm, Told

NOW: Final = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
EN: Final = Locale.parse("en_US")
CHECKOUT: Final = "https://checkout.stripe.com"
SELLER: Final = Organization(
    "org_1",
    "Northwind Studio",
    Address("Lindenstraße 14", None, "Berlin", None, "10969", "DE"),
    email="billing@northwind.example",
    time_zone="Europe/Berlin",
)
# babel warns of what formatting.py asks of it; what comes out is checked here all the same.
pytestmark = pytest.mark.filterwarnings("ignore:The force_frac parameter:DeprecationWarning")

LOGO: Final = Logo("logos/org_1/0123456789abcdef0123456789abcdef.png", 400, 100)
CARD: Final = PaymentMethod("fp_1", "pm_1", "card", "visa", "4242")
HOSTILE: Final = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>1</script>",
    "</title></style><script>1</script>",
    "{{ 7 * 7 }}{seller.__class__}{0}%s&amp;'",
)


def a_payment(**changes: object) -> Payment:
    payment = Payment(
        id="pay_1",
        organization_id="org_1",
        mode="live",
        kind="link",
        status="pending",
        amount_subtotal=125_000,
        currency="eur",
        line_items=(LineItem("Brand identity workshop", 125_000),),
        created_at=NOW,
        updated_at=NOW,
        created_by="key_1",
        expires_at=NOW + timedelta(days=30),
    )
    return replace(payment, **changes)  # type: ignore[arg-type]


def a_paid(name: str = "Ada", **changes: object) -> Payment:
    settlement = Settlement("txn_1", "cs_1", "pi_1", "ch_1", Buyer(name=name), (), CARD)
    paid = {"status": "succeeded", "tax_amount": 23_750, "tax_status": "final", "paid_at": NOW}
    return a_payment(**{**paid, "settlement": settlement, **changes})


def an_invoice(payment: Payment) -> Invoice:
    return issue(payment, SELLER, 2026, 42, NOW)


def described(payment: Payment, text: str) -> Payment:
    return replace(payment, line_items=(LineItem(text, payment.amount_subtotal),))


def every_page(
    text: str = "Workshop", seller: Organization = SELLER, locale: Locale = EN
) -> list[Page]:
    """Each page in each state, with ``text`` wherever a stranger's words can stand."""
    link = described(a_payment(mode="sandbox"), text)
    failed = replace(link, status="failed", failure_message=text, tax_status="estimated")
    paid = described(a_paid(name=text), text)
    canceled = replace(link, status="canceled", cancellation_reason="requested")
    return [
        payable_page(link, seller, locale, [CHECKOUT]),
        payable_page(failed, seller, locale, [CHECKOUT]),
        payable_page(replace(link, status="requires_action"), seller, locale, [CHECKOUT]),
        payable_page(link, seller, locale, [CHECKOUT], PlaceForm(Told(tax_id=text), ())),
        payable_page(
            link,
            seller,
            locale,
            [CHECKOUT],
            PlaceForm(Told("CA", text, text), ("ON", "QC"), "region"),
        ),
        receipt_page(paid, seller, an_invoice(paid), "/d?token=a&b", locale),
        receipt_page(paid, seller, None, None, locale),
        confirming_page(link, seller, locale, "/pay/pay_1", True, checkout_origins=[CHECKOUT]),
        confirming_page(replace(link, status="processing"), seller, locale, "/pay/pay_1", False),
        ended_page(canceled, seller, locale),
        ended_page(replace(canceled, cancellation_reason="expired"), seller, locale),
        not_found_page(locale),
        bad_request_page(locale),
        unavailable_page(locale),
        unavailable_page(locale, 502),
        problem_page(500, locale),
    ]


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, attributes and visible text."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self._words: list[str] = []
        self._open = ""
        self.feed(page.html)
        self.close()
        self.text = re.sub(r"\s+", " ", "".join(self._words)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = "" if tag else self._open

    def handle_data(self, data: str) -> None:
        if self._open == "style":
            self.style += data
        elif self._open != "title":
            self._words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]


def read(page: Page) -> str:
    return Reader(page).text


def policy_of(page: Page) -> dict[str, str]:
    parts = (part.partition(" ") for part in page.headers["content-security-policy"].split("; "))
    return {name: value for name, _, value in parts}


# ------------------------------------------------------------------ strangers' text


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_descriptions_names_and_messages_stays_text(text: str) -> None:
    hostile_seller = replace(SELLER, name=text, email=text, address=Address(text, text, text))
    plain = every_page("x", replace(SELLER, name="x", email="x", address=Address("x", "x", "x")))
    for page, same_page in zip(every_page(text, hostile_seller), plain, strict=True):
        assert Reader(page).shape == Reader(same_page).shape
        assert "<script" not in page.html
        assert "<img" not in page.html
        assert "49" not in read(page).replace("49}}", "")
    assert " ".join(text.split()) in read(plain_page := every_page(text)[0])
    assert text not in plain_page.html


def test_urls_cannot_leave_their_attribute() -> None:
    url = '/x"><script>1</script>'
    paid = a_paid()
    receipt = receipt_page(paid, SELLER, an_invoice(paid), url, EN)
    confirming = confirming_page(a_payment(), SELLER, EN, url, False)
    assert Reader(receipt).all("a")[0]["href"] == url
    assert Reader(confirming).all("a")[0]["href"] == url
    assert "<script" not in receipt.html + confirming.html


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=500))
def test_no_text_changes_the_shape_of_a_page(text: str) -> None:
    plain = payable_page(described(a_payment(), "x"), SELLER, EN, [CHECKOUT])
    page = payable_page(described(a_payment(), text), SELLER, EN, [CHECKOUT])
    assert Reader(page).shape == Reader(plain).shape
    visible = " ".join(text.replace("\0", " ").split())
    assert " ".join(visible.split()) in " ".join(read(page).replace("\0", " ").split())


def test_right_to_left_and_long_text_is_isolated_and_wraps() -> None:
    arabic = "تصميم الهوية البصرية"
    page = payable_page(
        described(a_payment(), arabic), replace(SELLER, name="شركة النخيل"), EN, [CHECKOUT]
    )
    assert f'<p class="what" dir="auto">{arabic}</p>' in page.html
    assert '<h1 dir="auto">شركة النخيل</h1>' in page.html
    assert "<bdi>شركة النخيل</bdi>" in page.html
    assert "overflow-wrap: anywhere" in Reader(page).style


# ------------------------------------------------------------------ where the buyer is


def fields_of(page: Page) -> dict[str, dict[str, str | None]]:
    reader = Reader(page)
    found = [*reader.all("select"), *reader.all("input")]
    labels = {label["for"] for label in reader.all("label")}
    assert {field["id"] for field in found} == labels, "every field has its label"
    return {str(field["name"]): field for field in found}


def test_the_form_asks_for_country_and_number() -> None:
    page = payable_page(a_payment(), SELLER, EN, [CHECKOUT], PlaceForm(Told(), ()))
    assert page.status == 200
    assert set(fields_of(page)) == {"country", "tax_id"}
    options = [option["value"] for option in Reader(page).all("option")]
    assert options[0] == ""
    assert {"DE", "FR", "US", "XK", "AX"} <= set(options)
    assert len(options) > 240
    assert "tax depends on where you are" in read(page)
    (button,) = Reader(page).all("button")
    assert button == {"type": "submit"}


def test_the_form_has_regions_where_rates_do_and_keeps_what_was_said() -> None:
    form = PlaceForm(Told("CA", "QC", "123"), ("ON", "QC"), None)
    page = payable_page(a_payment(tax_inclusive=True), SELLER, EN, [CHECKOUT], form)
    assert set(fields_of(page)) == {"country", "region", "tax_id"}
    chosen = [o.get("value") for o in Reader(page).all("option") if "selected" in o]
    assert chosen == ["CA", None]
    assert fields_of(page)["tax_id"]["value"] == "123"
    assert "The amount includes the tax" in read(page)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("country", "Please choose your country."),
        ("region", "Please choose your region."),
        ("tax_id", "This is no VAT ID of the chosen country."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(problem: Any, words: str) -> None:
    form = PlaceForm(Told("CA", "", "1"), ("ON",), problem)
    page = payable_page(a_payment(), SELLER, EN, [CHECKOUT], form)
    assert page.status == 400
    wrong = [name for name, field in fields_of(page).items() if "aria-invalid" in field]
    assert wrong == [problem]
    told = fields_of(page)[problem]["aria-describedby"]
    assert f"{problem}-problem" in str(told).split()
    (said,) = [s for s in Reader(page).all("span") if s.get("id") == f"{problem}-problem"]
    assert said["class"] == "problem"
    assert words in read(page)


# ------------------------------------------------------------------ every page


def test_no_page_needs_javascript_or_anything_from_elsewhere() -> None:
    for page in every_page():
        reader = Reader(page)
        assert "<script" not in page.html
        assert not re.search(r"\son[a-z]+=|javascript:|style=", page.html)
        assert not reader.all("img")
        assert all((link["href"] or "").startswith("data:") for link in reader.all("link"))
        assert "url(" not in reader.style
        assert len(page.html.encode()) < 30_000


def test_a_sellers_logo_is_on_every_page_about_a_payment() -> None:
    pages = every_page(seller=replace(SELLER, logo=LOGO))
    for page, plain in zip(pages, every_page(), strict=True):
        reader = Reader(page)
        # Relative: right with whatever address or path the service is reached by.
        expected = {
            "class": "logo",
            "src": f"../{LOGO.key}",
            "alt": "",
            "width": "200",
            "height": "50",
        }
        about_a_payment = bool(reader.all("footer"))
        assert reader.all("img") == ([expected] if about_a_payment else [])
        assert reader.text == Reader(plain).text
        assert policy_of(page)["img-src"] == "'self' data:"
        assert len(page.html.encode()) < 30_000


def test_the_policy_allows_exactly_the_style_that_is_in_the_page() -> None:
    for page in every_page():
        digest = hashlib.sha256(Reader(page).style.encode()).digest()
        policy = policy_of(page)
        assert policy["style-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["base-uri"] == "'none'"
        assert "unsafe" not in page.headers["content-security-policy"]


def test_forms_may_end_at_the_checkout_and_nowhere_else() -> None:
    for page in every_page():
        forms = Reader(page).all("form")
        expected = f"'self' {CHECKOUT}" if forms else "'none'"
        assert policy_of(page)["form-action"] == expected
        assert all((f["method"], f.get("action")) == ("post", None) for f in forms)
        assert len(forms) <= 1


@pytest.mark.parametrize(
    "origin",
    ["https://a.example; script-src *", "*", "https:", "https://a.example/path", "", "a\n"],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        payable_page(a_payment(), SELLER, EN, [origin])


def test_local_checkouts_are_origins_too() -> None:
    origins = ["http://127.0.0.1:4243", "http://localhost:4243", "http://[::1]:4243"]
    page = payable_page(a_payment(), SELLER, EN, origins)
    assert policy_of(page)["form-action"] == " ".join(["'self'", *origins])


def test_headers_keep_pages_private() -> None:
    for page in every_page():
        headers = page.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["vary"] == "accept-language"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-robots-tag"].startswith("noindex")
        assert headers["strict-transport-security"].startswith("max-age=")
        # Neither of the two tells another site anything; a form's own POST needs the second.
        form = bool(Reader(page).all("form"))
        assert headers["referrer-policy"] == ("same-origin" if form else "no-referrer")
        assert "payment=()" in headers["permissions-policy"]


def test_pages_are_built_for_screen_readers() -> None:
    for page in every_page():
        reader = Reader(page)
        assert reader.elements[0] == ("html", {"lang": "en-US", "dir": "ltr"})
        assert len(reader.all("h1")) == len(reader.all("main")) == 1
        assert re.search(r"<title>[^<]+</title>", page.html)
        for svg in reader.all("svg"):
            assert svg.get("aria-hidden") == "true" or (svg["role"], bool(svg["aria-label"])) == (
                "img",
                True,
            )
        assert "http-equiv" not in page.html


def test_statuses() -> None:
    expected = [200] * 4 + [400] + [200] * 4 + [410, 410, 404, 400, 503, 502, 500]
    assert [page.status for page in every_page()] == expected


def test_the_sandbox_is_said_and_only_the_sandbox() -> None:
    sandbox = payable_page(a_payment(mode="sandbox"), SELLER, EN, [CHECKOUT])
    live = payable_page(a_payment(), SELLER, EN, [CHECKOUT])
    assert "Sandbox — no real money moves" in read(sandbox)
    assert "Sandbox" not in live.html


# ------------------------------------------------------------------ states


def test_a_payable_link_shows_what_is_paid_to_whom_until_when() -> None:
    page = payable_page(a_payment(), SELLER, EN, [CHECKOUT])
    text = read(page)
    assert '<button type="submit">Continue to payment</button>' in page.html
    assert "Northwind Studio" in text
    assert "Brand identity workshop" in text
    assert "Subtotal€1,250.00" in text
    assert "Tax is calculated at checkout" in text
    assert "Total" not in text
    # The 25th, 23:30 UTC, and 30 days are the 26th in Berlin.
    assert "Payable until December 26, 2026, 12:30 AM GMT+01:00" in text
    assert "Lindenstraße 14, 10969 Berlin, Germany" in text
    assert "refresh" not in page.headers


@pytest.mark.parametrize(
    ("tax_status", "tax", "row", "note"),
    [
        ("estimated", 23_750, "Tax (estimated)€237.50", "The exact tax is calculated at checkout"),
        ("final", 23_750, "Tax€237.50", None),
        ("not_collecting", 0, "Tax€0.00", "No tax is collected on this payment"),
    ],
)
def test_known_tax_is_shown_with_the_total(
    tax_status: str, tax: int, row: str, note: str | None
) -> None:
    payment = a_payment(tax_status=tax_status, tax_amount=tax)
    text = read(payable_page(payment, SELLER, EN, [CHECKOUT]))
    assert row in text
    assert f"Total{format_money(125_000 + tax, 'eur', EN)}" in text
    assert note is None or note in text
    assert "Tax is calculated at checkout" not in text


@pytest.mark.parametrize(
    ("code", "decline", "shown"),
    [
        ("card_declined", None, "The last attempt was declined. You can try again."),
        ("card_declined", "insufficient_funds", "declined for lack of funds"),
        ("expired_card", "expired_card", "the card has expired"),
        ("incorrect_cvc", None, "the card’s details were not right"),
        ("payment_intent_authentication_failure", None, "was not confirmed with your bank"),
        (None, None, "The last attempt was declined. You can try again."),
    ],
)
def test_a_declined_attempt_is_explained_in_our_own_words_and_can_be_repeated(
    code: str | None, decline: str | None, shown: str
) -> None:
    failed = a_payment(
        status="failed", failure_code=code, decline_code=decline, failure_message="Provider’s words"
    )
    page = payable_page(failed, SELLER, EN, [CHECKOUT])
    assert shown in read(page)
    assert "Provider" not in read(page)
    assert "Continue to payment" in read(page)


def test_a_payable_link_can_be_opened_on_a_phone() -> None:
    payment = a_payment(url="https://pay.example/pay/pay_1")
    page = payable_page(payment, SELLER, EN, [CHECKOUT])
    assert "Pay on your phone" in read(page)
    (code,) = [svg for svg in Reader(page).all("svg") if svg.get("role") == "img"]
    assert code["aria-label"] == "QR code with the address of this page"
    assert "Pay on your phone" not in read(payable_page(a_payment(), SELLER, EN, [CHECKOUT]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_stays_within_its_budget_in_every_language(language: str) -> None:
    locale = Locale.parse(language, sep="-")
    payment = a_payment(
        url="https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/pay/pay_" + "x" * 26
    )
    pages = [
        *every_page(locale=locale),
        payable_page(payment, SELLER, locale, [CHECKOUT], PlaceForm(Told(), ())),
    ]
    for page in pages:
        assert len(page.html.encode()) < 30_000
        assert Reader(page).elements[0][1]["lang"] == language_tag(locale)


def test_a_receipt_has_the_three_amounts_and_the_invoice() -> None:
    payment = a_paid()
    page = receipt_page(payment, SELLER, an_invoice(payment), "/d?token=a&b=c", EN)
    text = read(page)
    for part in (
        "Payment received",
        "Subtotal€1,250.00",
        "Tax€237.50",
        "Total€1,487.50",
        "Paid onNovember 26, 2026",
        "Payment methodVisa •••• 4242",
        "Invoice numberINV-2026-000042",
    ):
        assert part in text
    assert '<a class="button" href="/d?token=a&amp;b=c">Download invoice</a>' in page.html
    assert "refresh" not in page.headers
    assert "Refunded" not in text


def test_a_receipt_without_its_invoice_looks_again_by_itself() -> None:
    payment = a_paid()
    for page in (
        receipt_page(payment, SELLER, None, None, EN),
        receipt_page(payment, SELLER, an_invoice(payment), None, EN),
    ):
        assert "Your invoice is being prepared" in read(page)
        assert "Download invoice" not in read(page)
        assert page.headers["refresh"] == "3"


def test_a_receipt_says_what_was_refunded_and_nothing_of_the_buyer() -> None:
    page = receipt_page(a_paid(name="Ada Lovelace", amount_refunded=500), SELLER, None, None, EN)
    assert "Refunded€5.00" in read(page)
    assert "Ada" not in page.html


def test_a_receipt_leads_to_each_credit_note() -> None:
    payment = a_paid(amount_refunded=500)
    notes = [("CN-2026-000001", "/documents/cn_1?token=a&b"), ("CN-2026-000002", "/documents/cn_2")]
    page = receipt_page(payment, SELLER, an_invoice(payment), "/d?token=a", EN, notes)
    text = read(page)
    for number, url in notes:
        assert f"Download credit note {number}" in text
        assert f'href="{url.replace("&", "&amp;")}"' in page.html
    without = receipt_page(payment, SELLER, an_invoice(payment), "/d?token=a", EN)
    assert "credit note" not in read(without)


def test_coming_back_is_no_payment() -> None:
    page = confirming_page(
        a_payment(), SELLER, EN, "/pay/pay_1?a=1&b=2", True, checkout_origins=[CHECKOUT]
    )
    text = read(page)
    assert "Your payment is being confirmed" in text
    assert "received" not in text
    assert page.headers["refresh"] == "4; url=/pay/pay_1?a=1&b=2"
    assert '<button type="submit" class="second">Continue to payment</button>' in page.html


def test_a_bank_debit_may_take_days() -> None:
    page = confirming_page(a_payment(status="processing"), SELLER, EN, "/pay/pay_1", False)
    assert "Your payment is being confirmed" in read(page)
    assert "several working days" in read(page)
    assert "<form" not in page.html
    assert page.headers["refresh"] == "15; url=/pay/pay_1"


def test_canceled_and_expired_are_told_apart() -> None:
    payment = a_payment(status="canceled", cancellation_reason="requested")
    canceled = read(ended_page(payment, SELLER, EN))
    expired = read(ended_page(replace(payment, cancellation_reason="expired"), SELLER, EN))
    assert "Northwind Studio canceled this payment link" in canceled
    assert "expired" not in canceled
    assert "This payment link has expired" in expired
    assert "canceled" not in expired
    assert "<form" not in ended_page(payment, SELLER, EN).html


def test_a_link_past_its_time_is_expired_before_the_sweep_says_so() -> None:
    assert "has expired" in read(ended_page(a_payment(), SELLER, EN))


def test_an_unreachable_provider_is_tried_again_by_a_get() -> None:
    page = unavailable_page(EN)
    assert '<a class="button" href="">Try again</a>' in page.html
    assert "try again in a moment" in read(page)
    assert page.headers["retry-after"] == "5"


# ------------------------------------------------------------------ amounts and languages


@pytest.mark.parametrize(
    ("amount", "currency", "digits"),
    [(500, "jpy", "500"), (18_600, "kwd", "18.600"), (500_000, "ugx", "5,000")],
)
def test_amounts_have_the_decimals_of_their_currency(
    amount: int, currency: str, digits: str
) -> None:
    for page in (
        payable_page(a_payment(amount_subtotal=amount, currency=currency), SELLER, EN, [CHECKOUT]),
        receipt_page(
            a_paid(amount_subtotal=amount, currency=currency, tax_amount=0), SELLER, None, None, EN
        ),
    ):
        shown = format_money(amount, currency, EN)
        assert re.sub(r"[^\d.,]", "", shown) == digits
        assert page.html.count(f">{shown}</bdi>") >= 2
    for locale in ("en_US", "ja_JP", "de_DE"):
        assert "¥" in format_money(500, "jpy", Locale.parse(locale))


def test_words_amounts_and_dates_are_in_the_visitors_language() -> None:
    german = negotiate_locale("de-DE,de;q=0.9,en;q=0.8")
    page = receipt_page(a_paid(), SELLER, None, None, german)
    assert '<bdi lang="de-DE">1.487,50\xa0€</bdi>' in page.html
    assert "26. November 2026" in page.html
    assert "Zahlung eingegangen" in read(page)
    assert Reader(page).elements[0] == ("html", {"lang": "de-DE", "dir": "ltr"})


def test_without_words_in_the_visitors_language_they_are_english_and_say_so() -> None:
    page = receipt_page(a_paid(), SELLER, None, None, negotiate_locale("pl-PL"))
    assert '<bdi lang="pl-PL">1\xa0487,50\xa0€</bdi>' in page.html
    assert "26 listopada 2026" in page.html
    assert "Payment received" in read(page)
    assert Reader(page).elements[0] == ("html", {"lang": "en", "dir": "ltr"})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en_US"),
        ("", "en_US"),
        ("*", "en_US"),
        ("de-DE,de;q=0.9,en;q=0.8", "de_DE"),
        ("en;q=0.5, fr-CA ; q=0.9", "fr_CA"),
        ("pl-PL, sv;q=0.9, it;q=0.5", "it"),
        ("pl-PL, sv;q=0.9", "pl_PL"),
        ("DE-at", "de_AT"),
        ("pt-BR", "pt_BR"),
        ("zh-TW", "zh_Hant_TW"),
        ("de-1a, en;q=0.9", "de"),
        ("tlh, xx-YY;q=0.9, it;q=0.1", "it"),
        ("de;q=0, fr;q=0.000", "en_US"),
        ("de;q=2, fr;q=-1, it;q=nan, es;q=1e3, nl;q=0.2", "nl"),
        ("../../etc/passwd, de\0, root, 日本語", "en_US"),
        ("x" * 10_000, "en_US"),
        (",".join(f"a{i}" for i in range(3_000)), "en_US"),
        ("de;" * 5_000, "en_US"),
    ],
)
def test_the_best_known_language_wins(header: str | None, expected: str) -> None:
    assert str(negotiate_locale(header)) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.5, fr-CA ; q=0.9", "fr"),
        ("pl-PL, sv;q=0.9, it;q=0.5", "it"),
        ("zh-TW", "zh-Hant"),
        ("pl-PL, sv;q=0.9", None),
        ("de;q=0", None),
        ("*", None),
        ("../../etc/passwd, de\0, 日本語", None),
        ("x" * 10_000, None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_known_to_be_read_only_where_one_of_ours_is_named(
    header: str | None, expected: str | None
) -> None:
    assert language_read(header) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=300),
        st.text(alphabet="adefhnrzDEUS-_,;=q*. 019\t", max_size=120),
        st.lists(st.sampled_from(locale_identifiers())).map(
            lambda tags: ",".join(tags).replace("_", "-")
        ),
    )
)
def test_no_header_breaks_the_negotiation_or_a_page(header: str) -> None:
    locale = negotiate_locale(header)
    assert format_money(1_050, "usd", locale)
    assert format_day(NOW, locale)
    assert payable_page(a_payment(), SELLER, locale, [CHECKOUT]).status == 200
