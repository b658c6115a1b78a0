"""Neighbouring visits: worked out by hand, in the order of time, and without the person's own visits."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.blends import Blend
from ml.recommenders.models.sequences.ordered_histories import OrderedPairs, order_gain, visit_starts
from ml.recommenders.models.sequences.session_neighbours import FILL, SessionNeighbours
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.user_removal import forget_users

HOUR = 3_600


def visits(*taken, gap=HOUR):
    """Each argument is a user's visits, such as `"abc de"`; items of a visit follow by a minute."""
    rows = []
    for user, text in enumerate(taken):
        now = 1_000_000
        for visit in text.split():
            now += gap
            for item in visit:
                now += 60
                rows.append((f"u{user}", item, now))
    users, items, times = zip(*rows, strict=True)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times}))


def scores(model, items):
    return dict(zip(model.item_ids_.to_list(), model.score_histories(model.history(items))[0], strict=True))


def test_the_votes_are_those_worked_out_by_hand():
    """Visits abc and adb, somebody who took a: both are as alike, and each votes by the steps from a."""
    pairs = visits("abc", "adb")
    model = SessionNeighbours(rarity=0.0, distance=1.0).fit(pairs)
    found = scores(model, ["a"])
    # b: 1 step in the first visit, 2 in the second; c: 2 steps; d: 1 step. The largest vote becomes 1.
    assert found["b"] == pytest.approx(1 + FILL)
    assert found["c"] == pytest.approx((1 / 2) / (1 + 1 / 2) + FILL / 2)
    assert found["d"] == pytest.approx(1 / (1 + 1 / 2) + FILL / 2)


def test_rare_items_gain_by_their_inverse_frequency():
    pairs = visits("abc", "xb", "yb")
    plain, rare = (SessionNeighbours(rarity=power, distance=0.0).fit(pairs) for power in (0.0, 1.0))
    assert scores(plain, ["a"])["b"] - scores(plain, ["a"])["c"] == pytest.approx(FILL * (1 - 1 / 3), rel=1e-3)
    # b was taken by all three people, c by one: 1 + log(3 / 3) against 1 + log(3 / 1).
    ratio = (scores(rare, ["a"])["b"] - FILL) / (scores(rare, ["a"])["c"] - FILL / 3)
    assert ratio == pytest.approx(1 / (1 + np.log(3)), rel=1e-5)


def test_the_latest_item_says_most():
    model = SessionNeighbours().fit(visits("apq", "axy", "bpz", "bpz", "axw"))
    assert scores(model, ["b", "a"])["x"] > scores(model, ["b", "a"])["z"]
    assert scores(model, ["a", "b"])["z"] > scores(model, ["a", "b"])["x"]


def test_a_visit_ends_with_silence_and_what_lies_beyond_says_nothing():
    model = SessionNeighbours().fit(visits("ab xy", "cd pq"))
    found = scores(model, ["a"])
    assert found["b"] > 0.9
    assert found["x"] == found["p"] < 0.01


def test_where_most_visits_hold_one_item_a_whole_history_is_a_visit():
    pairs = visits("a b c", "a d e")
    starts = visit_starts(np.array([0, 0, 0, 1, 1, 1]), np.arange(6.0) * HOUR, 1_800)
    assert starts.tolist() == [True, False, False, True, False, False]
    assert scores(SessionNeighbours().fit(pairs), ["a"])["c"] > 0.1


def test_a_persons_own_visits_do_not_vote():
    model = SessionNeighbours().fit(visits("ab", "cd"))
    assert model.score(np.array([0])).max() < 0.01
    assert scores(model, ["a"])["b"] > 0.9


def test_of_equally_alike_visits_the_newest_vote():
    model = SessionNeighbours(neighbours=1).fit(visits("ab", "z ac"))
    assert scores(model, ["a"])["c"] > scores(model, ["a"])["b"]


def test_pairs_of_one_timestamp_follow_in_the_order_of_their_ids():
    table = pa.table({"user_id": ["u"] * 4, "item_id": list("dbca"), "timestamp": [5, 5, 5, 9]})
    pairs = Interactions.from_table(table)
    ordered = OrderedPairs(pairs, pairs.liked)
    assert pairs.items.take(ordered.items).to_pylist() == ["b", "c", "d", "a"]


def test_a_blend_keeps_the_order_for_a_part_that_reads_it():
    parts = [{"model": name, "weight": 1.0} for name in ("popularity", "session_neighbours")]
    model = Blend(parts).fit(visits("apq", "axy", "bpz", "bpz", "axw"))
    assert model.reads_order
    assert scores(model, ["b", "a"])["x"] > scores(model, ["b", "a"])["z"]
    assert scores(model, ["a", "b"])["z"] > scores(model, ["a", "b"])["x"]


def test_the_visits_of_a_forgotten_person_do_not_vote_any_more(tmp_path):
    SessionNeighbours().fit(visits("ab", "ac", "de")).save(tmp_path)
    forget_users(tmp_path, ["u0"])
    left = load_recommender(tmp_path)
    assert scores(left, ["a"])["c"] > 0.9
    assert scores(left, ["a"])["b"] < 0.01
    assert left.histories_.nnz == left.histories_times_.nnz == 4


def test_an_order_is_worth_something_where_steps_recur_and_not_where_they_are_by_chance():
    random = np.random.default_rng(0)
    chains = ["".join(random.permutation(["abcd", "efgh", "ijkl", "mnop"])) for _ in range(200)]
    by_chance = ["".join(random.permutation(list(chain))) for chain in chains]
    assert order_gain(visits(*chains)) > 2
    assert order_gain(visits(*by_chance)) == pytest.approx(1, abs=0.1)
    untimed = Interactions.from_table(pa.table({"user_id": ["u", "u"], "item_id": ["a", "b"]}))
    assert order_gain(untimed) == 1
