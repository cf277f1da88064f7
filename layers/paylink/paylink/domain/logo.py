"""A seller's picture, kept under a name made of what it holds: whatever was made with it can go on
naming it, and whoever has it may keep it for ever."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["png", "jpg"]
MEDIA_TYPES: Final[dict[str, str]] = {"png": "image/png", "jpg": "image/jpeg"}

_KEY: Final = re.compile(r"logos/org_[0-9A-Za-z]{1,64}/[0-9a-f]{32}\.(?P<kind>png|jpg)", re.ASCII)


@dataclass(frozen=True)
class Logo:
    """Where a picture is, and how large it is in pixels."""

    key: str
    """In the bucket, and the path at which anybody gets it: ``logos/{organization}/{hash}.png``."""
    width: int
    height: int

    def fitted(self, width: float, height: float) -> tuple[float, float]:
        """Its size within a box, all of it seen and nothing of it stretched."""
        scale = min(width / self.width, height / self.height)
        return self.width * scale, self.height * scale


def logo_key(organization_id: str, content: bytes, kind: Kind) -> str:
    return f"logos/{organization_id}/{hashlib.sha256(content).hexdigest()[:32]}.{kind}"


def media_type_of(key: str) -> str | None:
    """What is kept there; None for what can't be the key of a logo."""
    found = _KEY.fullmatch(key)
    return MEDIA_TYPES[found["kind"]] if found else None
