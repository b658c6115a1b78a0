"""One answer to `/v1/decisions`: rules over the situation, a bandit where a rule says `learn`."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from ml.arrays import F64
from ml.decisions.activity.activity import REJECTIONS, Change, Visit, Visitor
from ml.decisions.rules import care
from ml.decisions.rules.bandit import ThompsonSampling, context_of
from ml.decisions.rules.rules import Applied, Moment, Rules
from ml.settings.decisions import DecisionSettings
from serving.context.situation import Situation
from serving.recommend.ranking import Ranking
from serving.state.online import OnlineState

DOCUMENT = "bandits"
REMEMBERED = 50_000
REWARDED = frozenset({"click", "page_view", "purchase", "signup", "subscribe", "form_submit"})
SLOW_NETWORKS = frozenset({"slow-2g", "2g", "3g"})
RECENT = 20


@dataclass(frozen=True)
class Decided:
    """What a slot shows, and which rule chose each part of it."""

    decision_id: str
    actions: dict[str, Any]
    chosen_by: dict[str, str]
    applied: Applied
    propensity: float


@dataclass(frozen=True)
class _Choice:
    """A variant that was shown and waits for its reward; `at` is Unix seconds."""

    slot: str
    variant: str
    context: F64
    at: float


class Deciding:
    """Applies rules and learns which variants work.

    Args:
        state: recent behaviour, caps, and the store that keeps the bandits.
        settings: section decisions.
        seed: of the bandits' draws.
    """

    def __init__(self, state: OnlineState, settings: DecisionSettings, seed: int | None = None) -> None:
        self.state = state
        self.settings = settings
        self.bandit = ThompsonSampling(settings.bandit)
        self.bandit.restore(state.store.value(DOCUMENT))
        self._generator = np.random.default_rng(seed)
        self._pending: OrderedDict[str, _Choice] = OrderedDict()

    def moment(
        self,
        user: str | None,
        slot: str | None,
        at: dt.datetime,
        situation: Situation,
        ranking: Ranking,
        rules: Rules,
        visit: Visit | None,
        is_known: bool,
    ) -> Moment:
        """Everything that rules may ask about."""
        visitor = self.state.activity.visitor(user) if user else None
        profile = self.state.profile(user) if user else {}
        places = {one.rule.id: _place(user or "", one.rule.id) for one in rules.compiled if one.rule.share < 1.0}
        facts = self._facts(user, slot, at, situation, ranking, visitor, visit, profile, is_known)
        return Moment(
            facts, at, situation.local.moment, slot, places, self._capped(rules, visitor, profile, at, situation)
        )

    def decide(
        self,
        moment: Moment,
        rules: Rules,
        situation: Situation,
        now: float,
        fixed: tuple[str, str] | None = None,
    ) -> Decided:
        """Apply the rules; where one says `learn`, draw the variant.

        Args:
            now: Unix seconds, the clock that rewards are awaited by; `moment` may lie elsewhere.
            fixed: content that stands whatever the rules say, and who chose it.
        """
        applied = rules.apply(moment)
        actions: dict[str, Any] = {kind: value for kind, (value, _) in applied.actions.items()}
        chosen_by = {kind: rule for kind, (_, rule) in applied.actions.items()}
        decision_id, propensity = uuid.uuid4().hex, 1.0
        if fixed is not None:
            actions["content"], chosen_by["content"] = fixed
        elif applied.learn is not None:
            slot = f"{moment.slot}:{applied.learn.id}"
            context = self.context(moment, situation)
            choice = self.bandit.choose(slot, applied.learn.then.learn, context, self._generator)
            actions["content"], chosen_by["content"] = choice.variant, applied.learn.id
            propensity = choice.propensity
            self._pending[decision_id] = _Choice(slot, choice.variant, context, now)
            if len(self._pending) > REMEMBERED:
                self._learn(next(iter(self._pending)), 0.0)
        _image(actions, chosen_by, situation)
        return Decided(decision_id, actions, chosen_by, applied, propensity)

    def context(self, moment: Moment, situation: Situation) -> F64:
        """The bandit's view of a moment."""
        return context_of(
            is_known=bool(moment.facts.get("user.is_known")),
            device_type=situation.text("device_type"),
            daypart=situation.local.daypart,
            is_weekend=situation.local.is_weekend,
        )

    def observe(self, change: Change) -> None:
        """Learn from an event that reacts to a decision: an opening or a conversion earns 1, a rejection 0."""
        if change.reacts_to in self._pending:
            if change.event_type in REWARDED:
                self._learn(change.reacts_to, 1.0)
            elif change.event_type in REJECTIONS:
                self._learn(change.reacts_to, 0.0)

    def settle(self, now: float) -> int:
        """Choices that nobody reacted to within the window earned nothing; returns how many there were.

        Without them the bandit would hear of successes alone, and call every variant good.
        """
        before = now - self.settings.bandit.reward_window_seconds
        stale = [decision for decision, choice in self._pending.items() if choice.at <= before]
        for decision in stale:
            self._learn(decision, 0.0)
        return len(stale)

    def _learn(self, decision: str, reward: float) -> None:
        choice = self._pending.pop(decision)
        self.bandit.learn(choice.slot, choice.variant, choice.context, reward)

    def exchange(self) -> None:
        """Keep what the bandits learned, and take over what those of the other workers learned."""
        store = self.state.store
        if self.bandit.has_news:
            self.bandit.restore(store.change_value(DOCUMENT, self.bandit.joined))
        else:
            self.bandit.restore(store.value(DOCUMENT))

    def _capped(
        self,
        rules: Rules,
        visitor: Visitor | None,
        profile: Mapping[str, Any],
        at: dt.datetime,
        situation: Situation,
    ) -> frozenset[str]:
        campaigns = {one.rule.campaign for one in rules.compiled if one.rule.campaign is not None}
        if care.is_quiet(profile, situation.local.hour):
            return frozenset(campaigns)
        cap = self.settings.caps.campaign_impressions_per_day
        return frozenset(name for name in campaigns if care.is_campaign_capped(visitor, name, at.timestamp(), cap))

    def _facts(
        self,
        user: str | None,
        slot: str | None,
        at: dt.datetime,
        situation: Situation,
        ranking: Ranking,
        visitor: Visitor | None,
        visit: Visit | None,
        profile: Mapping[str, Any],
        is_known: bool,
    ) -> dict[str, Any]:
        activity = self.state.activity
        told = ranking.facts(user) if user else {}
        recent = visitor.recent[-RECENT:] if visitor else []
        categories = {activity.categories[key] for key, _ in recent if key in activity.categories}
        local = situation.local
        facts: dict[str, Any] = {
            **{
                name: value
                for name, value in situation.given.items()
                if name not in {"latitude", "longitude", "timezone"}
            },
            "slot": slot,
            "user.is_known": is_known,
            "user.segment": told.get("segment"),
            "user.persona": told.get("persona"),
            "user.engagement_class": told.get("engagement_class"),
            "user.interests": list(profile.get("interests", ())),
            "local.hour": local.hour,
            "local.daypart": local.daypart,
            "local.weekday": local.weekday,
            "local.is_weekend": local.is_weekend,
            "local.season": local.season,
            "local.events": list(situation.events),
            "weather.condition": situation.condition,
            "weather.temperature": situation.temperature,
            "recent.categories": sorted(categories),
            "recent.items": [activity.items[key] for key, _ in recent],
            "recent.opened": len(recent),
            "visit.opened": visit.opened if visit else 0,
            "visit.seconds_since_last": max(0.0, at.timestamp() - visit.last_at) if visit else None,
        }
        if profile.get("opt_out") or (visitor and visitor.is_withdrawn):
            facts = {name: value for name, value in facts.items() if not name.startswith(("user.", "recent."))}
        return {name: value for name, value in facts.items() if value is not None}


def _place(user: str, rule: str) -> float:
    """Where a visitor falls in [0, 1) for a rule's share: the same every time."""
    digest = hashlib.blake2b(f"{rule}\x1f{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _image(actions: dict[str, Any], chosen_by: dict[str, str], situation: Situation) -> None:
    """Formats that the browser takes and sizes that its network bears, where no rule said otherwise."""
    if actions.get("image_format", "auto") == "auto" and situation.formats:
        actions["image_format"] = situation.formats[0]
        chosen_by.setdefault("image_format", "accept header")
    elif actions.get("image_format") == "auto":
        actions["image_format"] = "jpeg"
    if "image_size" not in actions and situation.text("network_type") in SLOW_NETWORKS:
        actions["image_size"] = "small"
        chosen_by["image_size"] = "slow network"


def served_detail(items: list[str]) -> str:
    """Items of an answer as the state keeps them."""
    return orjson.dumps(items).decode()
