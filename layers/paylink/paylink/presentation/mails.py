"""E-mails to buyers and owners: each once in HTML and once, complete as well, in plain text.

Mail programs know no style sheets of ours and few of their own, so that the HTML is tables with
their styles beside them. Whatever strangers wrote is escaped there, and made one line in headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from paylink.domain.color import hex_color, lightened, mix, parse_color
from paylink.domain.language import document_language
from paylink.domain.mail import EndpointNotice, InvoiceMailing, Mail, one_line
from paylink.domain.organization import Organization
from paylink.presentation.document_view import DocumentView, view_document
from paylink.presentation.documents import invoice_document
from paylink.presentation.formatting import format_day, format_money, locale_named
from paylink.presentation.languages import language_tag
from paylink.presentation.texts import Texts, texts_in

_ACCENT: Final = "#1f5f4f"  # as in page.css
_DARK_CARD: Final = parse_color("#1a211e")
_LOGO_BOX: Final = (200, 64)  # as on pages
_RULE: Final = "-" * 40

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates" / "mail"),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def invoice_mail(mailing: InvoiceMailing) -> Mail:
    """The receipt of a payment, or an invoice that its seller sends, in the document's language."""
    invoice = mailing.invoice
    view = view_document(invoice_document(invoice))
    t = texts_in(view.locale)
    seller = invoice.seller
    until = mailing.url_until.astimezone(ZoneInfo(seller.time_zone))
    parts = {
        "seller": one_line(seller.name),
        "number": invoice.number,
        "amount": format_money(invoice.amount_total, invoice.currency, view.locale),
        "date": format_day(until, view.locale),
        "name": one_line(invoice.buyer.name or ""),
        "contact": seller.email or "",
    }
    say = _Speaker(
        parts,
        subject=t.mail_invoice_subject if mailing.asked_for else t.mail_receipt_subject,
        greeting=t.mail_greeting if parts["name"] else t.mail_greeting_unnamed,
        intro=t.mail_invoice_intro if mailing.asked_for else t.mail_receipt_intro,
    )
    html = _environment.get_template("invoice.html").render(
        lang=language_tag(view.locale),
        direction=view.locale.text_direction,
        sandbox=view.sandbox,
        view=view,
        t=t,
        say=say,
        amount=parts["amount"],
        seller=seller,
        url=mailing.url,
        logo_url=mailing.logo_url,
        logo_size=seller.logo.fitted(*_LOGO_BOX) if seller.logo else None,
        attached=mailing.attachment is not None,
        **_colors(seller),
    )
    return Mail(
        to=mailing.to,
        from_name=seller.name,
        reply_to=seller.email,
        subject=one_line(say.plain(say.subject), 200),
        text="\n".join(_lines(mailing, view, t, say)) + "\n",
        html=html,
        attachments=(mailing.attachment,) if mailing.attachment else (),
    )


def endpoint_mail(notice: EndpointNotice) -> Mail:
    """That a webhook endpoint was switched off, and what to do, in the owner's own language."""
    owner = notice.owner
    locale = locale_named(document_language(None, owner.address.country))
    t = texts_in(locale)
    parts = {
        "name": one_line(owner.name),
        "seller": one_line(owner.name),
        "url": one_line(notice.url, 2_048),
        "switch_on": f"PATCH /webhooks/{notice.endpoint_id}",
        "resend": f"POST /webhooks/{notice.endpoint_id}/resend",
    }
    gone = notice.reason == "gone"
    say = _Speaker(
        parts,
        subject=t.mail_endpoint_subject,
        greeting=t.mail_greeting,
        intro=t.mail_endpoint_gone if gone else t.mail_endpoint_failing,
    )
    sandbox = t.sandbox if notice.mode == "sandbox" else None
    html = _environment.get_template("endpoint.html").render(
        lang=language_tag(locale),
        direction=locale.text_direction,
        sandbox=sandbox,
        t=t,
        say=say,
        seller=owner,
        **_colors(owner),
    )
    said = (say.greeting, say.intro, t.mail_endpoint_todo, t.mail_endpoint_why)
    text = "\n\n".join(filter(None, (sandbox, *(say.plain(part) for part in said))))
    return Mail(
        to=notice.to,
        from_name=owner.name,
        reply_to=None,
        subject=one_line(say.plain(say.subject), 200),
        text=f"{text}\n",
        html=html,
    )


def _colors(seller: Organization) -> dict[str, str]:
    accent = parse_color(seller.accent or _ACCENT)
    return {
        "accent": hex_color(accent),
        "dark": hex_color(lightened(accent, _DARK_CARD)),
        "on_dark": hex_color(mix(accent, (0, 0, 0), 0.85)),
    }


class _Speaker:
    """Fills in the texts of one mail; the same words for HTML and for plain text."""

    def __init__(self, parts: dict[str, str], *, subject: str, greeting: str, intro: str) -> None:
        self._parts = parts
        self.subject = subject
        self.greeting = greeting
        self.intro = intro

    def __call__(self, text: str) -> Markup:
        """For HTML: a name's direction doesn't turn what is around it."""
        isolated = {n: Markup("<bdi>{}</bdi>").format(v) for n, v in self._parts.items()}
        return escape(text).format(**isolated)

    def plain(self, text: str) -> str:
        return text.format(**self._parts)


def _lines(mailing: InvoiceMailing, view: DocumentView, t: Texts, say: _Speaker) -> Iterator[str]:
    seller = mailing.invoice.seller
    if view.sandbox:
        yield from (view.sandbox, "")
    yield from (say.plain(say.greeting), "", say.plain(say.intro), "", t.mail_summary, _RULE)
    for line in view.lines:
        yield f"{line.description}\n    {line.quantity} × {line.unit_price} = {line.amount}"
    yield _RULE
    for row in (*view.sums, view.total):
        yield f"{row.label}: {row.value}"
    yield ""
    for row in view.facts:
        yield f"{row.label}: {row.value}"
    yield from (text for text in (view.payment, *view.notes) if text)
    yield ""
    if mailing.attachment is not None:
        yield t.mail_attached
    yield f"{t.receipt_download}: {mailing.url}"
    yield say.plain(t.mail_link_until)
    yield ""
    if seller.email:
        yield say.plain(t.contact)
    yield from ("", "-- ", view.seller.name, *view.seller.lines, "", say.plain(t.mail_why))
