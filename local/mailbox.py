"""The local stack's mailbox: every mail that was handed to the emulator's SES, for a human to read.

Runs within the emulator, which keeps subject and texts of a message and drops the rest: here the
whole message is kept beside them. Programs get the emulator's JSON at the same address; a browser
gets pages, since it asks for HTML.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from typing import Any
from urllib.parse import unquote

PATH = "/_ministack/ses/messages"
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[..., Awaitable[Answer | None]]
Records = Callable[[], list[dict[str, Any]]]

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; }
tr + tr td { border-top: 1px solid #8884; }
iframe { width: 100%; height: 60rem; border: 1px solid #8884; border-radius: .5rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8884; }
"""


def keeping_raw(handle: Handler, records: Records) -> Handler:
    """SES as it is, and each raw message kept with what is recorded of it."""

    async def sees_all(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer | None:
        answer = await handle(method, path, headers, body, query)
        if method == "POST" and path.rstrip("/").endswith("/outbound-emails"):
            raw = json.loads(body).get("Content", {}).get("Raw", {}).get("Data")
            if raw and answer is not None and answer[0] == 200:
                sent = json.loads(answer[2])["MessageId"]
                for record in records():
                    if record["MessageId"] == sent:
                        record["Raw"] = raw
        return answer

    return sees_all


def with_pages(handle: Handler, records: Records) -> Handler:
    """The emulator's list of messages, which a browser gets as pages."""

    async def reads(
        method: str, path: str, headers: dict[str, str], query: dict[str, Any]
    ) -> Answer | None:
        accepted = {name.lower(): value for name, value in headers.items()}.get("accept", "")
        if method != "GET" or not path.startswith(PATH):
            return await handle(method, path, headers, query)
        named = unquote(path.removeprefix(PATH)).strip("/")
        if named:
            return _part(named, records())
        if "text/html" in accepted:
            return _page("Mailbox", _list(records()))
        return await handle(method, path, headers, query)

    return reads


def _list(records: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{_time(record)}</td><td>{escape(', '.join(record['To']))}</td>"
        f"<td><a href='{PATH}/{escape(record['MessageId'])}'>{escape(record['Subject'])}</a></td>"
        "</tr>"
        for record in reversed(records)
    )
    return f"<table>{rows}</table>" if rows else "<p>No mail yet: pay a link.</p>"


def _part(named: str, records: list[dict[str, Any]]) -> Answer:
    """One message, its HTML alone, or one of its attachments."""
    message_id, _, part = named.partition("/")
    record = next((r for r in records if r["MessageId"] == message_id and "Raw" in r), None)
    if record is None:
        return 404, {"Content-Type": "text/plain"}, b"There is no such mail."
    message = message_from_bytes(base64.b64decode(record["Raw"]), policy=policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101
    attachments = list(message.iter_attachments())
    if part == "html":
        # As a mail program shows it: no script, and pictures only of this machine's own stack.
        closed = (
            "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline';"
            " img-src http://127.0.0.1:*"
        )
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": closed}
        return 200, headers, record["BodyHtml"].encode()
    if part.isdigit() and int(part) < len(attachments):
        attachment = attachments[int(part)]
        headers = {
            "Content-Type": attachment.get_content_type(),
            "Content-Disposition": f'inline; filename="{attachment.get_filename()}"',
        }
        return 200, headers, attachment.get_content()
    address = f"{PATH}/{escape(message_id)}"
    facts = "".join(
        f"<tr><th>{name}</th><td>{escape(str(message.get(name, '')))}</td></tr>"
        for name in ("From", "Reply-To", "To", "Subject")
    )
    files = "".join(
        f"<p>Attached: <a href='{address}/{n}'>{escape(a.get_filename() or 'attachment')}</a></p>"
        for n, a in enumerate(attachments)
    )
    return _page(
        str(message.get("Subject", "")),
        f"<p><a href='{PATH}'>Mailbox</a></p><table>{facts}<tr><th>Sent</th><td>{_time(record)}"
        f"</td></tr></table>{files}<h2>HTML</h2><iframe src='{address}/html' title='HTML'></iframe>"
        f"<h2>Text</h2><pre>{escape(record['BodyText'])}</pre>",
    )


def _page(title: str, content: str) -> Answer:
    html = (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{content}"
    )
    return 200, {"Content-Type": "text/html; charset=utf-8"}, html.encode()


def _time(record: dict[str, Any]) -> str:
    return datetime.fromtimestamp(record["Timestamp"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
