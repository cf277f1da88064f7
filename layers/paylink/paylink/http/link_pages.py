"""From what a link shows to the page or redirect that shows it."""

from __future__ import annotations

from paylink import bootstrap
from paylink.domain.download_link import link_to
from paylink.domain.errors import PaylinkError
from paylink.http.envelope import Response
from paylink.http.request import Request
from paylink.presentation import pages
from paylink.presentation.languages import negotiate_locale
from paylink.services.view_link import LinkView


def link_response(view: LinkView, request: Request) -> Response:
    locale = negotiate_locale(request.header("accept-language"))
    payment, seller = view.payment, view.seller
    origins = bootstrap.settings().checkout_origins
    match view.kind:
        case "checkout":
            session = payment.current_session
            return redirect(session.url if session and session.url else payment.url or "")
        case "payable":
            page = pages.payable_page(payment, seller, locale, origins)
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
            page = pages.receipt_page(payment, seller, view.invoice, download, locale)
        case "ended":
            page = pages.ended_page(payment, seller, locale)
    return _response(page)


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
