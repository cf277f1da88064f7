"""Lists for bookkeepers as CSV: everything of one seller and mode between two days.

Read page by page from the index of lists and written as it comes, so that its size doesn't matter.
Texts that buyers or callers chose must not run as formulas in the spreadsheet that opens them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from paylink.adapters.dynamodb.lists import place_before
from paylink.domain.money import currency_named
from paylink.domain.organization import MODES, Mode
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError

_PAGE = 100
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Listed(Protocol):
    @property
    def created_at(self) -> datetime: ...


Thing = TypeVar("Thing", bound=Listed)
Thing_co = TypeVar("Thing_co", bound=Listed, covariant=True)


class Pages(Protocol[Thing_co]):
    """A repository's list, newest first, each thing with its place."""

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Thing_co]]: ...


Columns = Mapping[str, Callable[[Any, ZoneInfo], object]]


def add_export(actions: Any, columns: Columns, source: Callable[[Deployment], Pages[Any]]) -> None:
    """``export`` of one kind of thing; days are those of the seller's own calendar."""

    def export(deployment: Deployment, options: argparse.Namespace) -> None:
        organization = deployment.organization(options.organization)
        if options.last < options.first:
            raise UsageError("--to is before --from")
        zone = ZoneInfo(organization.time_zone)
        things = between(
            source(deployment),
            (organization.id, options.mode),
            datetime.combine(options.first, time(), zone),
            datetime.combine(options.last + timedelta(days=1), time(), zone),
        )
        with ExitStack() as opened:
            target = sys.stdout
            if options.output is not None:
                # The mark by which spreadsheets know that a file is UTF-8.
                file = options.output.open("w", encoding="utf-8-sig", newline="")
                target = opened.enter_context(file)
            rows = csv.writer(target)
            rows.writerow(columns)
            for thing in things:
                rows.writerow([cell(read(thing, zone)) for read in columns.values()])

    action = add_action(actions, "export", export, "as CSV, newest first")
    action.add_argument("organization", help="org_…")
    action.add_argument("--mode", choices=MODES, required=True)
    action.add_argument(
        "--from", dest="first", type=_day, required=True, metavar="DAY", help="e.g. 2026-01-01"
    )
    action.add_argument(
        "--to", dest="last", type=_day, required=True, metavar="DAY", help="that day too"
    )
    action.add_argument("--output", type=Path, help="a file; default: standard output")


def between(
    pages: Pages[Thing], owner: tuple[str, Mode], since: datetime, until: datetime
) -> Iterator[Thing]:
    """What was made from ``since`` to before ``until``, newest first."""
    before = place_before(until)
    while True:
        found = pages.page(*owner, None, before, _PAGE)
        for place, thing in found:
            if thing.created_at < since:
                return
            before = place
            yield thing
        if len(found) < _PAGE:
            return


def amount(minor: int, currency: str) -> str:
    """``49.00`` for 4900 eur, ``500`` for 500 jpy; with a point in every locale."""
    return f"{Decimal(minor).scaleb(-currency_named(currency).decimals):f}"


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""


def cell(value: object) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_SIGNS) else text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day such as 2026-01-31") from None
