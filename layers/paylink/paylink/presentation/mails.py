"""E-mails to buyers and owners: each once in HTML and once, complete as well, in plain text.

Mail programs know no style sheets of ours and few of their own, so that the HTML is tables with
their styles beside them. Whatever strangers wrote is escaped there, and made one line in headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paylink.domain.color import hex_color, lightened, mix, parse_color
from paylink.domain.language import document_language
from paylink.domain.mail import DocumentMailing, EndpointNotice, Mail, Occasion, one_line
from paylink.domain.organization import Organization
from paylink.presentation.document_view import DocumentView, view_document
from paylink.presentation.documents import document_facts
from paylink.presentation.formatting import format_day, format_money, locale_named
from paylink.presentation.html import DARK_CARD, filled
from paylink.presentation.languages import language_tag
from paylink.presentation.texts import Texts, texts_in

_ACCENT: Final = "#1f5f4f"  # as in page.css
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


@dataclass(frozen=True)
class _Wording:
    """What is said on one occasion; ``detail`` is what the buyer can expect or do."""

    subject: str
    intro: str
    download: str
    detail: str | None = None


_WORDINGS: Final[Mapping[Occasion, Callable[[Texts], _Wording]]] = {
    "paid": lambda t: _Wording(t.mail_receipt_subject, t.mail_receipt_intro, t.receipt_download),
    "asked_for": lambda t: _Wording(
        t.mail_invoice_subject, t.mail_invoice_intro, t.receipt_download
    ),
    "refunded": lambda t: _Wording(
        t.mail_credit_note_subject,
        t.mail_credit_note_intro,
        t.receipt_download_credit_note,
        t.mail_refund_detail,
    ),
    "refund_failed": lambda t: _Wording(
        t.mail_credit_note_void_subject,
        t.mail_credit_note_void_intro,
        t.receipt_download_credit_note,
        t.mail_credit_note_void_detail,
    ),
}


def document_mail(mailing: DocumentMailing) -> Mail:
    """What a buyer is written about an invoice or a credit note, in the document's language."""
    document, link = mailing.document, mailing.link
    view = view_document(document_facts(document))
    t = texts_in(view.locale)
    seller = document.seller
    wording = _WORDINGS[mailing.occasion](t)
    until = link.until.astimezone(ZoneInfo(seller.time_zone)) if link else None
    parts = {
        "seller": one_line(seller.name),
        "number": document.number,
        "amount": format_money(document.amount_total, document.currency, view.locale),
        "date": format_day(until, view.locale) if until else "",
        "name": one_line(document.buyer.name or ""),
        "contact": seller.email or "",
    }
    say = _Speaker(
        parts,
        subject=wording.subject,
        greeting=t.mail_greeting if parts["name"] else t.mail_greeting_unnamed,
        intro=wording.intro,
    )
    html = _environment.get_template("document.html").render(
        lang=language_tag(view.locale),
        direction=view.locale.text_direction,
        sandbox=view.sandbox,
        view=view,
        t=t,
        say=say,
        amount=parts["amount"],
        seller=seller,
        wording=wording,
        url=link.url if link else None,
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
        text="\n".join(_lines(mailing, view, t, say, wording)) + "\n",
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
        "dark": hex_color(lightened(accent, DARK_CARD)),
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
        return filled(text, self._parts)

    def plain(self, text: str) -> str:
        return text.format(**self._parts)


def _lines(
    mailing: DocumentMailing, view: DocumentView, t: Texts, say: _Speaker, wording: _Wording
) -> Iterator[str]:
    seller = mailing.document.seller
    if view.sandbox:
        yield from (view.sandbox, "")
    yield from (say.plain(say.greeting), "", say.plain(say.intro), "")
    if wording.detail:
        yield from (say.plain(wording.detail), "")
    yield from (t.mail_summary, _RULE)
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
    if mailing.link is not None:
        yield f"{wording.download}: {mailing.link.url}"
        yield say.plain(t.mail_link_until)
        yield ""
    if seller.email:
        yield say.plain(t.contact)
    yield from ("", "-- ", view.seller.name, *view.seller.lines, "", say.plain(t.mail_why))
