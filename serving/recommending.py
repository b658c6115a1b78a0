"""One answer: who asks, what could be shown, in which order, and why."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.decisions.activity import Activity, Visit, Visitor
from ml.decisions.linked import Linked
from ml.decisions.windowed_counts import top
from ml.recommenders.topk import select_top_k
from serving.requests import Filter, RecommendationRequest
from serving.state.online import OnlineState

TRENDING = 200
FOLLOWING = 100


@dataclass
class Asking:
    """All that is known of a request before anything is ranked; `at` is Unix seconds."""

    user: str | None
    at: float
    k: int
    slot: str | None
    visitor: Visitor | None
    visit: Visit | None
    profile: dict[str, Any]
    user_row: int | None
    country: str | None
    device: str | None
    segment: str | None
    excluded: set[int]

    @property
    def is_opted_out(self) -> bool:
        """Whether the person turned personalization off."""
        return bool(self.profile.get("opt_out"))


def new_recommendation_id() -> str:
    """A fresh id of one answer."""
    return uuid.uuid4().hex


def asking(request: RecommendationRequest, now: dt.datetime, k: int, state: OnlineState, linked: Linked) -> Asking:
    """Bring together what the request, the state and the bundle say of who asks."""
    activity = state.activity
    user = request.user_id or request.anonymous_id
    at = request.moment(now).timestamp()
    visitor = activity.visitor(user) if user else None
    row = linked.shelf.user_rows.get(user) if user and linked.shelf else None
    profile = state.profile(user) if user else {}
    excluded = {activity.key(item) for item in request.exclude if item in activity.keys}
    if visitor is not None:
        excluded |= visitor.seen | visitor.rejected
    if row is not None and linked.shelf:
        excluded.update(linked.key_of_row[linked.shelf.bundle.seen(row)].tolist())
    return Asking(
        user=user,
        at=at,
        k=k,
        slot=request.slot,
        visitor=visitor,
        visit=activity.visit(request.session_id, user, at),
        profile=profile,
        user_row=row,
        country=request.context.get("country") or (visitor.country if visitor else None),
        device=request.context.get("device_type") or (visitor.device if visitor else None),
        segment=linked.segment(row),
        excluded=excluded,
    )


def candidates(asked: Asking, activity: Activity, linked: Linked, personal: int) -> dict[int, tuple[float, str]]:
    """Score and main source of each item key that could be shown, before filters and care."""
    found: dict[int, tuple[float, str]] = {}

    def offer(key: int, score: float, source: str) -> None:
        before = found.get(key)
        if before is None:
            found[key] = (score, source)
        else:
            found[key] = (before[0] + score, source if score > before[0] else before[1])

    for window, weight in ((activity.hour, 1.0), (activity.day, 0.1)):
        counts = window.at(asked.at)
        total = max(1.0, sum(counts.values()))
        for key in top(counts, TRENDING):
            offer(key, weight * counts[key] / total, "trending")
    if not asked.is_opted_out:
        _personal(asked, activity, linked, personal, offer)
    for scope, weight in (("all", 0.05), ("popular", 0.01)):
        for place, key in enumerate(linked.trending(scope)[:TRENDING]):
            offer(key, weight / (place + 1), "trending" if scope == "all" else "popular")
    return found


def _personal(asked: Asking, activity: Activity, linked: Linked, personal: int, offer: Any) -> None:
    if asked.visit is not None and asked.visit.items:
        keys, weights = activity.next.after(asked.visit.items[-1], asked.at)
        mass = weights[:, -1].sum()
        if mass > 0:
            heaviest = np.argsort(-weights[:, -1], kind="stable")[:FOLLOWING]
            for place in heaviest.tolist():
                offer(int(keys[place]), float(weights[place, -1] / mass), "follows")
    vector, source = personal_vector(asked, linked)
    if vector is not None and linked.shelf and linked.shelf.bundle.item_factors is not None:
        scores = linked.shelf.bundle.item_factors @ vector
        scores[~linked.shelf.known_items] = -np.inf
        rows, values = select_top_k(scores[None, :], min(personal, len(scores)))
        for place, (row, value) in enumerate(zip(rows[0].tolist(), values[0].tolist(), strict=True)):
            if row >= 0 and np.isfinite(value):
                offer(int(linked.key_of_row[row]), 1.0 / (place + 2), source)


def personal_vector(asked: Asking, linked: Linked) -> tuple[Any, str]:
    """Factors of the person and where they come from: the model, moved by recent events, or recent events alone."""
    if linked.shelf is None:
        return None, ""
    known = linked.shelf.user_vector(asked.user_row)
    recent = asked.visitor.recent[-20:] if asked.visitor else []
    pairs = [(int(linked.row(key)), 1.0) for key, _ in recent if linked.row(key) >= 0]
    folded = linked.shelf.fold_in([row for row, _ in pairs], [weight for _, weight in pairs]) if pairs else None
    if known is None:
        return folded, "recent"
    if folded is None:
        return known, "personal"
    length = float(np.linalg.norm(known)) / max(float(np.linalg.norm(folded)), 1e-9)
    return known + np.float32(0.5 * length) * folded, "personal"


def allowed(key: int, wanted: Filter | None, activity: Activity, linked: Linked) -> bool:
    """Whether the request's filter lets an item pass; an item that nothing is known of passes no filter on facts."""
    if wanted is None:
        return True
    if wanted.item_ids is not None and activity.items[key] not in wanted.item_ids:
        return False
    row = linked.row(key)
    facts = (wanted.category, wanted.tags, wanted.language, wanted.max_price)
    if row < 0 or linked.shelf is None:
        return all(fact is None for fact in facts)
    shelf = linked.shelf
    if wanted.category is not None and shelf.category_of(row) not in wanted.category:
        return False
    if wanted.language is not None and shelf.language_of(row) not in wanted.language:
        return False
    if wanted.tags is not None and not set(wanted.tags) & set(shelf.tags[row].as_py() or []):
        return False
    return wanted.max_price is None or bool(shelf.price[row] <= wanted.max_price)
