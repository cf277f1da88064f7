"""The account that a key belongs to."""

from __future__ import annotations

from ..context import Context
from ..errors import Json, invalid


def retrieve(ctx: Context) -> Json:
    if ctx.path.get("id", ctx.scope.account) != ctx.scope.account:
        raise invalid(
            f"The provided key does not have access to account '{ctx.path['id']}' (or that account "
            "does not exist). Application access may have been revoked.",
            code="account_invalid",
            status=403,
        )
    account = ctx.account()
    profile = account["business_profile"]
    return {
        "id": ctx.scope.account,
        "object": "account",
        "business_profile": {
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": profile["name"],
            "product_description": None,
            "support_address": None,
            "support_email": profile.get("support_email"),
            "support_phone": None,
            "support_url": None,
            "url": profile.get("url"),
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": account["country"],
        "created": account["created"],
        "default_currency": account["default_currency"],
        "details_submitted": True,
        "email": account["email"],
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {
                "icon": None,
                "logo": None,
                "primary_color": None,
                "secondary_color": None,
            },
            "dashboard": {"display_name": profile["name"], "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": "SANDBOX SELLER"},
        },
        "type": "standard",
    }
