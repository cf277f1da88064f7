"""Tax calculations, tax settings, registrations, and the static rates a seller names."""

from __future__ import annotations

from decimal import Decimal

from .. import money, payments, tax
from ..context import Context, public
from ..errors import Json, invalid
from ..ids import new_id
from ..validation import merge_metadata
from . import customers, lists

_LIFE = 90 * 24 * 3600


def calculate(ctx: Context) -> Json:
    params = ctx.params
    account = ctx.account()
    if account["tax_settings"]["status"] != "active":
        raise invalid(
            "Your Stripe Tax settings are not active: a valid head office address is missing. "
            "Visit https://dashboard.stripe.com/settings/tax to update it.",
            code="stripe_tax_inactive",
        )
    currency = money.check_currency(params["currency"], "currency")
    details = _details(ctx)
    lines: list[tax.TaxLine] = []
    items: list[Json] = []
    for index, given in enumerate(params["line_items"]):
        where = f"line_items[{index}]"
        money.check_unit(given["amount"], currency, f"{where}[amount]")
        inclusive = given.get("tax_behavior", "exclusive") == "inclusive"
        try:
            taxed = tax.compute(
                given["amount"],
                currency,
                inclusive=inclusive,
                address=details["address"] or {},
                registrations=account["tax_registrations"],
                seller_country=account["tax_settings"]["head_office"]["country"],
                tax_ids=details["tax_ids"],
                override=details["taxability_override"],
            )
        except tax.LocationUnknownError:
            raise tax.location_invalid("customer_details[address]") from None
        lines += taxed.lines
        items.append(_item(ctx, given, taxed, inclusive))
    exclusive = sum(line.amount for line in lines if not line.inclusive)
    calculation: Json = {
        "id": new_id("taxcalc"),
        "object": "tax.calculation",
        "amount_total": sum(item["amount"] for item in items) + exclusive,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_details": details,
        "expires_at": ctx.now + _LIFE,
        "livemode": ctx.livemode,
        "ship_from_details": None,
        "shipping_cost": None,
        "tax_amount_exclusive": exclusive,
        "tax_amount_inclusive": sum(line.amount for line in lines if line.inclusive),
        "tax_breakdown": _summary(lines),
        "tax_date": params.get("tax_date", ctx.now),
        "_items": items,
    }
    ctx.put(calculation)
    return calculation


def _details(ctx: Context) -> Json:
    params = ctx.params
    given = params.get("customer_details", {})
    customer = (
        customers.alive(ctx, params["customer"], "customer") if "customer" in params else None
    )
    address, ids = payments.address(given.get("address")), given.get("tax_ids", [])
    override = given.get("taxability_override", "none")
    if customer:
        address = address or customer["address"]
        ids = ids or [
            {"type": item["type"], "value": item["value"]}
            for item in customers.tax_ids_of(ctx, customer["id"])
        ]
        if override == "none":
            override = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(
                customer["tax_exempt"], "none"
            )
    elif address and "address_source" not in given:
        raise invalid(
            "You must provide `customer_details[address_source]` with an address.",
            "customer_details[address_source]",
            "parameter_missing",
        )
    return {
        "address": address,
        "address_source": given.get("address_source", "billing") if address else None,
        "ip_address": given.get("ip_address"),
        "tax_ids": ids,
        "taxability_override": override,
    }


def _item(ctx: Context, given: Json, taxed: tax.Taxed, inclusive: bool) -> Json:
    return {
        "id": new_id("tax_li", 14),
        "object": "tax.calculation_line_item",
        "amount": given["amount"],
        "amount_tax": taxed.tax,
        "livemode": ctx.livemode,
        "metadata": given.get("metadata"),
        "performance_location": None,
        "product": given.get("product"),
        "quantity": given.get("quantity", 1),
        "reference": given.get("reference") or new_id("L", 10),
        "tax_behavior": "inclusive" if inclusive else "exclusive",
        "tax_code": given.get("tax_code") or ctx.account()["tax_settings"]["tax_code"],
        "_breakdown": [
            {
                "amount": line.amount,
                "jurisdiction": {
                    "country": line.component.country,
                    "display_name": line.component.state or line.component.country,
                    "level": "state" if line.component.state else "country",
                    "state": line.component.state,
                },
                "sourcing": "destination",
                "tax_rate_details": {
                    "display_name": line.component.name,
                    "percentage_decimal": str(line.component.percentage),
                    "tax_type": line.component.kind,
                }
                if line.reason != "not_collecting"
                else None,
                "taxability_reason": line.reason,
                "taxable_amount": line.taxable,
            }
            for line in taxed.lines
        ],
    }


def _summary(lines: list[tax.TaxLine]) -> list[Json]:
    merged: dict[tuple[tax.Component, str, bool], Json] = {}
    for line in lines:
        part = line.component
        rate = "0.0" if line.reason == "not_collecting" else str(part.percentage)
        entry = merged.setdefault(
            (part, line.reason, line.inclusive),
            {
                "amount": 0,
                "inclusive": line.inclusive,
                "tax_rate_details": {
                    "country": part.country,
                    "flat_amount": None,
                    "percentage_decimal": rate,
                    "rate_type": "percentage",
                    "state": part.state,
                    "tax_type": part.kind,
                },
                "taxability_reason": line.reason,
                "taxable_amount": 0,
            },
        )
        entry["amount"] += line.amount
        entry["taxable_amount"] += line.taxable
    return list(merged.values())


def retrieve(ctx: Context) -> Json:
    return ctx.find("tax.calculation", ctx.path["id"], "calculation", in_path=True)


def list_line_items(ctx: Context) -> Json:
    calculation = retrieve(ctx)
    url = f"/v1/tax/calculations/{calculation['id']}/line_items"
    return lists.page(ctx, calculation["_items"], url)


def settings(ctx: Context) -> Json:
    found = ctx.account()["tax_settings"]
    active = found["status"] == "active"
    return {
        "object": "tax.settings",
        "defaults": {
            "provider": "stripe",
            "tax_behavior": found["tax_behavior"],
            "tax_code": found["tax_code"],
        },
        "head_office": {"address": payments.address(found["head_office"])} if active else None,
        "livemode": ctx.livemode,
        "status": found["status"],
        "status_details": {"active": {}}
        if active
        else {"pending": {"missing_fields": ["head_office"]}},
    }


def registrations(ctx: Context) -> Json:
    account = ctx.account()
    items = [_registration(ctx, account, where) for where in account["tax_registrations"]]
    return lists.page(ctx, items, "/v1/tax/registrations")


def _registration(ctx: Context, account: Json, where: str) -> Json:
    country, _, state = where.partition("-")
    kind = "state_sales_tax" if country == "US" else "standard"
    options: Json = {"type": kind, **({"state": state} if state else {})}
    return {
        "id": f"taxreg_{account['id'].removeprefix('acct_')}{where.replace('-', '')}",
        "object": "tax.registration",
        "active_from": account["created"],
        "country": country,
        "country_options": {country.lower(): options},
        "created": account["created"],
        "expires_at": None,
        "livemode": ctx.livemode,
        "status": "active",
    }


# -- static rates


def create_rate(ctx: Context) -> Json:
    params = ctx.params
    percentage = Decimal(str(params["percentage"]))
    if not 0 <= percentage <= 100:
        raise invalid("Invalid percentage: must be between 0 and 100", "percentage")
    rate = ctx.put(
        {
            "id": new_id("txr"),
            "object": "tax_rate",
            "active": params.get("active", True),
            "country": params.get("country"),
            "created": ctx.now,
            "description": params.get("description"),
            "display_name": params["display_name"],
            "effective_percentage": None,
            "flat_amount": None,
            "inclusive": params["inclusive"],
            "jurisdiction": params.get("jurisdiction"),
            "jurisdiction_level": None,
            "livemode": ctx.livemode,
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "percentage": float(percentage),
            "rate_type": "percentage",
            "state": params.get("state"),
            "tax_type": params.get("tax_type"),
        }
    )
    ctx.emit("tax_rate.created", rate)
    return rate


def retrieve_rate(ctx: Context) -> Json:
    return ctx.find("tax_rate", ctx.path["id"], "tax_rate", in_path=True)


def list_rates(ctx: Context) -> Json:
    items = ctx.store.select(ctx.scope, "tax_rate")
    for name in ("active", "inclusive"):
        if name in ctx.params:
            items = [item for item in items if item[name] == ctx.params[name]]
    return lists.page(ctx, [public(item) for item in items], "/v1/tax_rates")


def update_rate(ctx: Context) -> Json:
    rate = retrieve_rate(ctx)
    for name in (
        "active",
        "description",
        "display_name",
        "country",
        "state",
        "jurisdiction",
        "tax_type",
    ):
        if name in ctx.params:
            rate[name] = ctx.params[name]
    if "metadata" in ctx.params:
        rate["metadata"] = merge_metadata(rate["metadata"], ctx.params["metadata"])
    return ctx.put(rate)
