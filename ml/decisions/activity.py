"""What happened lately, reduced to what ranking needs: popularity here and now, what follows what, who saw what.

The service keeps one in memory and feeds it each event; training feeds it the event log and learns from the same
numbers that the service will see.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ml.decisions.follows import Follows
from ml.decisions.windowed_counts import WindowedCounts

HOUR = 3600.0
DAY = 24 * HOUR
OPENINGS = frozenset({"page_view", "click", "video_play"})
REACTIONS = frozenset({"like", "bookmark", "share", "comment", "add_to_cart", "checkout", "purchase"})
REJECTIONS = frozenset({"not_interested", "dislike"})
REPEAT_SECONDS = 1800.0


@dataclass(slots=True)
class Change:
    """One event as far as the online state cares. `at` is Unix seconds; `user` is the user id, else the anonymous id."""

    user: str
    event_type: str
    at: float
    item: str | None = None
    session: str | None = None
    country: str | None = None
    device: str | None = None
    slot: str | None = None
    campaign: str | None = None


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
    device: str | None = None
    last_at: float = 0.0


@dataclass(frozen=True)
class ActivityLimits:
    """Bounds of the memory: sessions and visitors that are kept, and what is kept of each."""

    visitors: int = 1_000_000
    visits: int = 300_000
    recent_items: int = 50
    seen_items: int = 500
    neighbours: int = 256


class Activity:
    """Reduces events to windowed popularity, co-visitation, visits and visitors. Items are numbered as they come."""

    def __init__(self, limits: ActivityLimits | None = None) -> None:
        self.limits = limits or ActivityLimits()
        self.keys: dict[str, int] = {}
        self.items: list[str] = []
        self.first_opened: list[float] = []
        self.hour = WindowedCounts(HOUR)
        self.day = WindowedCounts(DAY)
        self.scoped: dict[str, tuple[WindowedCounts, WindowedCounts]] = {}
        self.next = Follows((1800.0, 4 * HOUR, 14 * DAY), self.limits.neighbours)
        self.visits: OrderedDict[str, Visit] = OrderedDict()
        self.visitors: OrderedDict[str, Visitor] = OrderedDict()
        self.newest = 0.0
        self.version = 0

    def key(self, item: str) -> int:
        """The item's number, given when it is first met."""
        key = self.keys.get(item)
        if key is None:
            key = self.keys[item] = len(self.items)
            self.items.append(item)
            self.first_opened.append(float("nan"))
        return key

    def observe(self, change: Change) -> None:
        """Take one event in."""
        self.version += 1
        self.newest = max(self.newest, change.at)
        visitor = self._visitor(change)
        if change.item is None:
            return
        item = self.key(change.item)
        if change.event_type in OPENINGS:
            self._opened(change, visitor, item)
        elif change.event_type in REACTIONS:
            self._remember(visitor, item, change.at)
        elif change.event_type in REJECTIONS:
            visitor.rejected.add(item)

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

    def windows(self, scope: str) -> tuple[WindowedCounts, WindowedCounts] | None:
        """Counts of the last hour and day in `all`, `country:XX` or `device:mobile`."""
        return (self.hour, self.day) if scope == "all" else self.scoped.get(scope)

    def forget(self, user: str) -> None:
        """Drop all that is held of a person. Counts over everybody name nobody and stay."""
        self.version += 1
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
            self._count(change, item)
            if visit.items:
                self.next.add(visit.items[-1], item, change.at)
            visit.items.append(item)
            visit.opened += 1
            del visit.items[: -self.limits.recent_items]
        visit.last_at = max(visit.last_at, change.at)
        self._remember(visitor, item, change.at)

    def _count(self, change: Change, item: int) -> None:
        if not self.first_opened[item] <= change.at:
            self.first_opened[item] = change.at
        self.hour.add(item, change.at)
        self.day.add(item, change.at)
        for kind, value in (("country", change.country), ("device", change.device)):
            if value:
                scope = f"{kind}:{value}"
                windows = self.scoped.get(scope)
                if windows is None:
                    windows = self.scoped[scope] = (WindowedCounts(HOUR), WindowedCounts(DAY))
                for window in windows:
                    window.add(item, change.at)

    def _remember(self, visitor: Visitor, item: int, at: float) -> None:
        if not visitor.recent or visitor.recent[-1][0] != item:
            visitor.recent.append((item, at))
            del visitor.recent[: -self.limits.recent_items]
        visitor.seen.add(item)
        if len(visitor.seen) > self.limits.seen_items:
            visitor.seen = {item for item, _ in visitor.recent}
