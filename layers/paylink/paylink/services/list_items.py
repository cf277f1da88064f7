"""Pages of any list: newest first, filtered, with a sealed cursor to go on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from paylink.domain.cursor import seal, unseal
from paylink.domain.errors import PaylinkError, ValidationError
from paylink.domain.organization import Mode
from paylink.ports import CredentialsStore

_READS = 4  # how many pages of the index one request reads to fill a filtered page

Thing = TypeVar("Thing")
Found_co = TypeVar("Found_co", covariant=True)


@dataclass(frozen=True)
class Page(Generic[Thing]):
    """May be shorter than asked for, even empty, while ``next_cursor`` leads on."""

    items: tuple[Thing, ...]
    next_cursor: str | None

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None


class Reader(Protocol[Found_co]):
    """Reads up to ``limit`` things before a position, each with its own position."""

    def __call__(self, before: str | None, limit: int) -> Sequence[tuple[str, Found_co]]: ...


@dataclass(frozen=True)
class ListRequest:
    """``name`` and ``filters`` say which list a cursor belongs to."""

    organization_id: str
    mode: Mode
    name: str
    filters: tuple[str, ...]
    limit: int
    cursor: str | None


def list_items(
    request: ListRequest,
    read: Reader[Thing],
    credentials: CredentialsStore,
    keep: Callable[[Thing], bool] = lambda _: True,
) -> Page[Thing]:
    """Raises ValidationError for a cursor that isn't this list's."""
    secrets = credentials.get(request.organization_id, request.mode)
    if secrets is None:
        raise PaylinkError()
    scope = (request.organization_id, request.mode, request.name, *request.filters)
    before = None
    if request.cursor is not None:
        before = unseal(request.cursor, scope, secrets.signing_key)
        if before is None:
            raise ValidationError.of("cursor", "It is not a cursor of this list.")
    kept: list[Thing] = []
    for _ in range(_READS):
        wanted = request.limit - len(kept)
        found = read(before, wanted + 1)
        kept += [thing for _, thing in found[:wanted] if keep(thing)]
        if len(found) <= wanted:
            return Page(tuple(kept), None)
        before = found[wanted - 1][0]
        if len(kept) == request.limit:
            break
    return Page(tuple(kept), seal(before or "", scope, secrets.signing_key))
