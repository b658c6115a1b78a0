"""One request answered: who asks, in what situation, ranked or decided, and logged as `served`."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ml.decisions import care
from ml.decisions.activity import Change
from serving.context.situation import Situation, checked_context, situation
from serving.deciding import Decided, served_detail
from serving.errors import ApiError
from serving.metrics import ANSWERS
from serving.ranking import Ranking
from serving.recommending import Asking, Recommended
from serving.requests import DecisionRequest, RecommendationRequest
from serving.tessera import Tessera

R = TypeVar("R", bound=RecommendationRequest)


@dataclass(frozen=True)
class Asked:
    """A request with all that is known about it, before anything is ranked."""

    wanted: RecommendationRequest
    now: dt.datetime
    asking: Asking
    ranking: Ranking
    role: str


def answer(
    tessera: Tessera, wanted: RecommendationRequest, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Rank, log the answer as a `served` event, and return it.

    Raises:
        ApiError: a field of the request is wrong, or the slot was asked too often for one person.
    """
    return answered(tessera, asked_by(tessera, wanted, headers))


def asked_by(tessera: Tessera, wanted: RecommendationRequest, headers: dict[str, Any] | None = None) -> Asked:
    """Bring together what is known of a request.

    Raises:
        ApiError: as `answer`.
    """
    tessera.state.catch_up()
    now = tessera.clock()
    wanted = _without_erased(tessera, wanted)
    k = _length(tessera, wanted)
    user = wanted.user_id or wanted.anonymous_id
    ranking, role = _ranking_for(tessera, user)
    around = _situation(tessera, wanted, headers or {}, ranking, now)
    _refuse_floods(tessera, user, wanted.slot, wanted.moment(now))
    boosts = _boosts(tessera, wanted, around, ranking, now)
    return Asked(wanted, now, tessera.recommending.asking(wanted, now, k, ranking, around, boosts), ranking, role)


def answered(tessera: Tessera, asked: Asked) -> dict[str, Any]:
    """Rank, log the answer as a `served` event, and return it."""
    asking, ranking = asked.asking, asked.ranking
    found = tessera.recommending.recommend(asking, ranking)
    reply: dict[str, Any] = {
        "recommendation_id": found.recommendation_id,
        "items": found.items,
        "model_version": ranking.model_version,
        "personalized": found.is_personalized,
    }
    if asking.question.segment is not None and asking.is_personal:
        reply["segment"] = asking.question.segment
    ANSWERS.labels("recommendations", str(ranking.model_version)).inc()
    tessera.tracing.stages(
        found.stages, {"tessera.model_version": ranking.model_version, "tessera.fallback": found.fallback}
    )
    if asking.user is not None:
        _log(tessera, asked, found, {"role": asked.role, **_shadow(tessera, asked)})
    return reply


def decision(tessera: Tessera, wanted: DecisionRequest, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """The content variant for a slot and the rule that chose it; logged with its propensity.

    Raises:
        ApiError: a field of the request is wrong, or the slot was asked too often for one person.
    """
    tessera.state.catch_up()
    now = tessera.clock()
    wanted = _without_erased(tessera, wanted)
    user = wanted.user_id or wanted.anonymous_id
    around = _situation(tessera, wanted, headers or {}, tessera.ranking, now)
    _refuse_floods(tessera, user, wanted.slot, wanted.moment(now))
    moment = _moment(tessera, wanted, around, tessera.ranking, now)
    decided = tessera.deciding.decide(moment, tessera.rules.rules, around, now.timestamp())
    ANSWERS.labels("decisions", str(tessera.ranking.model_version)).inc()
    if user is not None:
        _log_decision(tessera, wanted, wanted.moment(now).timestamp(), decided)
    content_rule = decided.chosen_by.get("content")
    return {
        "decision_id": decided.decision_id,
        "slot": wanted.slot,
        "content": decided.actions.get("content"),
        "rule": content_rule,
        "actions": decided.actions,
        "chosen_by": decided.chosen_by,
        "matched": list(decided.applied.matched),
        "boosts": [{kind: name, "by": by, "rule": rule} for kind, name, by, rule in decided.applied.boosts],
        "propensity": round(decided.propensity, 6),
        "model_version": tessera.ranking.model_version,
    }


def preview(tessera: Tessera, wanted: RecommendationRequest, profile: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person would be answered with another profile; nothing is logged or remembered."""
    now, ranking = tessera.clock(), tessera.ranking
    around = _situation(tessera, wanted, {}, ranking, now)
    asked = tessera.recommending.asking(
        wanted, now, tessera.settings.default_k, ranking, around, profile=profile, is_trial=True
    )
    return tessera.recommending.recommend(asked, ranking).items


def _without_erased(tessera: Tessera, wanted: R) -> R:
    """The request without ids that were erased: such a person is a stranger, and nothing is logged."""
    if not tessera.erased:
        return wanted
    names = ("user_id", "anonymous_id")
    gone = {name: None for name in names if getattr(wanted, name) in tessera.erased}
    return wanted.model_copy(update=gone) if gone else wanted


def _length(tessera: Tessera, wanted: RecommendationRequest) -> int:
    k = wanted.k or tessera.settings.default_k
    if k > tessera.settings.max_k:
        raise ApiError(422, f"k is {k}; at most {tessera.settings.max_k}", "k")
    return k


def _situation(
    tessera: Tessera, wanted: RecommendationRequest, headers: dict[str, Any], ranking: Ranking, now: dt.datetime
) -> Situation:
    user = wanted.user_id or wanted.anonymous_id
    visitor = tessera.state.activity.visitor(user) if user else None
    seen = {"country": visitor.country, "region": visitor.region, "device_type": visitor.device} if visitor else {}
    told = ranking.facts(user) if user else {}
    return situation(
        wanted.moment(now),
        (checked_context(wanted.context), headers, seen, told),
        tessera.start.settings.decisions.dayparts,
        tessera.surroundings,
    )


def _moment(
    tessera: Tessera, wanted: RecommendationRequest, around: Situation, ranking: Ranking, now: dt.datetime
) -> Any:
    user, at = wanted.user_id or wanted.anonymous_id, wanted.moment(now)
    visit = tessera.state.activity.visit(wanted.session_id, user, at.timestamp())
    return tessera.deciding.moment(
        user, wanted.slot, at, around, ranking, tessera.rules.rules, visit, wanted.user_id is not None
    )


def _boosts(
    tessera: Tessera, wanted: RecommendationRequest, around: Situation, ranking: Ranking, now: dt.datetime
) -> tuple[tuple[str, str, float], ...]:
    if not tessera.rules.rules.compiled:
        return ()
    applied = tessera.rules.rules.apply(_moment(tessera, wanted, around, ranking, now))
    return tuple((kind, name, by) for kind, name, by, _ in applied.boosts)


def _refuse_floods(tessera: Tessera, user: str | None, slot: str | None, at: dt.datetime) -> None:
    visitor = tessera.state.activity.visitor(user) if user else None
    most = tessera.start.settings.decisions.caps.slot_impressions_per_hour
    if care.is_slot_capped(visitor, slot, at.timestamp(), most):
        raise ApiError(429, f"slot {slot!r} was asked {most} times in an hour for one person", "slot")


def _ranking_for(tessera: Tessera, user: str | None) -> tuple[Ranking, str]:
    """The champion, or the challenger for the canary's share of people, the same people every time."""
    challenger, share = tessera.challenger, tessera.settings.challenger.canary_share
    if challenger is None or user is None or share <= 0 or not _falls_within(user, "canary", share):
        return tessera.ranking, "champion"
    return challenger, "challenger"


def _falls_within(user: str, purpose: str, share: float) -> bool:
    digest = hashlib.blake2b(f"{purpose}\x1f{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < share


def _shadow(tessera: Tessera, asked: Asked) -> dict[str, Any]:
    """What the challenger would have answered, logged and not shown, for the shadow's share of people."""
    challenger, share = tessera.challenger, tessera.settings.challenger.shadow_share
    own = asked.asking
    if challenger is None or asked.role != "champion" or not _falls_within(str(own.user), "shadow", share):
        return {}
    asking = tessera.recommending.asking(asked.wanted, asked.now, own.k, challenger, own.situation)
    found = tessera.recommending.recommend(asking, challenger)
    return {
        "shadow_items": [item["item_id"] for item in found.items],
        "shadow_model_version": challenger.model_version,
    }


def _log(tessera: Tessera, asked: Asked, found: Recommended, more: dict[str, Any]) -> None:
    items = [item["item_id"] for item in found.items]
    properties = {
        "items": items,
        "ranks": list(range(1, len(items) + 1)),
        "propensities": found.propensities,
        "model_version": asked.ranking.model_version,
        "slot": asked.wanted.slot,
        **more,
    }
    _served(tessera, asked.wanted, asked.asking.at, found.recommendation_id, properties, items)


def _log_decision(tessera: Tessera, wanted: DecisionRequest, at: float, decided: Decided) -> None:
    properties = {
        "items": [decided.actions["content"]] if decided.actions.get("content") else [],
        "ranks": [1] if decided.actions.get("content") else [],
        "propensities": [decided.propensity] if decided.actions.get("content") else [],
        "model_version": tessera.ranking.model_version,
        "slot": wanted.slot,
        "decision": decided.actions,
        "rules": decided.chosen_by,
    }
    _served(tessera, wanted, at, decided.decision_id, properties, [])


def _served(
    tessera: Tessera,
    wanted: RecommendationRequest,
    at: float,
    answer_id: str,
    properties: dict[str, Any],
    items: Sequence[str],
) -> None:
    """Write the `served` event, and tell the state where the slot is named."""
    event: dict[str, Any] = {
        "event_type": "served",
        "occurred_at": at,
        "recommendation_id": answer_id,
        "properties": properties,
    }
    for name in ("user_id", "anonymous_id", "session_id"):
        if getattr(wanted, name) is not None:
            event[name] = getattr(wanted, name)
    tessera.log_soon([event])
    user = wanted.user_id or wanted.anonymous_id
    if wanted.slot is not None and user is not None:
        tessera.state.note(Change(user, "served", at, slot=wanted.slot, detail=served_detail(list(items))))
