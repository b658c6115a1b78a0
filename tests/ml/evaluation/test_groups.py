"""Figures by group, sampled figures and their marks, and warnings of leaks: worked out by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.evaluation.judged import judge
from ml.evaluation.ranking_metrics import by_activity, by_group, by_item_age
from ml.evaluation.sampled import sampled_metrics
from ml.evaluation.splits import leaked_share, split


def test_means_by_segment_leave_out_what_has_no_value():
    groups = pa.chunked_array([["a", "b", None], ["a", "c"]])
    found = by_group(np.array([0.2, 0.5, 1.0, 0.4, np.nan]), groups)
    assert found == {"a": (pytest.approx(0.3), 2), "b": (0.5, 1), "(none)": (1.0, 1)}


def test_activity_is_counted_in_training_interactions():
    found = by_activity(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([0, 1, 3, 4, 250]))
    assert found == {"0": (0.1, 1), "1": (0.3, 1), "2-4": (0.6, 2), "100+": (0.9, 1)}


def test_hits_by_the_age_of_the_item():
    train = Interactions.from_table(pa.table({"user_id": ["u", "v"], "item_id": ["old", "young"]}))
    test = Interactions.from_table(
        pa.table({"user_id": ["u", "u", "v", "v"], "item_id": ["young", "new", "old", "new"]})
    )
    shown = pa.table({"user_id": ["u", "v", "v"], "item_id": ["young", "new", "young"], "rank": [1, 1, 2]})
    catalogue = Ids.of(["old", "young", "new"])
    lists = judge(shown, test, train, 2, catalogue)
    ages = np.array([{"old": 400.0, "young": 3.0, "new": np.nan}[item] for item in lists.items.to_list()])
    assert by_item_age(lists, ages) == {"1-7 days": (1.0, 1), "> 1 year": (0.0, 1), "new": (0.5, 2)}


def scored(*rows):
    table = np.array(rows, np.float32)
    return lambda users: table[users]


def rows_with(n, *pairs):
    users, items = zip(*pairs, strict=True) if pairs else ((), ())
    return sparse.csr_matrix((np.ones(len(users)), (users, items)), shape=n)


def test_sampled_figures_are_marked_and_count_places_among_the_drawn():
    # Of the items that may be drawn, 2 is better than the relevant 0 and 3 is worse: .5 of any sample on average.
    score = scored([0.5, 0.9, 0.7, 0.1])
    found = sampled_metrics(
        score, np.array([0]), rows_with((1, 4), (0, 0)), rows_with((1, 4), (0, 1)), sampled=2_000, k=10
    )
    assert set(found) == {"sampled_2000_hit_at_10", "sampled_2000_ndcg_at_10", "sampled_2000_auc"}
    assert found["sampled_2000_auc"] == pytest.approx(0.5, abs=0.05)
    assert found["sampled_2000_hit_at_10"] == 0  # some thousand better ones


def test_a_relevant_item_above_all_others_is_first_in_every_sample():
    wanted, had = rows_with((1, 4), (0, 0)), rows_with((1, 4))
    found = sampled_metrics(scored([9, 1, 2, 3]), np.array([0]), wanted, had, sampled=5)
    assert set(found.values()) == {1.0}


def test_without_anything_to_draw_there_is_no_figure():
    found = sampled_metrics(scored([1, 2]), np.array([0]), rows_with((1, 2), (0, 0)), rows_with((1, 2), (0, 1)))
    assert all(math.isnan(value) for value in found.values())


def pairs(*rows):
    users, items, times = zip(*rows, strict=True)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times}))


def test_a_split_that_leaks_time_says_how_much_and_one_in_time_says_nothing():
    whole = pairs(("u", "a", 1), ("u", "b", 2), ("v", "a", 3), ("v", "c", 4), ("w", "a", 5), ("w", "d", 6))
    last = split(whole, "leave-last-out")
    assert leaked_share(last.train, last.test) == pytest.approx(2 / 3)  # of 1, 3, 5 two are younger than b at 2
    assert last.warnings[0].startswith(
        "67% of the training interactions happened after the first test interaction"
    )
    assert split(whole, "time", share=0.3).warnings == ()
