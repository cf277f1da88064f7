"""The checkout page's routes: show, price as the buyer types, pay, authenticate, end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .. import cards, clock, money
from ..api import Api
from ..context import Context
from ..errors import Json
from ..resources import customers
from . import confirm
from .form import Form

_HERE = Path(__file__).parent
_CURRENCY_COUNTRY = {
    "usd": "US",
    "gbp": "GB",
    "jpy": "JP",
    "chf": "CH",
    "cad": "CA",
    "aud": "AU",
    "eur": "DE",
    "nok": "NO",
    "sek": "SE",
    "dkk": "DK",
    "pln": "PL",
    "sgd": "SG",
    "inr": "IN",
    "nzd": "NZ",
}
_NOT_COUNTRIES = frozenset(
    {"EU", "EZ", "UN", "XA", "XB", "XK", "ZZ", "QO", "CP", "CQ", "IC", "EA", "DG", "AC", "TA"}
)
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def countries(locale: str = "en") -> dict[str, str]:
    names = Locale.parse(locale).territories
    found = {
        code: name
        for code, name in names.items()
        if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


class Checkout:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._store = api.store
        self._countries = countries()
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route | Mount]:
        return [
            Mount("/c/static", StaticFiles(directory=_HERE / "static")),
            Route("/c/pay/{id}", self.show, methods=["GET"]),
            Route("/c/pay/{id}", self.pay, methods=["POST"]),
            Route("/c/pay/{id}/price", self.price, methods=["POST"]),
            Route("/c/pay/{id}/authenticate", self.challenge, methods=["GET"]),
            Route("/c/pay/{id}/authenticate", self.authenticate, methods=["POST"]),
            Route("/c/pay/{id}/done", self.done, methods=["GET"]),
            Route("/c/receipt/{id}", self.receipt, methods=["GET"]),
        ]

    # -- finding and showing

    def _find(self, request: Request) -> tuple[Context, Json] | None:
        clock.tick(self._store)
        found = self._store.find_any(request.path_params["id"])
        if found is None or found[1]["object"] != "checkout.session":
            return None
        return Context(self._store, found[0], self._api.base_url(request)), found[1]

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(name).render(**values)
        return HTMLResponse(html, status_code=status, headers=_HEADERS)

    def _closed(self, session: Json) -> Response:
        complete = session["status"] == "complete"
        return self._page(
            "closed.html",
            200 if complete else 410,
            session=session,
            complete=complete,
            seller=session["branding_settings"]["display_name"],
            livemode=session["livemode"],
            processing=complete and session["payment_status"] == "unpaid",
            amount=money.display(session["amount_total"], session["currency"]),
            back=session["cancel_url"],
            success=_success_url(session) if complete else None,
        )

    def _missing(self) -> Response:
        return self._page(
            "closed.html",
            404,
            session=None,
            complete=False,
            seller="Checkout",
            back=None,
            success=None,
            processing=False,
            livemode=False,
        )

    async def show(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return self._missing()
        ctx, session = found
        if session["status"] != "open":
            return self._closed(session)
        form = self._first_form(ctx, request, session)
        alert = ""
        if request.query_params.get("refused"):
            alert = cards.DECLINES["authentication_failure"][2]
        return self._form_page(ctx, request, session, form, alert)

    def _first_form(self, ctx: Context, request: Request, session: Json) -> Form:
        """What is known of the buyer already: from an earlier attempt, or from the customer."""
        kept = session.get("_form") or {}
        customer: Json = {}
        if session["customer"]:
            customer = self._store.get(ctx.own, "customer", session["customer"]) or {}
        address = customer.get("address") or {}
        form = Form.read(kept)
        details = session["customer_details"] or {}
        form.email = form.email or details.get("email") or ""
        form.name = form.name or customer.get("name") or ""
        form.country = (
            form.country or address.get("country") or _guess_country(request, session["currency"])
        )
        if not kept and address.get("postal_code"):
            form.postal = address["postal_code"]
        if not form.vat and customer:
            ids = customers.tax_ids_of(ctx, customer["id"])
            form.vat = ids[0]["value"] if ids else ""
        if "card" not in session["payment_method_types"]:
            form.method = "debit"
        return form

    def _form_page(
        self,
        ctx: Context,
        request: Request,
        session: Json,
        form: Form,
        alert: str,
        status: int = 200,
    ) -> Response:
        locale = _locale(request, session)
        confirm.price_for(ctx, session, form)
        methods = session["payment_method_types"]
        return self._page(
            "checkout.html",
            status,
            session=session,
            form=form,
            alert=alert,
            countries=self._countries,
            seller=session["branding_settings"]["display_name"],
            price=_prices(session, locale),
            items=_items(session, locale),
            cards=cards.SHOWN,
            livemode=session["livemode"],
            has_card="card" in methods,
            has_debit=any(name != "card" for name in methods),
            debit_name="ACH" if session["currency"] == "usd" else "SEPA",
            vat=session["tax_id_collection"]["enabled"],
            back=session["cancel_url"],
        )

    # -- acting

    async def price(self, request: Request) -> Response:
        """The amounts for what is typed so far, formatted for the buyer."""
        found = self._find(request)
        if found is None or found[1]["status"] != "open":
            return JSONResponse({"gone": True}, 410, headers=_HEADERS)
        ctx, session = found
        confirm.price_for(ctx, session, Form.read(await _fields(request)))
        return JSONResponse(_prices(session, _locale(request, session)), headers=_HEADERS)

    async def pay(self, request: Request) -> Response:
        fields = await _fields(request)
        found = self._find(request)
        if found is None:
            return self._missing()
        ctx, session = found
        form = Form.read(fields)
        if not session["tax_id_collection"]["enabled"]:
            form.vat = ""
        types = session["payment_method_types"]
        if form.method == "card" and "card" not in types:
            form.method = "debit"
        if form.method == "debit" and types == ["card"]:
            form.method = "card"
        if session["status"] == "open" and not form.check(now=ctx.now, countries=self._countries):
            return self._refuse(ctx, request, session, form, "")
        with self._store.transaction():
            outcome = confirm.pay(ctx, session, form)
        if outcome.state == "declined":
            return self._refuse(ctx, request, session, form, outcome.message)
        path = f"/c/pay/{session['id']}"
        return self._go(
            request,
            session,
            {
                "paid": f"{path}/done",
                "authenticate": f"{path}/authenticate",
            }.get(outcome.state, path),
        )

    def _refuse(
        self, ctx: Context, request: Request, session: Json, form: Form, message: str
    ) -> Response:
        form.cvc = ""
        if _wants_json(request):
            return JSONResponse({"message": message, "errors": form.errors}, 402, headers=_HEADERS)
        return self._form_page(ctx, request, session, form, message, 402)

    def _go(self, request: Request, session: Json, path: str) -> Response:
        """A script follows the address itself: straight to the seller, past `form-action`."""
        if _wants_json(request):
            if path.endswith("/done"):
                path = _success_url(session)
            return JSONResponse({"url": path}, headers=_HEADERS)
        return RedirectResponse(path, 303, headers=_HEADERS)

    async def challenge(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return self._missing()
        ctx, session = found
        intent = None
        if session["payment_intent"] and session["status"] == "open":
            intent = ctx.find("payment_intent", session["payment_intent"], "payment_intent")
        if intent is None or intent["status"] != "requires_action":
            return RedirectResponse(f"/c/pay/{session['id']}", 303, headers=_HEADERS)
        method = ctx.find("payment_method", intent["payment_method"], "payment_method")
        return self._page(
            "authenticate.html",
            session=session,
            card=method["card"],
            seller=session["branding_settings"]["display_name"],
            livemode=session["livemode"],
            amount=money.display(intent["amount"], intent["currency"], _locale(request, session)),
        )

    async def authenticate(self, request: Request) -> Response:
        fields = await _fields(request)
        found = self._find(request)
        if found is None:
            return self._missing()
        ctx, session = found
        with self._store.transaction():
            outcome = confirm.authenticate(ctx, session, approved=fields.get("answer") == "approve")
        path = f"/c/pay/{session['id']}"
        if outcome.state == "declined":
            return self._go(request, session, f"{path}?refused=1")
        return self._go(request, session, f"{path}/done" if outcome.state == "paid" else path)

    async def done(self, request: Request) -> Response:
        """On to the seller by a refresh: a redirect after a form would need its origin allowed."""
        found = self._find(request)
        if found is None:
            return self._missing()
        session = found[1]
        if session["status"] != "complete":
            return RedirectResponse(f"/c/pay/{session['id']}", 303, headers=_HEADERS)
        return self._page(
            "done.html",
            url=_success_url(session),
            session=session,
            livemode=session["livemode"],
            seller=session["branding_settings"]["display_name"],
            processing=session["payment_status"] == "unpaid",
        )

    async def receipt(self, request: Request) -> Response:
        found = self._store.find_any(request.path_params["id"])
        if found is None or found[1]["object"] != "charge":
            return self._missing()
        charge = found[1]
        name = Context(self._store, found[0], "").account()["business_profile"]["name"]
        return self._page(
            "receipt.html",
            charge=charge,
            seller=name,
            livemode=charge["livemode"],
            amount=money.display(charge["amount"], charge["currency"]),
        )


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _locale(request: Request, session: Json) -> str:
    wanted = session["locale"]
    if wanted in (None, "auto"):
        wanted = request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
    try:
        return str(Locale.parse((wanted or "en-US").replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        return "en_US"


def _guess_country(request: Request, currency: str) -> str:
    for part in request.headers.get("accept-language", "").split(","):
        region = part.split(";")[0].strip().partition("-")[2].upper()
        if len(region) == 2 and region.isalpha():
            return region
    return _CURRENCY_COUNTRY.get(currency, "US")


def _prices(session: Json, locale: str) -> Json:
    currency = session["currency"]
    taxes = session["_breakdown"]["taxes"]
    automatic = session["automatic_tax"]
    waiting = automatic["status"] == "requires_location_inputs"
    inclusive = bool(taxes) and all(entry["rate"]["inclusive"] for entry in taxes)
    return {
        "subtotal": money.display(session["amount_subtotal"], currency, locale),
        "tax": "Enter your address"
        if waiting
        else money.display(session["total_details"]["amount_tax"], currency, locale),
        "tax_label": _tax_label(taxes, inclusive),
        "tax_shown": bool(automatic["enabled"] or taxes),
        "total": money.display(session["amount_total"], currency, locale),
        "waiting": waiting,
    }


def _tax_label(taxes: list[Json], inclusive: bool) -> str:
    if not taxes:
        return "Tax"
    reasons = {entry["taxability_reason"] for entry in taxes}
    if reasons == {"reverse_charge"}:
        return "VAT (reverse charge)"
    if reasons == {"not_collecting"}:
        return "Tax"
    parts = [
        f"{entry['rate']['display_name']} {_percent(entry['rate']['percentage'])}"
        for entry in taxes
    ]
    return " + ".join(parts) + (" (included)" if inclusive else "")


def _percent(value: float) -> str:
    return f"{json.dumps(value).removesuffix('.0')}%"


def _items(session: Json, locale: str) -> list[Json]:
    return [
        {
            "name": item["description"],
            "detail": item["_detail"],
            "quantity": item["quantity"],
            "amount": money.display(item["amount_subtotal"], session["currency"], locale),
        }
        for item in session["_items"]
    ]
