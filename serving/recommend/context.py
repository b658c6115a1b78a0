"""A recommendation request with everything that ranking needs to know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_index import primary_subtag
from ml.decisions.ranker.ranking_context import RankingContext
from ml.settings.decisions import DiversitySettings
from serving.bundles.served_bundle import ServedBundle
from serving.context.situation import Situation
from serving.experiment.treatments import NO_TREATMENT, Treatment
from serving.privacy.personalization import keys_of, may_personalize
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState

READ_OPENINGS, READ_SHARE = 2, 0.2
"""Openings of items in a language, and their share, from which somebody reads it."""


@dataclass(kw_only=True)
class RequestContext(RankingContext):
    """A recommendation request, who it is for, and in what situation.

    Attributes:
        request: The request as it was sent.
        user: The user id, or the anonymous id of a visitor who is not signed in.
        k: Number of items to answer.
        bundle: The bundle that ranks.
        role: Why that bundle ranks: `champion`, `challenger`, `canary` or `interleaved`.
        profile: What the person set.
        situation: Device, place, local time and weather.
        is_personal: Whether the person's history may be used.
        history: The visitor with the openings that the bundle has from before memory began.
        boosts: Tuples of `topic` or `item`, its name, and what the score gains, from rules.
        diversity: How the list is composed.
        treatment: What experiments change.
        is_dry_run: Whether the answer is not shown. Nothing is learned from it, and no metric counts it.
    """

    request: RecommendationRequest
    user: str | None
    k: int
    bundle: ServedBundle
    profile: Mapping[str, Any]
    situation: Situation
    is_personal: bool
    diversity: DiversitySettings
    role: str = "champion"
    history: Visitor | None = None
    boosts: tuple[tuple[str, str, float], ...] = ()
    treatment: Treatment = NO_TREATMENT
    is_dry_run: bool = False

    @classmethod
    def build(
        cls,
        state: OnlineState,
        request: RecommendationRequest,
        bundle: ServedBundle,
        situation: Situation,
        *,
        at: float,
        k: int,
        diversity: DiversitySettings,
        boosts: tuple[tuple[str, str, float], ...] = (),
        role: str = "champion",
        treatment: Treatment = NO_TREATMENT,
        profile: Mapping[str, Any] | None = None,
        is_personal: bool | None = None,
        is_dry_run: bool = False,
    ) -> RequestContext:
        """Combine what the request, the online state and the bundle say about the person.

        Args:
            state: The online state.
            request: The request.
            bundle: The bundle that ranks.
            situation: The visitor's situation.
            at: Time of the request, Unix seconds.
            k: Number of items to answer.
            diversity: How the list is composed.
            boosts: Score changes of rules.
            role: Why the bundle ranks.
            treatment: What experiments change.
            profile: Replaces what the person set, for previews.
            is_personal: Whether the person's history may be used; None to look up the person's consent.
            is_dry_run: Whether the answer is not shown.
        """
        activity, join, index = state.activity, bundle.join, bundle.index
        user = request.person
        visitor = activity.find_visitor(user) if user else None
        row = index.user_rows.get(user) if user and index else None
        if profile is None:
            profile = state.profile_or_opt_out(user) if user else {}
        if is_personal is None:
            is_personal = may_personalize(state, bundle, keys_of(state, request), profile)
        # Who turned personalization off keeps the benefit of what they did before: nothing is shown twice.
        may_use_seen = is_personal or bool(profile.get("opt_out"))
        excluded = {activity.assign_key(item) for item in request.exclude if item in activity.keys}
        if visitor is not None:
            excluded |= visitor.seen | visitor.rejected if may_use_seen else visitor.rejected
        if row is not None and index and may_use_seen:
            excluded.update(join.key_of_row[index.bundle.history.seen(row)].tolist())
        context = cls(
            at=at,
            excluded=excluded,
            request=request,
            user=user,
            k=k,
            bundle=bundle,
            profile=profile,
            situation=situation,
            is_personal=is_personal,
            diversity=diversity,
            role=role,
            boosts=boosts,
            treatment=treatment,
            is_dry_run=is_dry_run,
            place=(situation.text("country"), situation.text("region"), situation.text("device_type")),
        )
        if bundle.scorer.ranks_for_everybody:
            context.vector = bundle.scorer.fold_in_recent(None)
        if is_personal:
            context._personalize(state, visitor, row)
        return context

    @property
    def stated_interests(self) -> list[str]:
        """Topics of stated interest that may be used."""
        return list(self.profile.get("interests") or ()) if self.is_personal else []

    @cached_property
    def languages(self) -> frozenset[str]:
        """Languages that the person reads, as primary subtags: those of the situation and of what they opened."""
        stated = {primary_subtag(tag) for tag in self.situation.languages}
        index = self.bundle.index
        if index is None or not self.is_personal or self.visitor is None:
            return frozenset(stated)
        rows = [self.bundle.join.row_of(key) for key, _ in self.visitor.recent]
        tags = [tag for row in rows if row >= 0 and (tag := index.language_of(row)) is not None]
        opened = Counter(map(primary_subtag, tags))
        least = max(READ_OPENINGS, READ_SHARE * opened.total())
        return frozenset(stated | {language for language, count in opened.items() if count >= least})

    @property
    def has_evidence(self) -> bool:
        """Whether something about the person says what to show: history, segment, factors or stated interests."""
        if not self.is_personal:
            return False
        is_of_person = self.vector is not None and not self.bundle.scorer.ranks_for_everybody
        has_history = bool(self.visitor and self.visitor.recent) or bool(self.visit and self.visit.items)
        return (
            has_history
            or is_of_person
            or self.segment is not None
            or any(self.bundle.keys_of_topic(topic) for topic in self.stated_interests)
        )

    @property
    def has_lifts(self) -> bool:
        """Whether interests or rules may raise the score of an item."""
        return bool(self.boosts or self.stated_interests)

    def _personalize(self, state: OnlineState, visitor: Visitor | None, row: int | None) -> None:
        """Add the person's history, vector and segment."""
        self.user_row = row
        self.history = self.bundle.join.extend_history(visitor, row, state.activity.limits)
        self.visit = state.activity.find_visit(self.request.session_id, self.user, self.at)
        # The blend learned from what memory holds of people. A longer past would read as something else.
        self.visitor = visitor or self.history
        if not self.bundle.scorer.ranks_for_everybody:
            self.vector = self.bundle.scorer.user_vector(self.history, row)
        topics = tuple(self.profile.get("interests") or ())
        if self.vector is None and topics:
            self.vector, self.vector_topics = self.bundle.vector_of_topics(topics), topics
        self.segment = self.bundle.join.segment_of(row)
