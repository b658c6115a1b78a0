"""What happened lately, reduced to what ranking needs: popularity here and now, what follows what, who saw what.

The service keeps one in memory and feeds it each event; training feeds it the event log and learns from the same
numbers that the service will see.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from ml.arrays import I64
from ml.decisions.activity.decayed_counts import DecayedCounts
from ml.decisions.activity.follows import Follows
from ml.decisions.activity.windowed_counts import WindowedCounts

HOUR = 3600.0
DAY = 24 * HOUR
OPENINGS = frozenset({"page_view", "click", "video_play"})
REACTIONS = frozenset({"like", "bookmark", "share", "comment", "add_to_cart", "checkout", "purchase"})
REJECTIONS = frozenset({"not_interested", "dislike"})
CONSENTS = frozenset({"consent_granted", "consent_withdrawn"})
SHOWN_ITEMS = 500
EXPOSURES = 100
REPEAT_SECONDS = 1800.0
QUICK_SECONDS = 60.0
POPULAR_HALF_LIVES = (300.0, 1800.0, 2 * HOUR, 8 * HOUR, 3 * DAY)
WITHIN_HALF_LIVES = (1800.0, 4 * HOUR, 1800.0, 4 * HOUR)
OPENED_FIRST = np.array([1.0] * 5 + [0.0] * 4)
OPENED_QUICKLY = np.array([1.0] * 5 + [1.0, 1.0, 0.0, 0.0])
OPENED_SLOWLY = np.array([1.0] * 5 + [0.0, 0.0, 1.0, 1.0])
FOLLOW_HALF_LIVES = (1800.0, 4 * HOUR, 7 * DAY)
ACROSS_HALF_LIVES = (HOUR, 8 * HOUR)
SCOPE_HALF_LIVES = (HOUR, 8 * HOUR)
SCOPE_KINDS = ("country", "region", "device")
NEAR_ITEMS = 5
EARLIER_ITEMS = 3
EARLIER_AMONG = 8
NEIGHBOURS_OF_A_SCOPE = 1000
OPENED_LATELY = 1000
PLACES = 4
TASTED = 20


@dataclass(slots=True)
class Change:
    """One event as far as the online state cares.

    Attributes:
        user: the user id, else the anonymous id.
        at: Unix seconds.
        detail: JSON text: the items of a `served`, the purposes of a consent, what `exposure_detail` says.
        reacts_to: the answer that it reacts to.
    """

    user: str
    event_type: str
    at: float
    item: str | None = None
    session: str | None = None
    country: str | None = None
    region: str | None = None
    device: str | None = None
    slot: str | None = None
    campaign: str | None = None
    detail: str | None = None
    reacts_to: str | None = None


@dataclass(slots=True)
class Visit:
    """The running session of one visitor: item keys in order and the time of the last opening."""

    items: list[int] = field(default_factory=list)
    last_at: float = 0.0
    opened: int = 0


@dataclass(slots=True)
class Visitor:
    """What one person did lately: item keys with times, newest last, and what must not come again."""

    recent: list[tuple[int, float]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    country: str | None = None
    region: str | None = None
    device: str | None = None
    last_at: float = 0.0
    opened: int = 0
    popularity: float = 0.0
    is_withdrawn: bool = False
    shown: dict[int, list[float]] = field(default_factory=dict)
    shown_campaigns: dict[str, list[float]] = field(default_factory=dict)
    answered_slots: dict[str, list[float]] = field(default_factory=dict)
    exposures: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivityLimits:
    """Bounds of the memory: sessions and visitors that are kept, and what is kept of each."""

    visitors: int = 1_000_000
    visits: int = 300_000
    recent_items: int = 50
    seen_items: int = 500
    neighbours: int = 256


class Activity:
    """Reduces events to popularity, co-visitation, visits and visitors. Items are numbered as they come."""

    def __init__(self, limits: ActivityLimits | None = None) -> None:
        self.limits = limits or ActivityLimits()
        self.keys: dict[str, int] = {}
        self.items: list[str] = []
        self.first_opened: list[float] = []
        self.last_opened: list[float] = []
        self.hour = WindowedCounts(HOUR)
        self.day = WindowedCounts(DAY)
        self.popular = DecayedCounts(POPULAR_HALF_LIVES + WITHIN_HALF_LIVES)
        self.next = Follows(FOLLOW_HALF_LIVES, self.limits.neighbours)
        self.near = Follows(FOLLOW_HALF_LIVES, self.limits.neighbours)
        self.across = Follows(ACROSS_HALF_LIVES, self.limits.neighbours)
        self.scope_numbers: dict[str, int] = {}
        self.in_scope = Follows(SCOPE_HALF_LIVES, NEIGHBOURS_OF_A_SCOPE)
        self.reporting_slots: set[str] = set()
        self.categories: dict[int, str] = {}
        self.visits: OrderedDict[str, Visit] = OrderedDict()
        self.visitors: OrderedDict[str, Visitor] = OrderedDict()
        self.newest = 0.0
        self.version = 0
        self._opened_lately: deque[int] = deque(maxlen=OPENED_LATELY)

    def key(self, item: str) -> int:
        """The item's number, given when it is first met."""
        key = self.keys.get(item)
        if key is None:
            key = self.keys[item] = len(self.items)
            self.items.append(item)
            self.first_opened.append(math.nan)
            self.last_opened.append(0.0)
        return key

    def observe(self, change: Change) -> None:
        """Take one event in."""
        self.newest = max(self.newest, change.at)
        visitor = self._visitor(change)
        if change.event_type == "served":
            self._served(change, visitor)
        elif change.event_type in CONSENTS:
            self._consented(change, visitor)
        elif change.event_type == "exposure" and change.detail is not None:
            visitor.exposures[change.detail] = None
            if len(visitor.exposures) > EXPOSURES:
                del visitor.exposures[next(iter(visitor.exposures))]
        elif change.event_type == "impression" and change.slot is not None:
            self.reporting_slots.add(change.slot)
        if change.item is None:
            return
        item = self.key(change.item)
        if change.event_type in OPENINGS:
            self._opened(change, visitor, item)
        elif change.event_type in REACTIONS:
            self._remember(visitor, item, change.at)
        elif change.event_type in REJECTIONS:
            visitor.rejected.add(item)
        elif change.event_type == "impression":
            self._shown(visitor, item, change)

    def visitor(self, user: str) -> Visitor | None:
        """What the person did lately, None for a stranger."""
        return self.visitors.get(user)

    def visit(self, session: str | None, user: str | None, at: float) -> Visit | None:
        """The running session: by its id, else the person's own that had an event in the last half hour."""
        found = self.visits.get(session) if session else None
        if found is None and user:
            found = self.visits.get(f"~{user}")
            if found is not None and at - found.last_at > REPEAT_SECONDS:
                return None
        return found

    def opened_since(self, version: int) -> I64 | None:
        """Distinct keys of what was opened after this version, None where that is too long ago."""
        count = self.version - version
        if version < 0 or count > len(self._opened_lately):
            return None
        return np.unique(np.fromiter(islice(reversed(self._opened_lately), count), np.int64, count))

    @staticmethod
    def scopes(visitor: Visitor) -> list[str]:
        """Names of the groups that a person's openings count in."""
        values = (visitor.country, visitor.region, visitor.device)
        return [f"{kind}:{value}" for kind, value in zip(SCOPE_KINDS, values, strict=True) if value]

    @staticmethod
    def place_scope(visit: Visit | None) -> str:
        """Name of the group of openings that come after as many others of their visit."""
        return f"place:{min(len(visit.items), PLACES)}" if visit else "place:0"

    def taste_scope(self, visitor: Visitor | None) -> str | None:
        """Name of the group of people with this person's favourite category; None where they have none."""
        counts: dict[str, int] = {}
        for item, _ in visitor.recent[-TASTED:] if visitor else ():
            category = self.categories.get(item)
            if category is not None:
                counts[category] = counts.get(category, 0) + 1
        return f"favourite:{max(counts, key=counts.__getitem__)}" if counts else None

    @staticmethod
    def earlier_items(visit: Visit | None, visitor: Visitor | None) -> list[int]:
        """The last few items that the person opened before this visit, the newest last."""
        recent = visitor.recent[-EARLIER_AMONG:] if visitor else []
        running = visit.items if visit else []
        return [item for item, _ in recent if item not in running][-EARLIER_ITEMS:]

    def forget(self, user: str) -> None:
        """Drop all that is held of a person. Counts over everybody name nobody and stay."""
        self.visitors.pop(user, None)
        self.visits.pop(f"~{user}", None)

    def _visitor(self, change: Change) -> Visitor:
        visitor = self.visitors.get(change.user)
        if visitor is None:
            visitor = self.visitors[change.user] = Visitor()
            if len(self.visitors) > self.limits.visitors:
                self.visitors.popitem(last=False)
        else:
            self.visitors.move_to_end(change.user)
        visitor.country = change.country or visitor.country
        visitor.region = change.region or visitor.region
        visitor.device = change.device or visitor.device
        visitor.last_at = max(visitor.last_at, change.at)
        return visitor

    def _visit(self, change: Change) -> Visit:
        session = change.session or f"~{change.user}"
        visit = self.visits.get(session)
        if visit is None or (change.session is None and change.at - visit.last_at > REPEAT_SECONDS):
            visit = self.visits[session] = Visit()
            if len(self.visits) > self.limits.visits:
                self.visits.popitem(last=False)
        self.visits.move_to_end(session)
        return visit

    def _opened(self, change: Change, visitor: Visitor, item: int) -> None:
        visit = self._visit(change)
        repeated = bool(visit.items) and visit.items[-1] == item and change.at - visit.last_at < REPEAT_SECONDS
        if not repeated:
            self._count(change, visitor, visit, item)
            self._follow(visit, visitor, item, change.at)
            visit.items.append(item)
            visit.opened += 1
            del visit.items[: -self.limits.recent_items]
        visit.last_at = max(visit.last_at, change.at)
        self._remember(visitor, item, change.at)

    def _count(self, change: Change, visitor: Visitor, visit: Visit, item: int) -> None:
        self.version += 1
        self._opened_lately.append(item)
        if not self.first_opened[item] <= change.at:
            self.first_opened[item] = change.at
        self.last_opened[item] = max(self.last_opened[item], change.at)
        visitor.opened += 1
        visitor.popularity += math.log(self.popular.share(item, 1) + 1e-6)
        self.hour.add(item, change.at)
        self.day.add(item, change.at)
        quick = change.at - visit.last_at <= QUICK_SECONDS
        manner = OPENED_FIRST if not visit.items else OPENED_QUICKLY if quick else OPENED_SLOWLY
        self.popular.add(item, change.at, manner)
        unit = self.in_scope.unit(change.at)
        category = self.categories.get(visit.items[-1]) if visit.items else None
        if category is not None:
            self.in_scope.add(self._scope(f"after:{category}"), item, unit)
        for scope in (*self.scopes(visitor), self.place_scope(visit), self.taste_scope(visitor)):
            if scope is not None:
                self.in_scope.add(self._scope(scope), item, unit)

    def _follow(self, visit: Visit, visitor: Visitor, item: int, at: float) -> None:
        earlier = self.earlier_items(visit, visitor)
        if earlier:
            unit = self.across.unit(at)
            for other in earlier:
                if other != item:
                    self.across.add(other, item, unit)
        if not visit.items:
            return
        self.next.add(visit.items[-1], item, self.next.unit(at))
        unit = self.near.unit(at)
        for distance, other in enumerate(reversed(visit.items[-NEAR_ITEMS:]), start=1):
            if other != item:
                self.near.add(other, item, unit / distance)
                self.near.add(item, other, unit / (2 * distance))

    def _shown(self, visitor: Visitor, item: int, change: Change) -> None:
        if len(visitor.shown) >= SHOWN_ITEMS and item not in visitor.shown:
            del visitor.shown[next(iter(visitor.shown))]
        _append_recent(visitor.shown.setdefault(item, []), change.at)
        if change.campaign is not None:
            _append_recent(visitor.shown_campaigns.setdefault(change.campaign, []), change.at)

    def _served(self, change: Change, visitor: Visitor) -> None:
        """An answer was given in a slot: it counts as seen where the slot reports no impressions itself."""
        if change.slot is None:
            return
        _append_recent(visitor.answered_slots.setdefault(change.slot, []), change.at)
        if change.slot not in self.reporting_slots:
            for item in json.loads(change.detail or "[]"):
                self._shown(visitor, self.key(item), change)

    @staticmethod
    def _consented(change: Change, visitor: Visitor) -> None:
        purposes = json.loads(change.detail) if change.detail else ["personalization"]
        if "personalization" in purposes:
            visitor.is_withdrawn = change.event_type == "consent_withdrawn"

    def _scope(self, name: str) -> int:
        return self.scope_numbers.setdefault(name, len(self.scope_numbers))

    def _remember(self, visitor: Visitor, item: int, at: float) -> None:
        if not visitor.recent or visitor.recent[-1][0] != item:
            visitor.recent.append((item, at))
            del visitor.recent[: -self.limits.recent_items]
        visitor.seen.add(item)
        if len(visitor.seen) > self.limits.seen_items:
            visitor.seen = {item for item, _ in visitor.recent}


def _append_recent(times: list[float], at: float) -> None:
    """Add a time and drop those more than a day older."""
    times.append(at)
    while times[0] < at - DAY:
        del times[0]


def exposure_detail(experiment_id: str, unit_id: str, variant: str) -> str:
    """An exposure as a change keeps it, the same text for the same unit and variant."""
    return json.dumps([experiment_id, unit_id, variant])
