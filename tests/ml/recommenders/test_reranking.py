"""Lists rearranged, worked out by hand."""

import numpy as np
import pytest

from ml.recommenders.reranking import (
    BusinessRules,
    CandidateFeatures,
    RankedList,
    calibrated,
    capped,
    composed,
    diversified,
    with_exploration,
    with_quotas,
    with_rules,
)

# Items 0, 1, 2 are of one kind, 3 and 4 of another.
VECTORS = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], np.float32)


def ranked(*scores, rows=None):
    return RankedList(
        np.arange(len(scores), dtype=np.int32) if rows is None else np.array(rows, np.int32),
        np.array(scores, np.float32),
    )


LIST = ranked(1.0, 0.9, 0.8, 0.5, 0.0)


@pytest.mark.parametrize(
    ("trade_off", "expected"),
    [
        (0.0, [0, 1, 2]),  # relevance alone
        # 0 first; then 1 is worth .5·.9 − .5·1 = −.05 and 3 .5·.5 = .25; then 1 before 4, −.05 against −.5
        (0.5, [0, 3, 1]),
        (1.0, [0, 3, 1]),  # dissimilarity alone: all the same at first, then 3, then all are as near as can be
    ],
)
def test_diversity_trades_relevance_for_unlikeness(trade_off, expected):
    assert diversified(LIST, VECTORS, 3, trade_off).rows.tolist() == expected


def test_a_trade_off_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"trade_off 1\.5"):
        diversified(LIST, VECTORS, 3, 1.5)


def test_a_calibrated_list_has_the_shares_of_the_interests():
    topics = VECTORS
    strong = calibrated(LIST, topics, np.array([0.5, 0.5]), 4, 1.0)
    assert topics[strong.rows].sum(axis=0).tolist() == [2, 2]
    assert calibrated(LIST, topics, np.array([0.5, 0.5]), 4, 0.0).rows.tolist() == [0, 1, 2, 3]


def test_quotas_hold_for_named_categories_and_for_the_rest():
    categories = ["news", "news", "news", "sport", None]
    assert with_quotas(LIST, categories, 4, {"news": 0.5}).rows.tolist() == [0, 1, 3, 4]
    assert with_quotas(LIST, categories, 4, {}, other=0.25).rows.tolist() == [0, 3, 4]
    assert with_quotas(LIST, categories, 4, {}, other=0.25, is_filled=True).rows.tolist() == [0, 3, 4, 1]
    assert with_quotas(ranked(3, 2, 1), ["x"] * 3, 3, {}, 0.34, is_filled=True).rows.tolist() == [0, 1, 2]


def test_exploration_gives_the_last_place_away_and_tells_how_likely_that_was():
    chosen, generator = ranked(0.9, 0.8, rows=[1, 2]), np.random.default_rng(3)
    draws = [with_exploration(chosen, [2, 7, 8], 0.4, generator) for _ in range(5_000)]
    assert all((draw[0].row, draw[0].propensity) == (1, 1.0) for draw in draws)
    explored = [draw[1] for draw in draws if draw[1].is_exploration]
    assert {one.propensity for one in explored} == {0.2}  # .4 over the two that are not chosen already
    assert {draw[1].propensity for draw in draws if not draw[1].is_exploration} == {0.6}
    for row in (7, 8):
        assert sum(one.row == row for one in explored) / len(draws) == pytest.approx(0.2, abs=0.03)


def test_nothing_is_explored_where_all_is_known():
    assert [one.row for one in with_exploration(LIST, [0, 1], 0.5, np.random.default_rng(1))] == [0, 1, 2, 3, 4]


def test_a_list_is_composed_of_what_fits_what_differs_and_no_category_too_often():
    features = CandidateFeatures(["x", "x", "x", "y", "y"], VECTORS, VECTORS, np.array([0.5, 0.5]))

    def rows(**wanted):
        whole = {"trade_off": 0.0, "calibration": 0.0, "max_category_share": 1.0}
        return composed(LIST, features, 3, **{**whole, **wanted}).rows.tolist()

    assert rows() == [0, 1, 2]
    assert rows(max_category_share=0.6) == [0, 1, 3]
    assert rows(trade_off=0.5) == diversified(LIST, VECTORS, 3, 0.5).rows.tolist() == [0, 3, 1]
    assert sorted(rows(calibration=1.0)) == sorted(calibrated(LIST, VECTORS, np.array([0.5, 0.5]), 3, 1.0).rows)
    assert rows(calibration=1.0, trade_off=0.5, max_category_share=0.34)[:2] == [0, 3]


def test_rules_include_exclude_boost_and_expire():
    rules = BusinessRules(include=(4, 2), exclude=frozenset({0}), boost={3: 0.6}, expires_at={2: 100.0})
    # 0 is out, 2 expired, so 4 alone is included; 3 is worth .5 + .6, more than 1's .9
    assert with_rules(LIST, rules, now=100.0).rows.tolist() == [4, 3, 1]
    assert with_rules(LIST, rules, now=99.0).rows.tolist() == [4, 2, 3, 1]


def test_included_items_come_with_the_best_score():
    assert with_rules(LIST, BusinessRules(include=(7,)), 0.0).scores[0] == 1.0


def test_a_cap_takes_out_what_was_shown_often_enough():
    assert capped(LIST, {0: 3, 1: 2}, most=3).rows.tolist() == [1, 2, 3, 4]


def test_an_empty_list_stays_empty():
    empty = ranked()
    assert len(diversified(empty, VECTORS, 3, 0.5)) == 0
    assert len(with_rules(empty, BusinessRules(exclude=frozenset({1})), 0.0)) == 0
    assert len(capped(empty, {}, 1)) == 0
