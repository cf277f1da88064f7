"""What pages and mails have in common as HTML: strangers' words in ours, and the dark ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape

from paylink.domain.color import parse_color

DARK_CARD: Final = parse_color("#1a211e")
"""As in page.css and the mails' layout: what an accent has to stand out from in the dark."""


def filled(text: str, parts: Mapping[str, object]) -> Markup:
    """A text of ours with its ``{parts}``: all escaped, and no part turns the direction of what is
    around it."""
    isolated = {name: Markup("<bdi>{}</bdi>").format(part) for name, part in parts.items()}
    return escape(text).format(**isolated)
