"""On a quiet site one visitor decides nothing for the others: people make popularity, not events."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from bundles import AS_OF, publish
from calls import ask, ids, post, recommend, without_exploration

from ml.decisions.activity.activity import Activity
from ml.decisions.activity.state_change import StateChange
from ml.publishing import BASE_PEOPLE, trending
from serving.recommend.evidence import is_often

OBSCURE = ["i3", "i4", "i8", "i9"]


@pytest.fixture
def calm(config, home):
    publish(home.published)
    return without_exploration(config)


def count_openings(item):
    """One step that counts what counts as the openings of an item in the last hour."""
    return lambda tessera: tessera.state.activity.hour.count(tessera.state.activity.keys[item], AS_OF.timestamp())


def views(user, *items):
    return [{"user_id": user, "item_id": item} for item in items]


def test_four_views_of_one_visitor_are_not_the_first_of_the_next(calm):
    before = ids(ask(calm, recommend(k=5)))
    after = ids(ask(calm, post(*views("alone", *OBSCURE, *OBSCURE)), recommend(k=5)))
    assert after == before
    assert not set(after[:4]) & set(OBSCURE)


def test_several_people_make_an_item_popular(calm):
    crowd = [view for number in range(5) for view in views(f"v{number}", "i9")]
    assert ids(ask(calm, post(*crowd), recommend(k=3)))[0] == "i9"


def test_how_often_one_person_counts_is_the_setting_of_the_warehouse(calm):
    for most in (1, 3, 5):
        warehouse = calm.settings.warehouse.model_copy(update={"popularity_views_per_person": most})
        config = dataclasses.replace(calm, settings=calm.settings.model_copy(update={"warehouse": warehouse}))
        events = views("fan", *["i9", "i1"] * 8)
        counted = ask(config, post(*events), count_openings("i9"))
        assert counted == most


def test_a_second_person_is_company_and_a_device_of_the_same_person_is_not():
    activity = Activity()
    activity.observe(StateChange("anonymous:phone", "page_view", 1.0, "a"))
    activity.observe(StateChange("ann", "page_view", 2.0, "a", device_key="anonymous:phone"))
    assert not activity.opened_by_many[activity.keys["a"]]
    activity.observe(StateChange("bob", "page_view", 3.0, "a"))
    assert activity.opened_by_many[activity.keys["a"]]


def test_the_lists_of_a_bundle_are_drawn_towards_the_popularity_of_all_time():
    """Of 100 people 60 took a, 30 b, 10 c, none d. Lately one person of Peru took c and d; three took b."""
    now = pa.array([AS_OF] * 5, pa.timestamp("us", "UTC"))
    interactions = pa.table(
        {"user_id": ["pia", "pia", "x", "y", "z"], "item_id": ["c", "d", "b", "b", "b"], "last_at": now}
    )
    users = pa.table({"user_id": ["pia", "x", "y", "z"], "country": ["PE", "DE", "DE", "DE"]})
    items = pa.table(
        {"item_id": ["a", "b", "c", "d"], "trend_score": [0.0, 3.0, 1.0, 1.0], "popularity_all": [60, 30, 10, 0]}
    )
    rows = trending(users, items, interactions).to_pylist()
    scores = {(row["scope"], row["item_id"]): row["score"] for row in rows}
    assert BASE_PEOPLE == 20.0
    expected = {"a": 20 * 0.6, "b": 3 + 20 * 0.3, "c": 20 * 0.1}  # one person's c and d are no trend
    assert {item: score for (scope, item), score in scores.items() if scope == "all"} == pytest.approx(expected)
    assert scores["country:PE", "c"] == pytest.approx(20 * 0.1)
    assert ("country:PE", "d") not in scores
    assert scores["country:DE", "b"] == pytest.approx(2 + 20 * 0.3)
    assert np.isfinite(list(scores.values())).all()


@pytest.mark.parametrize(
    ("count", "total", "base", "often"),
    [
        (4, 57, 0.02, False),  # "You often open home" at 7%
        (30, 50, 0.2, True),
        (30, 50, 0.6, False),  # as everybody does
        (2, 2, 0.1, False),  # two openings are no habit
        (4, 4, 0.5, True),
    ],
)
def test_often_needs_evidence_a_share_and_a_lift(count, total, base, often):
    assert is_often(count, total, base) is often
