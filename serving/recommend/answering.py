"""One request answered: who asks, in what situation, ranked or decided, and logged as `served`."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any, TypeVar

from ml.decisions.rules import care
from ml.decisions.rules.rules import Moment, Rules
from serving.context.situation import Situation, checked_context, situation
from serving.errors import ApiError
from serving.experiment.experimenting import DECIDED, RECOMMENDED, Trial
from serving.experiment.interleaving import Drafted
from serving.observability.metrics import ANSWERS
from serving.recommend.answer_log import log_answer, log_decision, log_exposures
from serving.recommend.prepared import Prepared
from serving.recommend.ranking import Ranking
from serving.recommend.recommending import Asking, Recommended
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
    trial: Trial


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
    around = _situation(tessera, wanted, headers or {}, tessera.ranking, now)
    _refuse_floods(tessera, user, wanted.slot, wanted.moment(now))
    trial = _trial(tessera, wanted, RECOMMENDED, around, now)
    ranking, role = _ranking_for(tessera, user, trial)
    boosts = _boosts(tessera, wanted, around, ranking, now, trial)
    diversity = trial.diversity(tessera.start.settings.decisions.diversity)
    asking = tessera.recommending.asking(wanted, now, k, ranking, around, boosts, diversity=diversity)
    return Asked(wanted, now, asking, ranking, role, trial)


async def answered_beside(tessera: Tessera, asked: Asked) -> dict[str, Any]:
    """As `answered`; the search over all items and the rankers' trees run beside the event loop."""
    asking, ranking = asked.asking, asked.ranking
    await tessera.searching.prepare(asking.question, ranking.personal, asking.user_row)
    prepared = tessera.recommending.prepare(asking, ranking)
    await tessera.searching.score(prepared)
    return answered(tessera, asked, prepared)


def answered(tessera: Tessera, asked: Asked, prepared: Prepared | None = None) -> dict[str, Any]:
    """Rank, log the answer as a `served` event, and return it."""
    asking, ranking = asked.asking, asked.ranking
    found = tessera.recommending.recommend(asking, ranking, prepared)
    logged: dict[str, Any] = {"role": asked.role, **_shadow(tessera, asked)}
    if asked.role == "interleaved" and tessera.challenger is not None:
        drafted = _drafted(tessera, asked, found, tessera.challenger)
        found, logged = drafted.answer, {**logged, **drafted.logged}
    reply: dict[str, Any] = {
        "recommendation_id": found.recommendation_id,
        "items": found.items,
        "model_version": ranking.model_version,
        "personalized": found.is_personalized,
    }
    if asking.question.segment is not None and asking.is_personal:
        reply["segment"] = asking.question.segment
    if asked.trial.shown:
        reply["experiments"] = logged["experiments"] = asked.trial.variants()
    ANSWERS.labels("recommendations", str(ranking.model_version)).inc()
    tessera.tracing.stages(
        found.stages, {"tessera.model_version": ranking.model_version, "tessera.fallback": found.fallback}
    )
    if asking.user is not None:
        log_answer(tessera, asked.wanted, asking.at, found, {**logged, "model_version": ranking.model_version})
        log_exposures(tessera, asked.wanted, asked.trial, asking.at)
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
    trial = _trial(tessera, wanted, DECIDED, around, now)
    rules = trial.rules(tessera.rules.rules)
    moment = _moment(tessera, wanted, around, tessera.ranking, now, rules)
    decided = tessera.deciding.decide(moment, rules, around, now.timestamp(), _fixed(trial))
    ANSWERS.labels("decisions", str(tessera.ranking.model_version)).inc()
    if user is not None:
        log_decision(tessera, wanted, wanted.moment(now).timestamp(), decided, trial)
        log_exposures(tessera, wanted, trial, wanted.moment(now).timestamp())
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
        **({"experiments": trial.variants()} if trial.shown else {}),
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
    tessera: Tessera,
    wanted: RecommendationRequest,
    around: Situation,
    ranking: Ranking,
    now: dt.datetime,
    rules: Rules,
) -> Moment:
    user, at = wanted.user_id or wanted.anonymous_id, wanted.moment(now)
    visit = tessera.state.activity.visit(wanted.session_id, user, at.timestamp())
    return tessera.deciding.moment(
        user, wanted.slot, at, around, ranking, rules, visit, wanted.user_id is not None
    )


def _boosts(
    tessera: Tessera,
    wanted: RecommendationRequest,
    around: Situation,
    ranking: Ranking,
    now: dt.datetime,
    trial: Trial,
) -> tuple[tuple[str, str, float], ...]:
    rules = trial.rules(tessera.rules.rules)
    if not rules.compiled:
        return ()
    applied = rules.apply(_moment(tessera, wanted, around, ranking, now, rules))
    return tuple((kind, name, by) for kind, name, by, _ in applied.boosts)


def _refuse_floods(tessera: Tessera, user: str | None, slot: str | None, at: dt.datetime) -> None:
    visitor = tessera.state.activity.visitor(user) if user else None
    most = tessera.start.settings.decisions.caps.slot_impressions_per_hour
    if care.is_slot_capped(visitor, slot, at.timestamp(), most):
        raise ApiError(429, f"slot {slot!r} was asked {most} times in an hour for one person", "slot")


def _trial(
    tessera: Tessera, wanted: RecommendationRequest, aspects: frozenset[str], around: Situation, now: dt.datetime
) -> Trial:
    """What experiments make of this answer."""
    user = wanted.user_id or wanted.anonymous_id
    facts = {**around.given, **(tessera.ranking.facts(user) if user else {}), "daypart": around.local.daypart}
    return tessera.experimenting.trial(
        wanted, aspects, facts, wanted.moment(now), has_challenger=tessera.challenger is not None
    )


def _ranking_for(tessera: Tessera, user: str | None, trial: Trial) -> tuple[Ranking, str]:
    """Who ranks: as an experiment says; else both for the interleaved share of people, the challenger for the
    canary's, and the champion for all others, the same people every time.
    """
    challenger, shares = tessera.challenger, tessera.settings.challenger
    if challenger is None or user is None or trial.effects.model == "champion":
        return tessera.ranking, "champion"
    if trial.effects.model == "challenger":
        return challenger, "challenger"
    if _falls_within(user, "interleaved", shares.interleaved_share):
        return tessera.ranking, "interleaved"
    if _falls_within(user, "canary", shares.canary_share):
        return challenger, "challenger"
    return tessera.ranking, "champion"


def _falls_within(user: str, purpose: str, share: float) -> bool:
    digest = hashlib.blake2b(f"{purpose}\x1f{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < share


def _drafted(tessera: Tessera, asked: Asked, champions: Recommended, challenger: Ranking) -> Drafted:
    """The answer that the champion and the challenger draft together."""
    challengers = _challengers(tessera, asked, challenger)
    return tessera.interleaving.draft(champions, challengers, challenger.model_version)


def _fixed(trial: Trial) -> tuple[str, str] | None:
    """Content that an experiment puts into the slot, and the name that stands where a rule's id would."""
    content = trial.effects.content
    return None if content is None else (content, f"experiment:{trial.by['content']}")


def _shadow(tessera: Tessera, asked: Asked) -> dict[str, Any]:
    """What the challenger would have answered, logged and not shown, for the shadow's share of people."""
    challenger, share = tessera.challenger, tessera.settings.challenger.shadow_share
    user = str(asked.asking.user)
    if challenger is None or asked.role != "champion" or not _falls_within(user, "shadow", share):
        return {}
    found = _challengers(tessera, asked, challenger)
    return {
        "shadow_items": [item["item_id"] for item in found.items],
        "shadow_model_version": challenger.model_version,
    }


def _challengers(tessera: Tessera, asked: Asked, challenger: Ranking) -> Recommended:
    """The challenger's answer to the same request; nothing is learned from what is not shown as it is."""
    own = asked.asking
    asking = tessera.recommending.asking(
        asked.wanted,
        asked.now,
        own.k,
        challenger,
        own.situation,
        own.boosts,
        is_trial=True,
        diversity=own.diversity,
    )
    return tessera.recommending.recommend(asking, challenger)
