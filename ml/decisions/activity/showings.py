"""What was shown to whom: answers, and the impressions that report them. Caps and fatigue count it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ml.decisions.activity.durations import DAY
from ml.decisions.activity.state_change import StateChange
from ml.decisions.activity.visitors import Visitor

K = TypeVar("K")
SHOWN_ITEMS = 500
ANSWERS = 50_000  # answers whose impressions are recognized, a day of a busy slot


@dataclass(frozen=True, slots=True)
class _ShownAnswer:
    """Where an answer was shown to whom, and which content of which campaign."""

    people: frozenset[str]
    at: float
    slot: str
    campaign: str | None
    content: str | None


class Showings:
    """Counts what the service's answers show, as the page reports it or, where no page does, as it was answered.

    Attributes:
        reporting_slots: Slots of which somebody whom the site vouches for reported impressions. They report for
            everybody; a browser's report counts for its own answers.
    """

    def __init__(self) -> None:
        self.reporting_slots: set[str] = set()
        self._answered: OrderedDict[str, _ShownAnswer] = OrderedDict()

    def note_answer(self, change: StateChange) -> None:
        """Keep what an answer shows, so that the impressions that belong to it are recognized."""
        if change.reacts_to is not None and change.slot is not None:
            people = frozenset(filter(None, (change.user, change.device_key)))
            self._answered[change.reacts_to] = _ShownAnswer(
                people, change.at, change.slot, change.campaign, change.content
            )
            if len(self._answered) > ANSWERS:
                self._answered.popitem(last=False)

    def count_answer(self, change: StateChange, visitor: Visitor) -> Sequence[str]:
        """Count an answer in a slot.

        Returns:
            Ids of the items that count as shown by it: none if impressions report what the slot shows this person.
        """
        if change.slot is None:
            return ()
        _count_showing(visitor.answered_slots, change.slot, change.at)
        if change.slot in self.reporting_slots or change.slot in visitor.reporting_slots:
            return ()
        if change.campaign or change.content:
            shown = (change.campaign, change.content)
            if len(visitor.unreported) < SHOWN_ITEMS or shown in visitor.unreported:
                visitor.unreported[shown] = visitor.unreported.get(shown, 0) + 1
            _count_content(visitor, *shown, change.at)
        items: list[str] = json.loads(change.detail or "[]")
        return items

    def follow_report(self, change: StateChange, visitor: Visitor) -> None:
        """Count what an impression reports: the campaign and the content that it or the answer names."""
        answer = self._answered.get(change.reacts_to) if change.reacts_to is not None else None
        campaign, content = change.campaign, change.content
        # Anybody may send an impression, but only whom the service answered saw the answer.
        if answer is not None and (change.user in answer.people or change.device_key in answer.people):
            if change.slot is not None and change.slot == answer.slot:
                self._note_report(change, visitor, answer)
            if change.item is None or change.item == answer.content:
                campaign, content = campaign or answer.campaign, content or answer.content
        unreported = [
            shown
            for shown in ((campaign, content), *visitor.unreported)
            if visitor.unreported.get(shown)
            and (shown[0] == campaign or campaign is None)
            and (shown[1] == content or content is None)
        ]
        if unreported and (campaign or content):  # the answer counted already
            visitor.unreported[unreported[0]] -= 1
            if not visitor.unreported[unreported[0]]:
                del visitor.unreported[unreported[0]]
        else:
            _count_content(visitor, campaign, content, change.at)

    def _note_report(self, change: StateChange, visitor: Visitor, answer: _ShownAnswer) -> None:
        """Note that a slot reports its impressions: for everybody, or for the browser that says so."""
        if change.authority != "browser":
            self.reporting_slots.add(answer.slot)
        elif answer.slot not in visitor.reporting_slots:
            visitor.reporting_slots.add(answer.slot)
            if answer.slot not in self.reporting_slots:
                _take_back(visitor, answer.at)


def count_impression(visitor: Visitor, item: int, at: float) -> None:
    """Count one showing of an item, given by its key."""
    _count_showing(visitor.shown, item, at)


def _count_content(visitor: Visitor, campaign: str | None, content: str | None, at: float) -> None:
    """Count one showing of a content that may belong to a campaign."""
    if campaign is not None:
        _count_showing(visitor.shown_campaigns, campaign, at)
    if content is not None:
        _count_showing(visitor.shown_contents, content, at)
        if campaign is None:
            _count_showing(visitor.contents_alone, content, at)


def _count_showing(times: dict[K, list[float]], shown: K, at: float) -> None:
    """Add one showing in place; the first of SHOWN_ITEMS makes room for a new one."""
    if shown not in times and len(times) >= SHOWN_ITEMS:
        del times[next(iter(times))]
    _append_recent(times.setdefault(shown, []), at)


def _take_back(visitor: Visitor, at: float) -> None:
    """Take back what an answer counted as shown, since impressions report it."""
    for item, times in list(visitor.shown.items()):
        if at in times:
            times.remove(at)
            if not times:
                del visitor.shown[item]


def _append_recent(times: list[float], at: float) -> None:
    """Append a time and drop those that are more than a day older."""
    times.append(at)
    while times[0] < at - DAY:
        del times[0]
