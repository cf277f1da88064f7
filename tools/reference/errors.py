"""What each error code means to a caller, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from paylink.domain.errors import PaylinkError

# code: (what it means, what to do)
GUIDE: dict[str, tuple[str, str]] = {
    "validation_error": (
        "The request was understood, and something in it breaks a rule. `param` names the first "
        "field, `details` lists every one that is wrong.",
        "Correct the fields and send the request again; an idempotency key may be used again. "
        "Repeating it unchanged fails again.",
    ),
    "invalid_json": (
        "The body is not a JSON object: malformed, not UTF-8, a member twice, or a value such as "
        "NaN that JSON does not have.",
        "Send one JSON object, made by a JSON library rather than by hand.",
    ),
    "unauthorized": (
        "There is no `x-api-key` header, or its key is wrong, expired or deleted. The answer is "
        "the same for all of these.",
        "Check that the key arrives whole and that it is of this deployment. Make a new one if it "
        "has expired.",
    ),
    "forbidden": (
        "The key is valid but restricted, and this operation is not among its permissions.",
        "Use a key that has the permission, which the reference names beside each operation.",
    ),
    "payment_failed": (
        "The card was declined, the bank wants the buyer to confirm, or the tax could not be "
        "calculated. No money was taken.",
        "Read the provider's code in `details`. For `authentication_required` send the buyer a "
        "payment link; for a decline ask for another card. Retrying at once rarely helps.",
    ),
    "not_found": (
        "There is nothing at this address, or nothing with this id.",
        "Check method, path and id. What one mode or organization made can't be seen from another.",
    ),
    "payment_not_found": (
        "No payment has this id in the organization and mode of the key.",
        "Check the id, and that a sandbox key is not asking for a live payment.",
    ),
    "customer_not_found": (
        "No customer has this id, yours or ours, in the organization and mode of the key.",
        "Create the customer first, or leave `customerId` out: the buyer is then a guest.",
    ),
    "invoice_not_found": (
        "No invoice has this id in the organization and mode of the key.",
        "An invoice exists once its payment has succeeded; wait for its event.",
    ),
    "credit_note_not_found": (
        "No credit note has this id in the organization and mode of the key.",
        "A credit note exists once its refund was made; list those of the customer.",
    ),
    "transaction_not_found": (
        "No transaction has this id in the organization and mode of the key.",
        "Check the id. A payment that nobody has tried to pay has no transaction.",
    ),
    "webhook_not_found": (
        "No webhook endpoint has this id in the organization and mode of the key.",
        "List the endpoints; this one may have been deleted.",
    ),
    "api_key_not_found": (
        "No API key has this id in the organization and mode of the key.",
        "List the keys; this one may have been deleted already.",
    ),
    "payment_not_cancelable": (
        "The payment is paid, is being paid just now, or is a charge.",
        "Get the payment to see where it stands. Paid money goes back by a refund.",
    ),
    "no_payment_method": (
        "The customer has no saved card or account that could be charged.",
        "Send a payment link: the card the customer pays with is saved for later charges.",
    ),
    "provider_unsupported": (
        "The payment provider can't do this for this payment or customer.",
        "Use another way; repeating the request does not help.",
    ),
    "charge_in_progress": (
        "Another charge of this customer has not ended yet, and two at once might take the money "
        "twice.",
        "Wait until it has ended, look at its outcome, and decide again.",
    ),
    "duplicate": (
        "Something with this id of yours exists already, with other content.",
        "Get or update the one there is, or choose another id.",
    ),
    "idempotency_key_mismatch": (
        "This `Idempotency-Key` came with another body or operation within the last 24 hours.",
        "Use a new key for each new thing you want done, and the same one only to repeat a request "
        "unchanged.",
    ),
    "idempotency_in_progress": (
        "The first request with this `Idempotency-Key` is still running.",
        "Repeat the request in a few seconds, with the same key; the answer is then the first "
        "one's.",
    ),
    "email_not_sendable": (
        "The stack has no sender of e-mails, or the buyer's address is unknown or was refused. The "
        "message says which.",
        "Set the template's `ReceiptSender`, or give the buyer a download link instead.",
    ),
    "rate_limited": (
        "The key has made more requests in this minute than it may.",
        "Wait as many seconds as the `Retry-After` header says. Reading `RateLimit-Remaining` "
        "avoids it.",
    ),
    "internal_error": (
        "Something went wrong on our side. It was logged under the `x-request-id` of the answer.",
        "Repeat the request with the same idempotency key: it goes on where it stopped, and makes "
        "nothing twice.",
    ),
    "provider_unavailable": (
        "The payment provider did not answer, or too late. Nothing is wrong with the request.",
        "Repeat it with the same idempotency key, waiting longer each time.",
    ),
}


def error_classes() -> Iterator[type[PaylinkError]]:
    """Every way to fail that there is; not those that only others are made of."""
    pending = [PaylinkError]
    while pending:
        kind = pending.pop(0)
        pending += kind.__subclasses__()
        abstract = kind.__subclasses__() and kind.code == PaylinkError.code
        if kind is PaylinkError or not abstract:
            yield kind
