"""What a reader of the console chose: a range of dates and filters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ml.console.tables import VARYING


@dataclass(frozen=True)
class VisitSelection:
    """A range of dates, both ends included, and at most one value for each dimension."""

    first: dt.date
    last: dt.date
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """Number of dates; 0 where the last one comes before the first."""
        return max((self.last - self.first).days + 1, 0)

    def counted_by(self, *dimensions: str) -> str:
        """Return the value of `counted_by` whose rows count people under the filters and within dimensions."""
        return ",".join(name for name in VARYING if name in self.filters or name in dimensions)

    def move(self, days: int) -> VisitSelection:
        """Return the same selection so many days later."""
        shift = dt.timedelta(days=days)
        return replace(self, first=self.first + shift, last=self.last + shift)

    def narrow(self, dimension: str, value: str) -> VisitSelection:
        """Return the selection with another filter."""
        return replace(self, filters={**self.filters, dimension: value})
