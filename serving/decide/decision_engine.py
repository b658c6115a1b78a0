"""Decides what a slot shows: rules over the visitor's situation, and a bandit where a rule says `learn`."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.arrays import F64
from ml.decisions.activity.state_change import REJECTIONS, StateChange
from ml.decisions.activity.visitors import Visitor
from ml.decisions.rules.bandit import ThompsonSampling, encode_context
from ml.decisions.rules.display_caps import is_campaign_capped, is_content_capped, is_quiet_hour, item_cap
from ml.decisions.rules.rule_set import RuleContext, RuleOutcome, RuleSet
from ml.settings.decisions import DecisionSettings
from serving.bundles.served_bundle import ServedBundle
from serving.context.situation import Situation
from serving.experiment.traffic_split import traffic_position
from serving.privacy.personalization import keys_of, may_personalize
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState

DOCUMENT = "bandits"
PENDING = 50_000
PENDING_OF_ONE = 20
"""Choices of one person and slot that wait for a reward at once; the bandit learns nothing from further ones."""
REWARDED = frozenset({"click", "page_view", "purchase", "signup", "subscribe", "form_submit"})
SLOW_NETWORKS = frozenset({"slow-2g", "2g", "3g"})
RECENT = 20
SHOWN_KINDS = ("content", "banner", "offer")
PRIVATE_FACTS = frozenset({"latitude", "longitude", "timezone"})
"""Facts of a situation that rules may not ask about."""


@dataclass(frozen=True)
class SlotDecision:
    """What a slot shows.

    Attributes:
        decision_id: Id that events refer to when they react to the decision.
        actions: Value by kind of action.
        chosen_by: The rule that chose each action.
        outcome: What the rules decided.
        propensity: Probability with which the content was chosen.
        campaign: Campaign of the rule that chose the content, or else another action; None without one.
    """

    decision_id: str
    actions: dict[str, Any]
    chosen_by: dict[str, str]
    outcome: RuleOutcome
    propensity: float
    campaign: str | None = None

    @property
    def shown(self) -> str | None:
        """The content, or else the banner or the offer, that the slot shows."""
        return next((self.actions[kind] for kind in SHOWN_KINDS if self.actions.get(kind)), None)


@dataclass(frozen=True)
class _PendingChoice:
    """A variant that was shown and waits for its reward; `at` is Unix seconds."""

    slot: str
    variant: str
    context: F64
    at: float
    person: str


class DecisionEngine:
    """Applies rules and learns which variants work.

    Args:
        state: Recent behaviour, caps, and the store that keeps the bandits.
        settings: The section decisions.
        seed: Seed of the bandits' draws.
    """

    def __init__(self, state: OnlineState, settings: DecisionSettings, seed: int | None = None) -> None:
        self.state = state
        self.settings = settings
        self.bandit = ThompsonSampling(settings.bandit)
        self.bandit.restore(state.store.value(DOCUMENT))
        self._generator = np.random.default_rng(seed)
        self._pending: OrderedDict[str, _PendingChoice] = OrderedDict()
        self._pending_of_one: Counter[tuple[str, str]] = Counter()

    def build_rule_context(
        self,
        request: RecommendationRequest,
        at: dt.datetime,
        situation: Situation,
        bundle: ServedBundle,
        rules: RuleSet,
    ) -> RuleContext:
        """Collect everything that the rules may ask about."""
        user, activity = request.person, self.state.activity
        # A browser's answers count under a key of its own, and what it reports under the person's.
        shown_to = {user, request.counted_person}
        visitors = [visitor for key in shown_to if key and (visitor := activity.find_visitor(key)) is not None]
        profile = self.state.profile_or_opt_out(user) if user else {}
        positions = {
            compiled.rule.id: traffic_position(user or "", compiled.rule.id)
            for compiled in rules.rules
            if compiled.rule.share < 1.0
        }
        return RuleContext(
            self._collect_facts(request, at, situation, bundle, profile),
            at,
            situation.local.moment,
            request.slot,
            positions,
            self._capped_campaigns(rules, visitors, profile, at, situation),
            self._capped_contents(rules, visitors, profile, at),
        )

    def decide(
        self,
        context: RuleContext,
        rules: RuleSet,
        situation: Situation,
        now: float,
        fixed: tuple[str, str] | None = None,
        person: str | None = None,
    ) -> SlotDecision:
        """Evaluate the rules; where a rule says `learn`, draw the variant.

        Args:
            context: What the rules ask about.
            rules: The rules.
            situation: The visitor's situation.
            now: Unix seconds by the clock that rewards are awaited by. The time of `context` may differ.
            fixed: Content that stands whatever the rules decide, and what chose it.
            person: Key of the person whose reaction the bandit learns from; None to learn nothing.
        """
        outcome = rules.evaluate(context)
        actions: dict[str, Any] = {kind: value for kind, (value, _) in outcome.actions.items()}
        chosen_by = {kind: rule for kind, (_, rule) in outcome.actions.items()}
        decision_id, propensity = uuid.uuid4().hex, 1.0
        if fixed is not None:
            actions["content"], chosen_by["content"] = fixed
        elif outcome.learn is not None:
            slot = f"{context.slot}:{outcome.learn.id}"
            encoded = _encode_situation(context, situation)
            variants = [name for name in outcome.learn.then.learn if name not in context.capped_contents]
            draw = self.bandit.draw_variant(slot, variants, encoded, self._generator)
            actions["content"], chosen_by["content"] = draw.variant, outcome.learn.id
            propensity = draw.propensity
            if person is not None:
                self._await_reward(decision_id, _PendingChoice(slot, draw.variant, encoded, now, person))
        _choose_image(actions, chosen_by, situation)
        return SlotDecision(decision_id, actions, chosen_by, outcome, propensity, _find_campaign(chosen_by, rules))

    def observe(self, change: StateChange) -> None:
        """Learn from an event that reacts to a decision: an opening or a conversion earns 1, a rejection 0."""
        if change.reacts_to is not None and change.reacts_to in self._pending:
            if change.event_type in REWARDED:
                self._learn(change.reacts_to, 1.0)
            elif change.event_type in REJECTIONS:
                self._learn(change.reacts_to, 0.0)

    def settle(self, now: float) -> int:
        """Learn that choices without a reaction within the reward window earned nothing.

        Without them the bandit would learn from successes alone and call every variant good.

        Returns:
            The number of such choices.
        """
        before = now - self.settings.bandit.reward_window_seconds
        stale = [decision for decision, choice in self._pending.items() if choice.at <= before]
        for decision in stale:
            self._learn(decision, 0.0)
        return len(stale)

    def exchange(self) -> None:
        """Save what the bandits learned, and take over what the other workers learned."""
        store = self.state.store
        if self.bandit.has_news:
            self.bandit.restore(store.change_value(DOCUMENT, self.bandit.merge_into))
        else:
            self.bandit.restore(store.value(DOCUMENT))

    def _await_reward(self, decision_id: str, choice: _PendingChoice) -> None:
        if self._pending_of_one[choice.person, choice.slot] >= PENDING_OF_ONE:
            return
        self._pending[decision_id] = choice
        self._pending_of_one[choice.person, choice.slot] += 1
        if len(self._pending) > PENDING:
            self._learn(next(iter(self._pending)), 0.0)

    def _learn(self, decision_id: str, reward: float) -> None:
        choice = self._pending.pop(decision_id)
        self._pending_of_one[choice.person, choice.slot] -= 1
        if not self._pending_of_one[choice.person, choice.slot]:
            del self._pending_of_one[choice.person, choice.slot]
        self.bandit.learn(choice.slot, choice.variant, choice.context, reward)

    def _capped_campaigns(
        self,
        rules: RuleSet,
        visitors: Sequence[Visitor],
        profile: Mapping[str, Any],
        at: dt.datetime,
        situation: Situation,
    ) -> frozenset[str]:
        if is_quiet_hour(profile, situation.local.hour):
            return frozenset(rules.shown_by_campaign)
        cap, now = self.settings.caps.campaign_impressions_per_day, at.timestamp()
        return frozenset(
            name
            for name, shown in rules.shown_by_campaign.items()
            if any(is_campaign_capped(visitor, name, now, cap, shown) for visitor in visitors)
        )

    def _capped_contents(
        self, rules: RuleSet, visitors: Sequence[Visitor], profile: Mapping[str, Any], at: dt.datetime
    ) -> frozenset[str]:
        cap, now = item_cap(profile, self.settings.caps.item_impressions_per_day), at.timestamp()
        return frozenset(
            content
            for content in rules.contents
            if any(is_content_capped(visitor, content, now, cap) for visitor in visitors)
        )

    def _collect_facts(
        self,
        request: RecommendationRequest,
        at: dt.datetime,
        situation: Situation,
        bundle: ServedBundle,
        profile: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the facts; somebody who does not consent to personalization is described as a stranger."""
        activity, user, user_facts = self.state.activity, request.person, {}
        visitor = visit = None
        intent: Mapping[str, float] = {}
        running = None
        if may_personalize(self.state, bundle, keys_of(self.state, request), profile):
            if user is not None:
                visitor, user_facts = activity.find_visitor(user), bundle.user_facts(user)
            visit = activity.find_visit(request.session_id, user, at.timestamp())
            running = activity.find_running(user, at.timestamp()) if user is not None else None
            intent = bundle.tell_intent(user, activity, at.timestamp())
        else:
            profile = {}
        recent = visitor.recent[-RECENT:] if visitor else []
        categories = {activity.categories[key] for key, _ in recent if key in activity.categories}
        local = situation.local
        facts: dict[str, Any] = {
            **{name: value for name, value in situation.facts.items() if name not in PRIVATE_FACTS},
            "slot": request.slot,
            "user.is_known": request.user_id is not None,
            "user.segment": user_facts.get("segment"),
            "user.persona": user_facts.get("persona"),
            "user.engagement_class": user_facts.get("engagement_class"),
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
            "visit.signals": running.counts if running else {},
            **intent,
        }
        return {name: value for name, value in facts.items() if value is not None}


def _find_campaign(chosen_by: Mapping[str, str], rules: RuleSet) -> str | None:
    """Return the campaign of the rule that chose the content, or else of another rule that chose something."""
    campaigns = rules.campaign_of_rule
    kinds = ["content", *(kind for kind in chosen_by if kind != "content")]
    return next((campaign for kind in kinds if (campaign := campaigns.get(chosen_by.get(kind, "")))), None)


def _encode_situation(context: RuleContext, situation: Situation) -> F64:
    """Encode the situation for the bandit."""
    return encode_context(
        is_known=bool(context.facts.get("user.is_known")),
        device_type=situation.text("device_type"),
        daypart=situation.local.daypart,
        is_weekend=situation.local.is_weekend,
    )


def _choose_image(actions: dict[str, Any], chosen_by: dict[str, str], situation: Situation) -> None:
    """Choose the format that the browser accepts and the size for its network, unless a rule chose otherwise."""
    if actions.get("image_format", "auto") == "auto" and situation.formats:
        actions["image_format"] = situation.formats[0]
        chosen_by.setdefault("image_format", "accept header")
    elif actions.get("image_format") == "auto":
        actions["image_format"] = "jpeg"
    if "image_size" not in actions and situation.text("network_type") in SLOW_NETWORKS:
        actions["image_size"] = "small"
        chosen_by["image_size"] = "slow network"
