"""Worked out by hand."""

import math

import numpy as np
import pytest

from ml.evaluation import accuracy, beyond_accuracy
from ml.evaluation.auc import auc, auc_of_scores, user_log_places

HITS = np.array([[True, False, True], [False, False, False]])
RELEVANT = np.array([4, 2])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (accuracy.precision, 2 / 3),
        (accuracy.recall, 2 / 4),
        (accuracy.hit_rate, 1),
        (accuracy.reciprocal_rank, 1),
        (accuracy.average_precision, (1 + 2 / 3) / 3),
        (accuracy.ndcg, (1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2)),
    ],
)
def test_accuracy_of_a_list_with_hits_and_of_one_without(metric, expected):
    np.testing.assert_allclose(metric(HITS, RELEVANT), [expected, 0])


def test_a_user_without_relevant_items_has_no_value():
    assert np.isnan(accuracy.ndcg(HITS[:1], np.array([0])))


def test_auc_counts_pairs_in_the_right_order():
    assert auc([0, 2], 4) == 3 / 4
    assert (
        auc_of_scores(np.array([3.0, 1.0], np.float32), np.array([2.0, 1.0], np.float32)) == (1 + 1 + 0 + 0.5) / 4
    )


def test_places_count_by_their_logarithm():
    scores = np.tile(np.arange(1_001.0), (4, 1))
    relevant = np.zeros(scores.shape, bool)
    relevant[0, -1] = relevant[1, -11] = relevant[2, 0] = True
    allowed = np.ones(scores.shape, bool)
    first, eleventh, last, nothing = user_log_places(scores, relevant, allowed)
    assert (first, last) == (pytest.approx(1), pytest.approx(0))
    # Ten of a thousand others stand above it: the share .01, a thousandth added, on the scale from .001 to 1.001.
    assert eleventh == pytest.approx(math.log(0.011 / 1.001) / math.log(0.001 / 1.001))
    assert math.isnan(nothing)


def test_beyond_accuracy_on_two_lists_of_two():
    rows = np.array([[0, 1], [0, 2]])
    assert beyond_accuracy.coverage(rows, 4) == 3 / 4
    assert beyond_accuracy.gini(rows, 4) == pytest.approx(2 * (1 * 0 + 2 * 1 + 3 * 1 + 4 * 2) / (4 * 4) - 5 / 4)
    assert beyond_accuracy.novelty(rows, np.array([7, 3, 1, 0]), 7) == pytest.approx((0 + 1 + 0 + 2) / 4)
    assert beyond_accuracy.long_tail_share(rows, np.array([8, 1, 1, 0])) == 2 / 4
    vectors = np.array([[1.0, 0], [0, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(beyond_accuracy.intra_list_diversity(rows, vectors), [1, 0])
    expected = np.array([True, False, False, False])
    hits = np.array([[True, True], [True, False]])
    np.testing.assert_allclose(beyond_accuracy.serendipity(hits, rows, expected), [0.5, 0])
