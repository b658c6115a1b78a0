"""What the address of a page chooses: dates, comparison and filters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.console.tables import DIMENSIONS
from serving.console.localized_texts import say
from serving.errors import ApiError

NONE = "~none"
"""What stands in an address for people or visits without a value."""
COMPARISONS = {"previous": "The days before", "year": "A year before", "none": "Nothing"}
USUAL_DAYS = 28
PRESETS = {"7 days": 7, "28 days": 28, "90 days": 90}
MOST_TEXT = 200
MOST_DAYS = 3_660  # each of them is a point of a chart
YEAR_DAYS = 364  # whole weeks, so that weekdays meet


@dataclass(frozen=True)
class View:
    """A choice of dates and filters, and what it is compared with.

    Attributes:
        selection: The dates and filters.
        compare: A key of COMPARISONS.
        first_date: First date of the data.
        extra: What else a page lets choose, such as `page`, by its name in the address.
    """

    selection: VisitSelection
    compare: str
    first_date: dt.date
    extra: Mapping[str, str]

    @property
    def before(self) -> VisitSelection | None:
        """The dates that are compared; None for none, and where they begin before the data."""
        if self.compare == "none":
            return None
        before = self.selection.move(-YEAR_DAYS if self.compare == "year" else -self.selection.days)
        return before if before.first >= self.first_date else None

    @property
    def note(self) -> str:
        """Why nothing is compared although the address says so; empty if it is."""
        if self.before is not None or self.compare == "none":
            return ""
        return say(
            "Nothing is compared: the dates before begin earlier than the first visit, {day}.", day=self.first_date
        )

    def query(self, **changes: str) -> str:
        """Return the query of this view's address, with changes; an empty one leaves a choice out."""
        parts = {"from": str(self.selection.first), "to": str(self.selection.last)}
        if self.compare != "previous":
            parts["compare"] = self.compare
        parts |= {name: value or NONE for name, value in self.selection.filters.items()}
        parts |= self.extra
        return urlencode({name: value for name, value in (parts | changes).items() if value})

    def recent(self, days: int, last: dt.date) -> str:
        """Return the query of the same view for the last days of the data."""
        return self.query(**{"from": str(last - dt.timedelta(days=days - 1)), "to": str(last)})


def read_view(query: Mapping[str, str], tables: PublishedTables, extra: tuple[str, ...] = ()) -> View:
    """Read the view from the query of an address.

    Raises:
        ApiError: 422, a date or the comparison is none, the last date comes first, the dates are too many, or a
            value is too long.
    """
    last = _date(query, "to") or tables.about["last_date"]
    first = _date(query, "from") or last - dt.timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise ApiError(422, f"the first date, {first}, comes after the last one, {last}", "from")
    if (last - first).days >= MOST_DAYS:
        raise ApiError(422, f"{first} to {last} are more than {MOST_DAYS} days; choose fewer", "from")
    compare = query.get("compare") or "previous"
    if compare not in COMPARISONS:
        raise ApiError(422, f"compare is {compare[:40]!r}; it may be {', '.join(COMPARISONS)}", "compare")
    texts = {name: query[name] for name in (*DIMENSIONS, *extra) if query.get(name)}
    for name, value in texts.items():
        if len(value) > MOST_TEXT:
            raise ApiError(422, f"{name} is longer than {MOST_TEXT} characters", name)
    filters = {name: "" if texts[name] == NONE else texts[name] for name in DIMENSIONS if name in texts}
    chosen = VisitSelection(first, last, filters)
    return View(
        chosen, compare, tables.about["first_date"], {name: texts[name] for name in extra if name in texts}
    )


def _date(query: Mapping[str, str], name: str) -> dt.date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        raise ApiError(422, f"{name} is {text[:40]!r}; write a date such as 2026-05-31", name) from None
    if not dt.date(1970, 1, 1) <= date <= dt.date(9000, 1, 1):
        raise ApiError(422, f"{name} is {date}; write a date from 1970 to 9000", name)
    return date
