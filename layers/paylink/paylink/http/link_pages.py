"""From what a link shows to the page or redirect that shows it."""

from __future__ import annotations

from urllib.parse import parse_qs

from paylink import bootstrap
from paylink.domain.download_link import link_to
from paylink.domain.errors import PaylinkError
from paylink.domain.payment import CORRECTING
from paylink.domain.tax import LONGEST_TAX_ID
from paylink.http.envelope import Response
from paylink.http.request import Request
from paylink.presentation import pages
from paylink.presentation.countries import COUNTRIES
from paylink.presentation.languages import language_read, negotiate_locale
from paylink.services.own_tax import Told
from paylink.services.view_link import LinkView

_MOST_FIELDS = 20


def link_response(view: LinkView | str, request: Request) -> Response:
    """The page, or the redirect to where the buyer goes on."""
    if isinstance(view, str):
        return redirect(view)
    locale = negotiate_locale(request.header("accept-language"))
    payment, seller = view.payment, view.seller
    origins = bootstrap.settings().checkout_origins
    match view.kind:
        case "checkout" if view.form is None or CORRECTING not in request.query:
            session = payment.current_session
            return redirect(session.url if session and session.url else payment.url or "")
        case "checkout" | "payable":
            page = pages.payable_page(payment, seller, locale, origins, view.form)
        case "confirming":
            returned = request.query.get("session_id")
            suffix = f"?session_id={returned}" if payment.session_named(returned or "") else ""
            page = pages.confirming_page(
                payment,
                seller,
                locale,
                f"{payment.url}{suffix}",
                view.can_pay,
                checkout_origins=origins,
            )
        case "receipt":
            download = None
            if view.invoice is not None and view.download_token is not None:
                download = link_to(request.base_url, view.invoice.id, view.download_token)
            notes = [
                (note.number, link_to(request.base_url, note.id, token))
                for note, token in view.credit_notes
            ]
            page = pages.receipt_page(payment, seller, view.invoice, download, locale, notes)
        case "ended":
            page = pages.ended_page(payment, seller, locale)
    return _response(page)


def looked_at(request: Request) -> tuple[str, str | None]:
    """Which payment, and the session that somebody says they come back from."""
    return request.parameters["paymentId"], request.query.get("session_id")


def asked_by(request: Request) -> tuple[str, Told | None, str | None]:
    """Which payment is to be paid, what the form of its page says, and what its reader reads."""
    reads = language_read(request.header("accept-language"))
    return request.parameters["paymentId"], _told_by(request), reads


def _told_by(request: Request) -> Told | None:
    """What the form of the page says; None for one without fields.

    Anybody can send anything here: what isn't a form says nothing, a country that there isn't is
    none, and the rest is cut to what can be meant.
    """
    try:
        text = request.body.decode(errors="replace")
        fields = parse_qs(text, max_num_fields=_MOST_FIELDS, errors="replace")
    except ValueError:
        fields = {}
    if not fields:
        return None

    def said(name: str, longest: int) -> str:
        return fields.get(name, [""])[0].strip()[:longest]

    country = said("country", 2)
    return Told(
        country=country if country in COUNTRIES else "",
        region=said("region", 3),
        tax_id=said("tax_id", LONGEST_TAX_ID),
    )


def problem_response(error: PaylinkError, request: Request | None) -> Response:
    """A page for what went wrong, instead of the API's envelope."""
    locale = negotiate_locale(request.header("accept-language") if request else None)
    if error.status == 404:
        return _response(pages.not_found_page(locale))
    if error.status >= 500:
        return _response(pages.unavailable_page(locale))
    return _response(pages.problem_page(error.status, locale))


def redirect(url: str) -> Response:
    """To the very URL, byte for byte: the provider's has a fragment that its page needs."""
    return Response(303, "", {"location": url, "referrer-policy": "no-referrer"}, "text/plain")


def _response(page: pages.Page) -> Response:
    headers = {n: v for n, v in page.headers.items() if n != "content-type"}
    return Response(page.status, page.html, headers, page.headers["content-type"])
