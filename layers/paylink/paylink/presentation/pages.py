"""The pages that a buyer sees at our own link, as pure functions from a payment to HTML.

They are the one place where text that strangers wrote meets a browser: everything is escaped by the
template engine, and the strict content security policy would stop what slipped through. No page
needs JavaScript or, but for the seller's logo, a second request.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_time, get_timezone_gmt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paylink.domain.color import WHITE, hex_color, lightened, mix, parse_color
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Organization
from paylink.domain.payment import Payment
from paylink.domain.tax import LONGEST_TAX_ID, OTHER_REGION
from paylink.presentation.countries import named_countries
from paylink.presentation.formatting import format_day, format_money
from paylink.presentation.html import DARK_CARD, filled
from paylink.presentation.languages import language_tag, speaks
from paylink.presentation.texts import texts_in
from paylink.services.own_tax import PlaceForm

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
_LOGO_BOX: Final = (200, 64)  # CSS pixels
_ORIGIN: Final = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")
_PROBLEMS: Final = {400: "problem_400", 404: "problem_404"} | dict.fromkeys(
    (502, 503, 504), "problem_unavailable"
)

# Why an attempt failed, by the provider's code: only what the buyer can do something about.
_DECLINES: Final = {
    "insufficient_funds": "payable_declined_funds",
    "expired_card": "payable_declined_expired",
    **dict.fromkeys(
        (
            "incorrect_number invalid_number incorrect_cvc invalid_cvc invalid_expiry_month "
            "invalid_expiry_year incorrect_zip incorrect_address"
        ).split(),
        "payable_declined_details",
    ),
    **dict.fromkeys(
        ("authentication_required", "payment_intent_authentication_failure"),
        "payable_declined_unconfirmed",
    ),
}

# How often a page that waits looks again, in seconds; a bank takes days, a card does not. By a
# header, since a `meta` of that kind is a barrier to people who read slowly, says axe.
_REFRESH_INVOICE: Final = 3
_REFRESH_CONFIRMING: Final = 4
_REFRESH_PROCESSING: Final = 15

_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Page:
    """An HTTP response: status, body and headers (names in lower case)."""

    status: int
    html: str
    headers: dict[str, str]


def payable_page(
    payment: Payment,
    seller: Organization,
    locale: Locale,
    checkout_origins: Sequence[str],
    form: PlaceForm | None = None,
) -> Page:
    """200: what is to be paid to whom, and the button whose POST leads to the provider.

    With a ``form`` the POST says where the buyer is; 400 shows it again with what was wrong.

    ``checkout_origins`` are those that the POST may redirect to (``https://checkout.stripe.com``):
    browsers apply ``form-action`` to redirects too. Raises ValueError for one that is no origin.
    """
    from paylink.presentation.qr import qr_path  # noqa: PLC0415 - slow, and no other page needs it

    spoken = _spoken(locale)
    return _render(
        400 if form and form.problem else 200,
        "payable.html",
        locale,
        payment=payment,
        seller=seller,
        checkout_origins=checkout_origins,
        declined=_declined(payment),
        form=form,
        countries=named_countries(spoken) if form else (),
        other_region=OTHER_REGION,
        longest_tax_id=LONGEST_TAX_ID,
        qr=qr_path(payment.url) if payment.url else None,
        until=_minute(payment.expires_at, seller, locale),
    )


def receipt_page(
    payment: Payment,
    seller: Organization,
    invoice: Invoice | None,
    download_url: str | None,
    locale: Locale,
    credit_notes: Sequence[tuple[str, str]] = (),
) -> Page:
    """200: what was paid, and the invoice; until there is one the page looks again by itself.

    ``credit_notes`` are numbers and addresses.
    """
    vaulted = payment.paid_with
    waiting = invoice is None or download_url is None
    return _render(
        200,
        "receipt.html",
        locale,
        payment=payment,
        seller=seller,
        refresh=(_REFRESH_INVOICE, None) if waiting else None,
        invoice=invoice,
        download_url=download_url,
        credit_notes=credit_notes,
        method=(invoice.payment_method if invoice else None) or (vaulted and vaulted.label),
    )


def confirming_page(
    payment: Payment,
    seller: Organization,
    locale: Locale,
    refresh_url: str,
    can_pay: bool,
    *,
    checkout_origins: Sequence[str] = (),
) -> Page:
    """200: the provider has not said yet how it ended. Never claims that anything was paid.

    ``can_pay`` offers the way back to somebody who returned without paying; its button needs the
    same ``checkout_origins`` as that of `payable_page`.
    """
    processing = payment.status == "processing"
    return _render(
        200,
        "confirming.html",
        locale,
        payment=payment,
        seller=seller,
        again=refresh_url,
        refresh=(_REFRESH_PROCESSING if processing else _REFRESH_CONFIRMING, refresh_url),
        checkout_origins=checkout_origins if can_pay else None,
        can_pay=can_pay,
    )


def ended_page(payment: Payment, seller: Organization, locale: Locale) -> Page:
    """410: a link that can't be paid any more, canceled by the seller or past its time."""
    return _render(
        410,
        "ended.html",
        locale,
        payment=payment,
        seller=seller,
        canceled=payment.cancellation_reason == "requested",
        until=_minute(payment.expires_at, seller, locale),
    )


def not_found_page(locale: Locale) -> Page:
    """404: no such payment."""
    return problem_page(404, locale)


def bad_request_page(locale: Locale) -> Page:
    """400: a request that no link of ours leads to."""
    return problem_page(400, locale)


def unavailable_page(locale: Locale, status: int = 503) -> Page:
    """503 (or 502): the provider can't be reached; a link leads back to the same address."""
    return problem_page(status, locale)


def problem_page(status: int, locale: Locale) -> Page:
    """Any other way a request can end, without a payment to speak of; gives nothing away."""
    page = _render(
        status,
        "problem.html",
        locale,
        message=_PROBLEMS.get(status, "problem"),
        retry=status >= 500,
    )
    if status == 503:
        page.headers["retry-after"] = "5"
    return page


def _render(
    status: int,
    template: str,
    locale: Locale,
    *,
    payment: Payment | None = None,
    seller: Organization | None = None,
    checkout_origins: Sequence[str] | None = None,
    refresh: tuple[int, str | None] | None = None,
    **values: Any,
) -> Page:
    """``checkout_origins`` is None for a page without a form."""
    words = texts_in(locale)
    spoken = _spoken(locale)

    def say(key: str, **parts: object) -> Markup:
        return filled(getattr(words, key), parts)

    def money(amount: int) -> str:
        return format_money(amount, payment.currency, locale) if payment else ""

    def day(moment: datetime) -> str:
        return format_day(_at_seller(moment, seller), locale)

    style = _STYLE + _colors(seller)
    html = _environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 -- our own file, and colours that were checked
        lang=language_tag(spoken),
        direction=spoken.text_direction,
        locale_tag=language_tag(locale),
        territories=spoken.territories,
        t=words,
        say=say,
        money=money,
        day=day,
        payment=payment,
        seller=seller,
        logo_box=_LOGO_BOX,
        sandbox=payment is not None and payment.mode == "sandbox",
        **values,
    )
    headers = _headers(checkout_origins, style)
    if refresh:
        seconds, url = refresh
        headers["refresh"] = f"{seconds}; url={url}" if url else str(seconds)
    return Page(status, html, headers)


def _colors(seller: Organization | None) -> str:
    """What the seller's own colour changes of the style: in the dark it has to be a lighter one."""
    if seller is None or seller.accent is None:
        return ""
    accent = parse_color(seller.accent)
    dark = lightened(accent, DARK_CARD)
    light_strong, dark_strong = mix(accent, (0, 0, 0), 0.2), mix(dark, WHITE, 0.3)
    on_dark = mix(accent, (0, 0, 0), 0.85)
    return (
        f"@media not (prefers-color-scheme: dark) {{:root {{--accent: {hex_color(accent)};"
        f" --accent-strong: {hex_color(light_strong)};}}}}\n"
        f"@media (prefers-color-scheme: dark) {{:root {{--accent: {hex_color(dark)};"
        f" --accent-strong: {hex_color(dark_strong)}; --on-accent: {hex_color(on_dark)};}}}}\n"
    )


def _spoken(locale: Locale) -> Locale:
    """The locale of the words: English ones under `lang="de"` would be read out as German, so that
    `lang` and `dir` are theirs; amounts and dates carry the visitor's own locale."""
    return locale if speaks(locale) else Locale.parse("en")


def _headers(checkout_origins: Sequence[str] | None, style: str) -> dict[str, str]:
    targets = "'none'" if checkout_origins is None else " ".join(("'self'", *checkout_origins))
    for origin in checkout_origins or ():
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "'self' data:",
        "form-action": targets,
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        # The link is a secret and goes to nobody else. Under no-referrer the form's own POST
        # would come with `Origin: null`, which looks like a forged one to firewalls.
        "referrer-policy": "no-referrer" if checkout_origins is None else "same-origin",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow, noarchive",
        "cache-control": "no-store",
        "vary": "accept-language",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "strict-transport-security": "max-age=31536000",
    }


def _declined(payment: Payment) -> str:
    """Which text says why the last attempt failed; the provider's own words are English."""
    codes = (payment.decline_code, payment.failure_code)
    return next((_DECLINES[code] for code in codes if code in _DECLINES), "payable_declined")


def _at_seller(moment: datetime, seller: Organization | None) -> datetime:
    return moment.astimezone(ZoneInfo(seller.time_zone)) if seller else moment


def _minute(moment: datetime | None, seller: Organization, locale: Locale) -> str | None:
    """Day, time and zone; the visitor's zone isn't known, so that the zone has to be said."""
    if moment is None:
        return None
    local = _at_seller(moment, seller)
    time = format_time(local, format="short", locale=locale)
    zone = get_timezone_gmt(local, locale=locale)
    return f"{format_day(local, locale)}, {time} {zone}"
