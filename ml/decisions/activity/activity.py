"""Recent events reduced to what ranking needs: current popularity, co-visitation, and what each person has seen.

The service keeps one `Activity` in memory and feeds it each event. Training feeds it the event log, so that it
learns from the same numbers that the service will see.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.decisions.activity.co_visitation import CoVisitation
from ml.decisions.activity.consents import Consents
from ml.decisions.activity.decayed_counts import DecayedCounts
from ml.decisions.activity.durations import DAY, HOUR
from ml.decisions.activity.showings import Showings, count_impression
from ml.decisions.activity.state_change import (
    ANSWERED,
    OPENINGS,
    ORDERS,
    REACTIONS,
    REJECTIONS,
    StateChange,
)
from ml.decisions.activity.visitors import Visit, Visitor
from ml.decisions.activity.windowed_counts import WindowedCounts
from ml.events.personalization_consent import PersonalizationConsent
from ml.sequences.intent.running_visit import NOT_DONE_BY_VISITORS, RunningVisit
from ml.settings.warehouse import WarehouseSettings

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
LAST_POSITION = 4
TASTED = 20


@dataclass(frozen=True)
class ActivityLimits:
    """Bounds of the memory: how many visitors and visits are kept, and how much is kept of each.

    Attributes:
        items_of_browsers: Items that only browsers named so far. Anybody can make up items, so further ones do not
            count until the site's server or a bundle names them.
        scopes: Countries, regions, devices and categories whose openings are counted apart; a browser may send any
            region.
        counted_openings: Openings of an item by one person that count for its popularity, as in the warehouse.
    """

    visitors: int = 1_000_000
    visits: int = 300_000
    recent_items: int = 50
    seen_items: int = 500
    neighbours: int = 256
    items_of_browsers: int = 300_000
    scopes: int = 20_000
    counted_openings: int = WarehouseSettings().popularity_views_per_person


class Activity:
    """Folds state changes into popularity, co-visitation, visits and visitors.

    Items are numbered in the order in which they first appear. These numbers are called item keys.

    Attributes:
        keys: Item key by item id.
        items: Item id by item key.
        first_opened: Unix seconds by item key, NaN before the first opening.
        last_opened: Unix seconds by item key, 0 before the first opening.
        opened_by_many: Whether two people opened the item, by item key.
        hour: Openings of the last hour by item key.
        day: Openings of the last day by item key.
        popular: Decayed openings at POPULAR_HALF_LIVES, then quick and slow ones at WITHIN_HALF_LIVES.
        next: What was opened right after an item within a visit.
        near: What was opened close to an item within a visit, in either order.
        across: What was opened after an item of an earlier visit.
        scope_numbers: Number of each scope, which is the item of `in_scope`.
        in_scope: What was opened within a scope, for example by people of one country.
        categories: Category by item key.
        newest: Time of the newest event, Unix seconds.
        version: Number of counted openings.
    """

    def __init__(self, limits: ActivityLimits | None = None) -> None:
        self.limits = limits or ActivityLimits()
        self.keys: dict[str, int] = {}
        self.items: list[str] = []
        self.first_opened: list[float] = []
        self.last_opened: list[float] = []
        self.hour = WindowedCounts(HOUR)
        self.day = WindowedCounts(DAY)
        self.popular = DecayedCounts(POPULAR_HALF_LIVES + WITHIN_HALF_LIVES)
        self.next = CoVisitation(FOLLOW_HALF_LIVES, self.limits.neighbours)
        self.near = CoVisitation(FOLLOW_HALF_LIVES, self.limits.neighbours)
        self.across = CoVisitation(ACROSS_HALF_LIVES, self.limits.neighbours)
        self.scope_numbers: dict[str, int] = {}
        self.in_scope = CoVisitation(SCOPE_HALF_LIVES, NEIGHBOURS_OF_A_SCOPE)
        self._showings = Showings()
        self.categories: dict[int, str] = {}
        self.visits: OrderedDict[str, Visit] = OrderedDict()
        self.visitors: OrderedDict[str, Visitor] = OrderedDict()
        self.opened_by_many: list[bool] = []
        self._first_openers: dict[int, str] = {}
        self._running: OrderedDict[str, RunningVisit] = OrderedDict()
        self._consents = Consents(self.visitors, self.limits.visitors)
        self.newest = 0.0
        self.version = 0
        self._is_refolding = False
        self._items_of_browsers = 0
        self._opened_lately: deque[int] = deque(maxlen=OPENED_LATELY)

    @property
    def reporting_slots(self) -> set[str]:
        """Slots that report impressions of their answers to everybody."""
        return self._showings.reporting_slots

    def assign_key(self, item: str) -> int:
        """Return the key of an item, giving it the next free number if it has none yet."""
        key = self.keys.get(item)
        if key is None:
            key = self.keys[item] = len(self.items)
            self.items.append(item)
            self.first_opened.append(math.nan)
            self.last_opened.append(0.0)
            self.opened_by_many.append(False)
        return key

    def observe(self, change: StateChange) -> None:
        """Fold one change into memory."""
        self.newest = max(self.newest, change.at)
        if change.event_type == ANSWERED:
            self._showings.note_answer(change)
            return
        visitor = self._update_visitor(change)
        self._consents.fold(change, visitor)
        if change.event_type not in NOT_DONE_BY_VISITORS:
            self._continue_visit(change)
        if change.event_type == "served":
            self._showings.note_answer(change)
            for shown in self._showings.count_answer(change, visitor):
                count_impression(visitor, self.assign_key(shown), change.at)
        elif change.event_type == "exposure" and change.detail is not None:
            visitor.exposures[change.detail] = None
            if len(visitor.exposures) > EXPOSURES:
                del visitor.exposures[next(iter(visitor.exposures))]
        elif change.event_type == "impression":
            self._showings.follow_report(change, visitor)
        if change.item is None or not self._may_name(change.item, change.authority):
            return
        item = self.assign_key(change.item)
        is_unopened_order = change.event_type in ORDERS and item not in visitor.seen
        if change.event_type in OPENINGS or is_unopened_order:
            self._count_opening(change, visitor, item)
        elif change.event_type in REACTIONS:
            self._remember(visitor, item, change.at)
        elif change.event_type in REJECTIONS:
            visitor.rejected.add(item)
        elif change.event_type == "impression":
            count_impression(visitor, item, change.at)

    def _may_name(self, item: str, authority: str | None) -> bool:
        """Return whether an event may name an item, new ones of browsers being counted."""
        if item in self.keys or authority != "browser":
            return True
        self._items_of_browsers += 1
        return self._items_of_browsers <= self.limits.items_of_browsers

    def find_visitor(self, user: str) -> Visitor | None:
        """Return what the person did lately, or None for somebody without events."""
        return self.visitors.get(user)

    def find_consent(self, *users: str | None) -> PersonalizationConsent:
        """Return what is known of the consent of a person under all of their keys; see `Consents.find`."""
        return self._consents.find(*users)

    def find_visit(self, session: str | None, user: str | None, at: float) -> Visit | None:
        """Return the running visit.

        A visit is looked up by its session id first. Without one, the person's last visit counts if it had an
        event in the last half hour. Anybody can name a session: of a person, only their own visit is returned.

        Args:
            session: Id of the session; None without one.
            user: Key of the person; None for a trusted caller who names the session alone.
            at: Unix seconds.
        """
        visit = self.visits.get(self._name_visit(session, user)) if session else None
        if visit is None and user:
            visit = self.visits.get(f"~{user}")
            if visit is not None and at - visit.last_at > REPEAT_SECONDS:
                return None
        return visit

    def find_running(self, user: str, at: float) -> RunningVisit | None:
        """Return what the person has done in the visit that runs at a time, Unix seconds; None without one."""
        running = self._running.get(user)
        return running if running is not None and at - running.last_at <= REPEAT_SECONDS else None

    def have_company(self, keys: I64) -> Bools:
        """Return which items at least two people opened, bool (n,)."""
        opened_by_many = self.opened_by_many
        return np.array([opened_by_many[key] for key in keys.tolist()], dtype=bool)

    def keys_opened_since(self, version: int) -> I64 | None:
        """Return the distinct keys that were opened after this version, or None if that is too long ago."""
        count = self.version - version
        if version < 0 or count > len(self._opened_lately):
            return None
        return np.unique(np.fromiter(islice(reversed(self._opened_lately), count), np.int64, count))

    @staticmethod
    def visitor_scopes(visitor: Visitor) -> list[str]:
        """Return the names of the scopes that a person's openings count in."""
        values = (visitor.country, visitor.region, visitor.device)
        return [f"{kind}:{value}" for kind, value in zip(SCOPE_KINDS, values, strict=True) if value]

    @staticmethod
    def position_scope(visit: Visit | None) -> str:
        """Return the name of the scope of openings at the same position of a visit as the next one."""
        return f"place:{min(len(visit.items), LAST_POSITION)}" if visit else "place:0"

    def taste_scope(self, visitor: Visitor | None) -> str | None:
        """Return the name of the scope of people with the same favourite category, or None without a favourite."""
        counts: dict[str, int] = {}
        for item, _ in visitor.recent[-TASTED:] if visitor else ():
            category = self.categories.get(item)
            if category is not None:
                counts[category] = counts.get(category, 0) + 1
        return f"favourite:{max(counts, key=counts.__getitem__)}" if counts else None

    @staticmethod
    def earlier_items(visit: Visit | None, visitor: Visitor | None) -> list[int]:
        """Return the last few items that the person opened before this visit, the newest last."""
        recent = visitor.recent[-EARLIER_AMONG:] if visitor else []
        running = visit.items if visit else []
        return [item for item, _ in recent if item not in running][-EARLIER_ITEMS:]

    def forget(self, user: str) -> None:
        """Drop everything about a person. Counts over all people name nobody and stay."""
        self.visitors.pop(user, None)
        self._running.pop(user, None)
        for name in [name for name, visit in self.visits.items() if visit.user == user]:
            del self.visits[name]
        for item in [item for item, person in self._first_openers.items() if person == user]:
            del self._first_openers[item]
        self._consents.forget(user)

    def refold(self, people: Collection[str], changes: Iterable[StateChange]) -> None:
        """Fold the changes of people anew. Counts over all people stay as they are.

        Args:
            people: Keys of the people and of their devices.
            changes: All of their changes, in order.
        """
        for person in people:
            self.forget(person)
        self._is_refolding = True
        try:
            for change in changes:
                self.observe(change)
        finally:
            self._is_refolding = False

    def _update_visitor(self, change: StateChange) -> Visitor:
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
        visitor.language = change.language or visitor.language
        visitor.last_at = max(visitor.last_at, change.at)
        return visitor

    def _continue_visit(self, change: StateChange) -> None:
        """Fold an action into the visit that runs. Who signs in goes on with the visit of the device."""
        running = self._running.pop(change.user, None)
        if running is None and change.device_key is not None:
            running = self._running.pop(change.device_key, None)
        if running is None:
            running = RunningVisit()
        elif change.at - running.last_at > REPEAT_SECONDS:
            running = running.begin_next()
        at = max(change.at, running.last_at) if running.events else change.at  # what arrives late counts now
        running.fold(change.event_type, at, change.element, change.item, change.value, change.device)
        self._running[change.user] = running
        if len(self._running) > self.limits.visits:
            self._running.popitem(last=False)

    def _name_visit(self, session: str, user: str | None) -> str:
        """Return the key of a visit: the session's id, or id and person where the id is another person's.

        Who signs in during a visit keeps it.
        """
        visit = self.visits.get(session)
        if visit is None or user is None or visit.user in (user, None):
            return session
        if self._consents.owner_of(visit.user or "") == user or self._consents.owner_of(user) == visit.user:
            return session
        return f"{session}\x1f{user}"

    def _update_visit(self, change: StateChange) -> Visit:
        session = self._name_visit(change.session, change.user) if change.session else f"~{change.user}"
        visit = self.visits.get(session)
        if visit is None or (change.session is None and change.at - visit.last_at > REPEAT_SECONDS):
            visit = self.visits[session] = Visit(user=change.user)
            if len(self.visits) > self.limits.visits:
                self.visits.popitem(last=False)
        self.visits.move_to_end(session)
        return visit

    def _count_opening(self, change: StateChange, visitor: Visitor, item: int) -> None:
        visit = self._update_visit(change)
        is_repeat = bool(visit.items) and visit.items[-1] == item and change.at - visit.last_at < REPEAT_SECONDS
        if not is_repeat:
            visitor.opened += 1
            visitor.popularity += math.log(self.popular.share(item, 1) + 1e-6)
            if self._may_count(visitor, item):
                self._count_popularity(change, visitor, visit, item)
                self._count_co_visitation(visit, visitor, item, change.at)
            visit.items.append(item)
            visit.opened += 1
            del visit.items[: -self.limits.recent_items]
        visit.last_at = max(visit.last_at, change.at)
        self._remember(visitor, item, change.at)

    def _may_count(self, visitor: Visitor, item: int) -> bool:
        """Return whether one more opening by this person counts for the item among all people.

        Only a few do, so that nobody makes an item popular alone.
        """
        if self._is_refolding:
            return False
        if item not in visitor.seen:
            return True
        visitor.repeats[item] = visitor.repeats.get(item, 0) + 1
        return visitor.repeats[item] < self.limits.counted_openings

    def _count_popularity(self, change: StateChange, visitor: Visitor, visit: Visit, item: int) -> None:
        self.version += 1
        self._opened_lately.append(item)
        if not self.first_opened[item] <= change.at:
            self.first_opened[item] = change.at
        self.last_opened[item] = max(self.last_opened[item], change.at)
        self.hour.add(item, change.at)
        self.day.add(item, change.at)
        is_quick = change.at - visit.last_at <= QUICK_SECONDS
        manner = OPENED_FIRST if not visit.items else OPENED_QUICKLY if is_quick else OPENED_SLOWLY
        self._note_company(item, change.user)
        self.popular.add(item, change.at, manner)
        unit = self.in_scope.unit(change.at)
        category = self.categories.get(visit.items[-1]) if visit.items else None
        if category is not None:
            self._count_in_scope(f"after:{category}", item, unit)
        for scope in (*self.visitor_scopes(visitor), self.position_scope(visit), self.taste_scope(visitor)):
            if scope is not None:
                self._count_in_scope(scope, item, unit)

    def _note_company(self, item: int, user: str) -> None:
        """Note whether a second person opened the item: people make popularity, and nobody makes it alone."""
        if not self.opened_by_many[item]:
            first = self._first_openers.setdefault(item, user)
            if first != user and self._consents.owner_of(first) != user:
                self.opened_by_many[item] = True
                del self._first_openers[item]

    def _count_co_visitation(self, visit: Visit, visitor: Visitor, item: int, at: float) -> None:
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

    def _count_in_scope(self, name: str, item: int, unit: F64) -> None:
        if name in self.scope_numbers or len(self.scope_numbers) < self.limits.scopes:
            self.in_scope.add(self.scope_numbers.setdefault(name, len(self.scope_numbers)), item, unit)

    def _remember(self, visitor: Visitor, item: int, at: float) -> None:
        if not visitor.recent or visitor.recent[-1][0] != item:
            visitor.recent.append((item, at))
            del visitor.recent[: -self.limits.recent_items]
        visitor.seen.add(item)
        if len(visitor.seen) > self.limits.seen_items:
            visitor.seen = {item for item, _ in visitor.recent}
            visitor.repeats = {item: count for item, count in visitor.repeats.items() if item in visitor.seen}
