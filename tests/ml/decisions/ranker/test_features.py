"""What is known of a candidate, in numbers worked out by hand."""

import numpy as np
import pytest

from ml.decisions.activity.activity import Activity
from ml.decisions.activity.state_change import StateChange
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.personal_scorer import PersonalScorer
from ml.decisions.ranker.features import NAMES, FeatureBuilder
from ml.decisions.ranker.ranking_context import RankingContext

T = 1_800_000_000.0
TOPICS = {"derby": "sport", "pie": "food", "tea": "food"}


def rows(activity, user, items, at=T):
    visitor, visit = activity.find_visitor(user), activity.find_visit(f"{user}'s visit", user, at)
    keys = np.array([activity.keys[item] for item in items])
    features = FeatureBuilder(activity).build(
        RankingContext(at, visit, visitor), keys, PersonalScorer(BundleJoin(None), None, 0)
    )
    return {name: features[:, place] for place, name in enumerate(NAMES)}


def log_of(*openings):
    activity = Activity()
    activity.categories = {activity.assign_key(item): topic for item, topic in TOPICS.items()}
    for user, item in openings:
        activity.observe(StateChange(user, "page_view", T, item, f"{user}'s visit"))
    return activity


def test_what_follows_is_drawn_towards_what_is_popular_the_more_the_less_is_known():
    pairs = [(f"u{n}", item) for n in range(10) for item in ("derby", "pie")]
    features = rows(log_of(*pairs, ("ann", "derby"), ("bob", "tea")), "ann", ["pie", "tea"])
    popular = np.array([10, 1]) / 22
    longest = (np.array([10, 0]) + 5 * popular) / 15
    middle = (np.array([10, 0]) + 5 * longest) / 15
    shortest = (np.array([10, 0]) + 5 * middle) / 15
    assert np.exp(features["next_or_popular"]) == pytest.approx(shortest, abs=1e-5)
    assert shortest[1] < 0.01 < shortest[0] < 1.0


def test_after_an_item_that_nothing_followed_popularity_speaks():
    features = rows(log_of(("ann", "derby"), ("bob", "tea")), "bob", ["derby"])
    assert np.exp(features["next_or_popular"]) == pytest.approx([1 / 3], abs=1e-5)  # three are the least


def test_second_openings_are_compared_with_second_openings():
    activity = log_of(("ann", "derby"), ("ann", "pie"), ("bob", "derby"), ("bob", "tea"), ("cid", "derby"))
    features = rows(activity, "cid", ["pie", "derby"])
    assert np.exp(features["in_place"]) == pytest.approx([1 / (2 + 3), 0.0], abs=1e-5)
    popular = np.array([1, 3]) / 5
    expected = (np.array([1, 0]) + 20 * popular) / (2 + 20)
    assert features["in_place_lift"] == pytest.approx(np.log(expected / popular), abs=1e-4)


def test_people_who_like_the_same_category_are_a_group():
    activity = log_of(("ann", "pie"), ("ann", "tea"), ("bob", "derby"), ("bob", "pie"), ("cid", "pie"))
    features = rows(activity, "cid", ["tea", "derby"])
    assert np.exp(features["of_favourite"]) == pytest.approx([1 / (1 + 3), 0.0], abs=1e-5)
    # ann went from food to food; bob's pie came after sport, and who had no past yet is in no group


def test_a_rise_tells_the_last_minutes_from_the_last_hour():
    activity = log_of(*[(f"u{n}", "derby") for n in range(50)])
    later = T + 3600
    for n in range(50):
        activity.observe(StateChange(f"v{n}", "page_view", later, "pie", f"v{n}'s visit"))
    features = rows(activity, "ann", ["pie", "derby"], later)
    assert features["rise_5m_30m"][0] > 0 > features["rise_5m_30m"][1]


def test_what_people_came_back_to_is_counted_across_their_visits():
    activity = log_of(("ann", "derby"), ("bob", "derby"), ("cid", "derby"))
    for user in ("ann", "bob"):
        activity.observe(StateChange(user, "page_view", T, "pie", f"{user}'s next visit"))
    activity.observe(StateChange("ann", "page_view", T, "tea", "ann's next visit"))
    visitor = activity.find_visitor("cid")
    keys = np.array([activity.keys[item] for item in ("pie", "tea")])
    features = FeatureBuilder(activity).build(
        RankingContext(T, None, visitor), keys, PersonalScorer(BundleJoin(None), None, 0)
    )
    assert features[:, NAMES.index("across_1h")] == pytest.approx([2 / (3 + 3), 1 / (3 + 3)])
    assert features[:, NAMES.index("next_4h")].tolist() == [0.0, 0.0]  # not a step within a visit


def test_how_an_item_is_come_upon_is_a_share_of_its_openings():
    activity = Activity()
    for user, item, after in (
        ("ann", "pie", 5.0),
        ("bob", "pie", 5.0),
        ("cid", "tea", 500.0),
        ("dan", "tea", 5.0),
    ):
        activity.observe(StateChange(user, "page_view", T - after, "derby", f"{user}'s visit"))
        activity.observe(StateChange(user, "page_view", T, item, f"{user}'s visit"))
    features = rows(activity, "ann", ["pie", "tea"])
    quick, slow = features["quick_of_all_30m"], features["slow_of_all_30m"]
    assert quick[0] > quick[1] > slow[0]
    assert slow[1] > slow[0]
