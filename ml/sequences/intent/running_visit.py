"""A visit as far as it has come, folded one action at a time, by training and by the service alike."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.arrays import F32

NOT_DONE_BY_VISITORS = frozenset(
    {
        *("served", "impression", "exposure", "identify", "preference", "consent_granted", "consent_withdrawn"),
        *("erased", "segment_feedback"),
    }
)
"""Event types that are no action of a visit; the mart `visit_events` leaves them out as well."""
WITH_ELEMENT = frozenset({"click", "hover"})
REMEMBERED = ("add_to_cart", "purchase", "checkout", "signup", "subscribe")
DEVICES = ("mobile", "tablet", "desktop", "tv")
MEASURES = ("hover", "cursor", "page_ping")
LATEST_VIEWS = 50
LONGEST_ELEMENT = 100
SIGNALS_OF_A_VISIT = 100
"""Different signals that a visit counts: a browser can make names up."""
EARLIER_MOST = 20.0
SECONDS_A_DAY = 86_400.0
FEATURES: tuple[str, ...] = (
    "events", "views", "items", "products", "is_on_product", "seconds", "seconds_since_previous",
    "seconds_on_page", "events_on_page", "dwell_before", "dwell_ratio", "scroll_on_page", "scroll_most",
    *(f"{name}_sum" for name in MEASURES),
    "hour", "weekday", *(f"is_{device}" for device in DEVICES),
    "earlier_visits", "days_since_visit", *(f"earlier_{name}" for name in REMEMBERED),
)  # fmt: skip
"""The features that every site has; the counts of the site's own signals follow them."""


def name_signal(event_type: str, element: str | None) -> str:
    """Return the name of a micro-interaction: its type, and the element where it has one."""
    return f"{event_type}:{element[:LONGEST_ELEMENT]}" if element and event_type in WITH_ELEMENT else event_type


@dataclass(slots=True)
class RunningVisit:
    """What a person has done in the visit that runs, and how often they came before.

    Times are Unix seconds. Nothing here knows what follows the last action.

    Attributes:
        device: Type of the device.
        started_at: Time of the first action.
        last_at: Time of the last action.
        previous_at: Time of the action before it.
        events: Number of actions.
        views: Number of page views.
        counts: Number of actions by signal.
        items: Items of the latest page views, the newest last; None for a page without an item.
        page_at: Time of the last page view.
        events_on_page: Actions since then.
        dwell_before: Seconds on the page before, NaN without one.
        dwell_earlier: Seconds on all pages before that one.
        scroll_on_page: Depth of the deepest scroll of the page, in percent.
        scroll_most: The same of the visit.
        sums: Sum of the values of the types in MEASURES.
        earlier_visits: Number of visits before this one.
        earlier_end: Time of the last action of the visit before, NaN without one.
        earlier: Number of events in earlier visits, by the types in REMEMBERED.
        latest: Version of the model, number of actions, and the chances that it gave after these; None before.
    """

    device: str | None = None
    started_at: float = math.nan
    last_at: float = math.nan
    previous_at: float = math.nan
    events: int = 0
    views: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    items: list[str | None] = field(default_factory=list)
    page_at: float = math.nan
    events_on_page: int = 0
    dwell_before: float = math.nan
    dwell_earlier: float = 0.0
    scroll_on_page: float = 0.0
    scroll_most: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    earlier_visits: int = 0
    earlier_end: float = math.nan
    earlier: dict[str, int] = field(default_factory=dict)
    latest: tuple[str | None, int, Mapping[str, float]] | None = None

    def begin_next(self) -> RunningVisit:
        """Return the person's next visit, before its first action."""
        earlier = dict(self.earlier)
        for name in REMEMBERED:
            if name in self.counts:
                earlier[name] = earlier.get(name, 0) + self.counts[name]
        return RunningVisit(
            earlier_visits=self.earlier_visits + (self.events > 0),
            earlier_end=self.last_at if self.events else self.earlier_end,
            earlier=earlier,
        )

    def fold(
        self, event_type: str, at: float, element: str | None = None, item: str | None = None,
        value: float | None = None, device: str | None = None,
    ) -> None:  # fmt: skip
        """Take in the next action.

        Args:
            event_type: What happened; types in NOT_DONE_BY_VISITORS are no actions, and are not given.
            at: When.
            element: The element that a click or a hover hit.
            item: The item of the page.
            value: The measure of the type; None where it is missing.
            device: Type of the device.
        """
        self.events += 1
        self.previous_at = self.last_at
        self.last_at = at
        if self.events == 1:
            self.started_at = self.page_at = at
        self.device = device or self.device
        signal = name_signal(event_type, element)
        if signal in self.counts or len(self.counts) < SIGNALS_OF_A_VISIT:
            self.counts[signal] = self.counts.get(signal, 0) + 1
        self.events_on_page += 1
        if event_type == "page_view":
            self._turn_page(at, item)
        elif value is not None and event_type == "scroll":
            self.scroll_on_page = max(self.scroll_on_page, value)
            self.scroll_most = max(self.scroll_most, value)
        elif value is not None and event_type in MEASURES:
            self.sums[event_type] = self.sums.get(event_type, 0.0) + value

    def _turn_page(self, at: float, item: str | None) -> None:
        if self.views:
            if self.views > 1:
                self.dwell_earlier += self.dwell_before
            self.dwell_before = at - self.page_at
        self.views += 1
        self.page_at = at
        self.events_on_page = 0
        self.scroll_on_page = 0.0
        self.items.append(item)
        del self.items[:-LATEST_VIEWS]

    def describe(self, signals: Sequence[str], is_product: Callable[[str], bool]) -> F32:
        """Return the features as of the last action: FEATURES, then the count of each signal, float32 (d,)."""
        visited = [item for item in self.items if item is not None]
        earlier_pages = self.views - 2
        mean_dwell = self.dwell_earlier / earlier_pages if earlier_pages > 0 else math.nan
        moment = dt.datetime.fromtimestamp(self.last_at, dt.UTC)
        last = self.items[-1] if self.items else None
        return np.array(
            [
                self.events, self.views, len(set(visited)), sum(map(is_product, visited)),
                last is not None and is_product(last), self.last_at - self.started_at,
                self.last_at - self.previous_at, self.last_at - self.page_at, self.events_on_page,
                self.dwell_before, self.dwell_before / mean_dwell if mean_dwell > 0 else math.nan,
                self.scroll_on_page, self.scroll_most,
                *(self.sums.get(name, 0.0) for name in MEASURES),
                moment.hour, moment.weekday(), *(self.device == device for device in DEVICES),
                min(self.earlier_visits, EARLIER_MOST), (self.started_at - self.earlier_end) / SECONDS_A_DAY,
                *(min(self.earlier.get(name, 0), EARLIER_MOST) for name in REMEMBERED),
                *(self.counts.get(signal, 0) for signal in signals),
            ],
            dtype=np.float32,
        )  # fmt: skip
