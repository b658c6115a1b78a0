"""What a materialization produced, gathered for the demo's page and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ml.bundle import current_version
from ml.home import Home
from ml.registry.registry import Registry
from orchestration.bento import SERVICE
from orchestration.demo.bento_client import request_recommendations
from orchestration.warehouse.warehouse import Warehouse

ITEMS_EACH = 3
INTERESTS = 2

_SAMPLE = """
    select
        users.user_id,
        coalesce(user_segments.name, 'no segment') as segment,
        users.engagement_class,
        users.category_shares
    from users
    left join user_segments using (user_id)
    where users.is_known and users.has_personalization_consent
    qualify row_number() over (
        partition by user_segments.segment order by users.page_views desc, users.user_id
    ) = 1
    order by users.page_views desc, users.user_id
    limit 5
"""


@dataclass(frozen=True)
class Shown:
    """One recommendation as the service gave it, with the item's title and category."""

    title: str
    category: str
    reason: str


@dataclass(frozen=True)
class SampleUser:
    """A user and what the service recommends; `interests` are the categories opened most."""

    user_id: str
    segment: str
    engagement_class: str
    interests: tuple[str, ...]
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class DemoResults:
    """Everything that the page shows.

    Attributes:
        profiles: table `segment_profiles`: name, size, share.
        candidates: table `candidate_models`: model and metrics, one row a candidate.
        champion: model of the champion's configuration.
        people: users of different segments with their recommendations.
        counts: how much there is of events, users, items and interactions.
    """

    profiles: pa.Table
    candidates: pa.Table
    champion: str
    people: tuple[SampleUser, ...]
    counts: Mapping[str, int]


def demo_results(home: Home) -> DemoResults:
    """Read the tables of `home` and ask its Bento for some users."""
    warehouse = Warehouse(home.warehouse)
    champion = Registry(home.mlflow_uri, home.artifacts).champion()
    return DemoResults(
        profiles=warehouse.read("segment_profiles"),
        candidates=warehouse.read("candidate_models"),
        champion=json.loads(champion.params["configuration"])["model"] if champion else "",
        people=_people(home, warehouse),
        counts={
            name: warehouse.read(f"select count(*) as n from {table}")["n"][0].as_py()
            for name, table in (
                ("events", "staging.stg_events"),
                ("sessions", "sessions"),
                ("users", "users"),
                ("items", "items"),
                ("interactions", "interactions"),
            )
        },
    )


def _people(home: Home, warehouse: Warehouse) -> tuple[SampleUser, ...]:
    """The busiest known user of each of the segments, up to five, and three recommendations for each."""
    users = warehouse.read(_SAMPLE).to_pylist()
    tag = f"{SERVICE}:{current_version(home.published)}"
    answers = request_recommendations(home, tag, [{"user_id": user["user_id"], "k": ITEMS_EACH} for user in users])
    facts = {
        row["item_id"]: row for row in warehouse.read("select item_id, title, category from items").to_pylist()
    }
    return tuple(
        SampleUser(
            user_id=user["user_id"],
            segment=user["segment"],
            engagement_class=user["engagement_class"],
            interests=_largest(user["category_shares"] or []),
            shown=tuple(_shown(item, facts.get(item["item_id"], {})) for item in answer["items"]),
        )
        for user, answer in zip(users, answers, strict=True)
    )


def _shown(item: Mapping[str, Any], facts: Mapping[str, Any]) -> Shown:
    return Shown(facts.get("title") or item["item_id"], facts.get("category") or "", item["reason"])


def _largest(shares: list[tuple[str, float]]) -> tuple[str, ...]:
    """The two categories with the largest shares of the views."""
    return tuple(category for category, _ in sorted(shares, key=lambda entry: -entry[1])[:INTERESTS])
