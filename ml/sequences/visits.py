"""Visits and their page views as the warehouse holds them, numbered for chains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, Bools
from ml.sequences.attribution.journeys import Journeys, build_journeys

INTERNAL = "internal"  # a visit that began with a link of the site itself: nothing brought it about


@dataclass(frozen=True)
class SiteVisits:
    """Visits in the order of time, with the page views before the goal was reached.

    Attributes:
        visits: One row per visit: `session_key`, `user_id`, `started_at`, `local_started_at`, `device_type`,
            `channel`, `campaign`, `page_views`, `conversions`, `revenue` and `segment`.
        views: One row per page view before the goal, visit after visit in the order of the path: `session_key`,
            `page_key`, `item_id`, `category`, `is_product` and `dwell_seconds`; and, as numbers, `visit` from 0,
            `person`, and `is_converted`.
        visit_rows: Row of each visit that has page views, (v,). The others say nothing of a path.
        people: Number of the person of each visit, (visits,).
    """

    visits: pa.Table
    views: pa.Table
    visit_rows: I64
    people: I64

    @classmethod
    def of(cls, visits: pa.Table, views: pa.Table) -> SiteVisits:
        """Number the visits and people of two tables; views of visits that are not listed are left out."""
        people = np.unique(np.array(visits.column("user_id").to_pylist(), dtype=object), return_inverse=True)[1]
        keys = np.asarray(visits.column("session_key")).astype(np.uint64)
        order = np.argsort(keys)
        of_views = np.asarray(views.column("session_key")).astype(np.uint64)
        places = np.minimum(np.searchsorted(keys[order], of_views), max(len(keys) - 1, 0))
        is_listed = keys[order][places] == of_views if len(keys) else np.zeros(len(of_views), bool)
        rows = order[places[is_listed]] if len(keys) else np.zeros(0, dtype=np.int64)
        in_time = np.argsort(rows, kind="stable")
        rows = rows[in_time]
        visit_rows, numbers = np.unique(rows, return_inverse=True)
        converted = np.asarray(pc.fill_null(visits.column("conversions"), 0)) > 0
        listed = views.filter(pa.array(is_listed)).take(pa.array(in_time))
        numbered = (
            listed.append_column("visit", pa.array(numbers.astype(np.int64)))
            .append_column("person", pa.array(people[rows].astype(np.int64)))
            .append_column("is_converted", pa.array(converted[rows]))
        )
        return cls(visits, numbered, visit_rows.astype(np.int64), people.astype(np.int64))

    def groupings(self) -> dict[str, list[str | None]]:
        """Return the group of each visit that has page views, by month, weekday, device and segment."""
        visits = self.visits.take(pa.array(self.visit_rows))
        started_at = visits.column("local_started_at")
        return {
            "month": pc.strftime(started_at, format="%Y-%m").to_pylist(),
            "weekday": pc.strftime(started_at, format="%u %A").to_pylist(),
            "device": visits.column("device_type").to_pylist(),
            "segment": visits.column("segment").to_pylist(),
        }

    def journeys(self, dimension: str, lookback_days: float) -> Journeys:
        """Return the journeys of people through the channels or campaigns of their visits.

        A visit without a page view has no channel, and one that a link of the site itself began continues what
        was before it.
        """
        started_at = np.asarray(self.visits.column("started_at").cast(pa.timestamp("us"))).astype(np.int64)
        order = np.lexsort((started_at, self.people))
        touches = np.array(self.visits.column(dimension).to_pylist(), dtype=object)
        touches[~self._has_touch()] = None
        return build_journeys(
            self.people[order],
            started_at[order],
            touches[order].tolist(),
            np.asarray(pc.fill_null(self.visits.column("conversions"), 0)).astype(np.float64)[order],
            np.asarray(pc.fill_null(self.visits.column("revenue"), 0.0)).astype(np.float64)[order],
            lookback_days,
        )

    def _has_touch(self) -> Bools:
        channels = np.array(self.visits.column("channel").to_pylist(), dtype=object)
        views = np.asarray(pc.fill_null(self.visits.column("page_views"), 0))
        return np.asarray((views > 0) & (channels != INTERNAL), dtype=bool)
