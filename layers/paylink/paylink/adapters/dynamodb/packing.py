"""Long JSON texts in little space: a write pays for every started kilobyte of its item.

Only what nobody searches for is packed, and only where it takes an item below such a border. All
these texts have the same names in them, so they share a dictionary, and only what is new is stored.
"""

from __future__ import annotations

import zlib
from typing import Final

# What was packed with it can't be read without it: a better one is added beside it, not instead of
# it (the packed text says by a checksum which one it needs). Zlib finds best what is at the end.
_WORDS: Final = (
    b'"customerId":null,"subscriptionId":null,"provider":"stripe","paymentMethod":"card",'
    b'"subPaymentMethod":"visa","paymentContext":{"reason":"one_time_payment","paymentLinkId":"pay_'
    b'"card":{"brand":"visa","last4":"","expMonth":,"expYear":20}}}'
    b'"periodStart":"20","periodEnd":"20","issueDate":"20","dueDate":"20","subtotal":,"total":'
    b'"invoiceStatus":"paid","grossAmount":,"orgNetAmount":null,"customerEmail":"@","paidAt":"20'
    b'"refundedAmount":,"disputeId":"dp_","reason":"","resolvedAt":"20","failureCode":"'
    b'{"id":"whev_","event":"payment_link.completed","event":"payment.received","event":"invoice.'
    b'created","timestamp":"20:00.000Z","organizationId":"org_","mode":"live","mode":"sandbox",'
    b'"apiVersion":"2026-07-11","data":{"invoiceId":"inv_","invoiceNumber":"INV-20","invoiceTotal":'
    b'"customerId":"cus_","paymentTransactionId":"txn_","paymentId":"pay_","status":"succeeded",'
    b'"status":"pending","amount":,"currency":"eur","description":"'
    b'{"id":"pay_","organization_id":"org_","mode":"sandbox","kind":"link","status":"pending",'
    b'"amount_subtotal":,"currency":"usd","line_items":[{"description":"","unit_amount":}],'
    b'"created_at":"20Z","updated_at":"20Z","created_by":"","metadata":{},"customer_id":"cus_",'
    b'"customer_public_id":"","success_url":"https://","url":"https://","expires_at":"20Z",'
    b'"sessions":[{"generation":1,"idempotency_key":"pay_:1","request":{"mode":"payment",'
    b'"line_items":[{"quantity":1,"price_data":{"currency":"","unit_amount":,'
    b'"tax_behavior":"exclusive","product_data":{"name":""}}}],"adaptive_pricing":{"enabled":false},'
    b'"automatic_tax":{"enabled":true},"tax_id_collection":{"enabled":true},'
    b'"client_reference_id":"pay_","metadata":{"payment_id":"pay_","organization_id":"org_",'
    b'"mode":"live","deployment_id":"paylink-"},"payment_intent_data":{"description":"","metadata":'
    b'{"payment_id":"pay_"},"setup_future_usage":"off_session"},"success_url":"https://pay.'
    b'/pay/pay_?session_id={CHECKOUT_SESSION_ID}","expires_at":17,"customer_creation":"always"},'
    b'"expires_at":"20:00Z"}],"check_at":"20Z"}'
)


def packed(text: str) -> bytes:
    """The text, to be kept."""
    press = zlib.compressobj(level=9, zdict=_WORDS)
    return press.compress(text.encode()) + press.flush()


def unpacked(kept: bytes | str) -> str:
    """The text that was `packed`, or that an earlier version kept as it is."""
    if isinstance(kept, str):
        return kept
    return zlib.decompressobj(zdict=_WORDS).decompress(kept).decode()
