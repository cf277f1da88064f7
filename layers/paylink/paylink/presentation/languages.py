"""Which language a visitor reads, and the words of the pages in it.

All texts are in one table, so that a further language is a further row and no template changes.
Amounts and dates follow the visitor's locale at once, in whichever language the texts still are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from babel import Locale, UnknownLocaleError

from paylink.presentation.formatting import DEFAULT_LOCALE

_MAXIMUM_HEADER: Final = 1_000  # what browsers send is far shorter; the rest isn't looked at
_RANGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "sandbox": "Sandbox — no real money moves",
        "continue": "Continue to payment",
        "try_again": "Try again",
        "check_again": "Check again",
        "subtotal": "Subtotal",
        "tax": "Tax",
        "tax_estimated": "Tax (estimated)",
        "total": "Total",
        "refunded": "Refunded",
        "contact": "Questions? Contact {contact}",
        "payable_title": "Payment to {seller}",
        "payable_heading": "{seller}",
        "payable_intro": "requests a payment",
        "payable_tax_pending": "Tax is calculated at checkout",
        "payable_tax_estimated": "The exact tax is calculated at checkout",
        "payable_no_tax": "No tax is collected on this payment",
        "place_intro": "The tax depends on where you are. It is added before you pay.",
        "place_intro_inclusive": "The amount includes the tax of the place where you are.",
        "place_country": "Country",
        "place_choose": "Please choose",
        "place_country_missing": "Please choose your country.",
        "place_region": "Region",
        "place_other_region": "Another region",
        "place_region_missing": "Please choose your region.",
        "place_tax_id": "VAT ID (for companies, optional)",
        "place_tax_id_wrong": "This is no VAT ID of the chosen country. Leave it empty if you have "
        "none.",
        "payable_until": "Payable until {moment}",
        "payable_declined": "The last attempt was declined: {reason}. You can try again.",
        "payable_declined_unexplained": "The last attempt was declined. You can try again.",
        "payable_action": "Your bank asks you to confirm this payment. Continue to finish it.",
        "payable_safety": "You pay on the payment provider’s secure page. "
        "Your card number never reaches {seller}.",
        "receipt_title": "Receipt from {seller}",
        "receipt_heading": "Payment received",
        "receipt_intro": "Thank you. {seller} has received your payment.",
        "receipt_date": "Paid on",
        "receipt_method": "Payment method",
        "receipt_invoice": "Invoice number",
        "receipt_download": "Download invoice",
        "receipt_preparing": "Your invoice is being prepared",
        "receipt_preparing_detail": "It appears here by itself in a few seconds.",
        "confirming_title": "Payment to {seller}",
        "confirming_heading": "Your payment is being confirmed",
        "confirming_soon": "This usually takes a few seconds. The page updates by itself.",
        "confirming_bank": "A card is confirmed within seconds, while a bank debit can take "
        "several working days. You can close this page: the same link shows the result.",
        "confirming_unpaid": "Came back without paying?",
        "ended_title": "Payment to {seller}",
        "ended_canceled": "This payment was canceled",
        "ended_canceled_detail": "{seller} canceled this payment link, so it can’t be paid any "
        "more. If you still want to pay, ask for a new link.",
        "ended_expired": "This payment link has expired",
        "ended_expired_detail": "It was payable until {moment}. Ask {seller} for a new link.",
        "ended_expired_undated": "Its time to pay is over. Ask {seller} for a new link.",
        "problem_400": "This request can’t be understood",
        "problem_400_detail": "Please open the payment link again, exactly as you received it.",
        "problem_404": "There is no such payment",
        "problem_404_detail": "Please check that the link is complete, or ask whoever sent it "
        "for a new one.",
        "problem_unavailable": "Payments can’t be reached right now",
        "problem_unavailable_detail": "The payment provider does not answer. "
        "Please try again in a moment.",
        "problem": "Something went wrong",
        "problem_detail": "That is our fault, not yours. Please try again in a moment.",
    },
}
"""By language, then by key; ``{…}`` are filled in with escaped values."""

_DEFAULT_LANGUAGE: Final = "en"


def negotiate_locale(accept_language: str | None) -> Locale:
    """The visitor's best known locale by an Accept-Language header (RFC 9110); never raises.

    Whatever isn't a language range with a quality is skipped, and ``en_US`` is the last resort.
    """
    wanted = sorted(_ranges(accept_language or ""), key=lambda entry: -entry[0])
    for _, tag in wanted:
        locale = _known(tag)
        if locale is not None:
            return locale
    return Locale.parse(DEFAULT_LOCALE)


def text_language(locale: Locale) -> str:
    """The language that the texts are in for this locale: its own if there is a table for it."""
    return locale.language if locale.language in TEXTS else _DEFAULT_LANGUAGE


def language_tag(locale: Locale) -> str:
    """The locale as HTML's ``lang`` wants it: ``pt-BR``."""
    return str(locale).replace("_", "-")


def _ranges(header: str) -> Iterator[tuple[float, str]]:
    for part in header[:_MAXIMUM_HEADER].split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _QUALITY.fullmatch(parameters[0].lower()) if parameters else None
        if not _RANGE.fullmatch(tag) or (parameters and quality is None):
            continue
        weight = float(quality[1]) if quality else 1.0
        if weight > 0:
            yield weight, tag


def _known(tag: str) -> Locale | None:
    """``de-AT`` as it is, ``de-ZZ`` as plain ``de``, nothing for a language without data."""
    for candidate in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (ValueError, TypeError, UnknownLocaleError):
            continue
    return None
