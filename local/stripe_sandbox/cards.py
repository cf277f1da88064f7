"""Stripe's published test cards and what each does; and the test payment methods made of them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A test card. `charge` and `off_session` say what charging it ends in: "ok" or a decline."""

    number: str
    brand: str
    label: str
    charge: str = "ok"
    off_session: str = ""
    authenticate: bool = False
    country: str = "US"
    funding: str = "credit"
    dispute: str = ""
    """Why the bank disputes it afterwards; "inquiry": it only asks."""

    @property
    def last4(self) -> str:
        return self.number[-4:]

    def when_off_session(self) -> str:
        if self.off_session:
            return self.off_session
        return "authentication_required" if self.authenticate else self.charge


# What charging ended in: its code, decline code and text, as Stripe's API gives them.
DECLINES: dict[str, tuple[str, str, str]] = {
    "generic_decline": ("card_declined", "generic_decline", "Your card was declined."),
    "insufficient_funds": ("card_declined", "insufficient_funds",
                           "Your card has insufficient funds."),
    "expired_card": ("expired_card", "expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "incorrect_cvc",
                      "Your card's security code is incorrect."),
    "processing_error": ("processing_error", "processing_error",
                         "An error occurred while processing your card. Try again later."),
    "test_mode_live_card": ("card_declined", "test_mode_live_card",
                            "Your card was declined. Your request was in test mode, but used a non "
                            "test card. For a list of valid test cards, visit: "
                            "https://stripe.com/docs/testing."),
    "authentication_required": ("authentication_required", "authentication_required",
                                "Your card was declined. This transaction requires "
                                "authentication."),
    "authentication_failure": ("payment_intent_authentication_failure", "",
                               "We are unable to authenticate your payment method. Please choose a"
                               " different payment method and try again."),
    "insufficient_balance": ("payment_intent_payment_attempt_failed", "insufficient_funds",
                             "The customer's account has insufficient funds for this payment."),
}  # fmt: skip

CARDS = (
    Card("4242424242424242", "visa", "Visa, paid"),
    Card("5555555555554444", "mastercard", "Mastercard, paid"),
    Card("378282246310005", "amex", "American Express, paid"),
    Card("4000000000000002", "visa", "Declined", charge="generic_decline"),
    Card("4000000000009995", "visa", "Insufficient funds", charge="insufficient_funds"),
    Card("4000000000000069", "visa", "Expired card", charge="expired_card"),
    Card("4000000000000127", "visa", "Incorrect CVC", charge="incorrect_cvc"),
    Card("4000000000003220", "visa", "Always asks for 3-D Secure", authenticate=True),
    Card("4000002760003184", "visa", "3-D Secure every time, off-session too", authenticate=True,
         country="DE"),
    Card("4000000000000341", "visa", "Saved by the API, declined when charged",
         charge="generic_decline"),
    Card("4000000000000259", "visa", "Paid, then disputed as fraudulent", dispute="fraudulent"),
    Card("4000000000002685", "visa", "Paid, then disputed as not received",
         dispute="product_not_received"),
    Card("4000000000001976", "visa", "Paid, then the bank inquires", dispute="inquiry"),
    Card("4000000000000119", "visa", "Processing error", charge="processing_error"),
    Card("4000056655665556", "visa", "Visa debit, paid", funding="debit"),
    Card("5200828282828210", "mastercard", "Mastercard debit, paid", funding="debit"),
    Card("6011111111111117", "discover", "Discover, paid"),
    Card("4000002760000016", "visa", "Visa from Germany, paid", country="DE"),
    Card("4000008260000000", "visa", "Visa from the United Kingdom, paid", country="GB"),
)  # fmt: skip
BY_NUMBER = {card.number: card for card in CARDS}

# Those the checkout page offers to click.
SHOWN = CARDS[:11]

# Test payment methods and tokens that stand for a card in API calls.
_NAMES = {
    "visa": "4242424242424242", "mastercard": "5555555555554444", "amex": "378282246310005",
    "visa_chargeDeclined": "4000000000000002", "chargeDeclined": "4000000000000002",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeCustomerFail": "4000000000000341",
    "createDispute": "4000000000000259", "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "authenticationRequired": "4000002760003184", "threeDSecure2Required": "4000000000003220",
}  # fmt: skip


def by_name(name: str) -> Card | None:
    """For `pm_card_visa` and `tok_visa`."""
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            number = _NAMES.get(name.removeprefix(prefix))
            return BY_NUMBER[number] if number else None
    return None


def known_or_declined(number: str) -> Card:
    """A number that is no test card is declined, as Stripe's test mode does."""
    return BY_NUMBER.get(number) or Card(
        number, brand_of(number), "not a test card", charge="test_mode_live_card"
    )


def digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def luhn_valid(number: str) -> bool:
    if not 12 <= len(number) <= 19:
        return False
    total = 0
    for index, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def brand_of(number: str) -> str:
    if number.startswith(("34", "37")):
        return "amex"
    if number.startswith("4"):
        return "visa"
    if number[:2] in {"51", "52", "53", "54", "55"} or "2221" <= number[:4] <= "2720":
        return "mastercard"
    if number.startswith(("6011", "64", "65")):
        return "discover"
    return "unknown"


def cvc_length(brand: str) -> int:
    return 4 if brand == "amex" else 3


def fingerprint(number: str, account: str, secret: str) -> str:
    """The same for one card of one account, different between accounts, tells nothing else."""
    mac = hmac.new(secret.encode(), f"{account}:{number}".encode(), hashlib.sha256)
    return mac.hexdigest()[:16]
