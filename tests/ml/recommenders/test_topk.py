import numpy as np
import pytest
from scipy import sparse

from ml.recommenders.topk import select_top_k, top_k_products


@pytest.mark.parametrize("n_items", [50, 5_003])
def test_blocked_top_k_is_the_sorted_product_without_the_excluded(n_items):
    random = np.random.default_rng(1)
    users = random.normal(size=(33, 8)).astype(np.float32)
    items = random.normal(size=(n_items, 8)).astype(np.float32)
    excluded = sparse.random(33, n_items, 0.05, "csr", random_state=2)
    scores = users @ items.T
    scores[excluded.nonzero()] = -np.inf
    rows, values = top_k_products(users, items, 10, excluded)
    np.testing.assert_array_equal(rows, np.argsort(-scores, axis=1)[:, :10])
    np.testing.assert_allclose(values, -np.sort(-scores, axis=1)[:, :10], rtol=1e-5)


def test_places_that_cannot_be_filled_are_marked():
    rows, values = top_k_products(np.ones((1, 1), np.float32), np.arange(3, dtype=np.float32)[:, None], 5,
                                  sparse.csr_matrix(([1], ([0], [2])), shape=(1, 3)))  # fmt: skip
    assert rows.tolist() == [[1, 0, -1]]
    assert np.isneginf(values[0, 2])


def test_many_places_of_a_wide_row_are_exact_too():
    scores = np.random.default_rng(5).normal(size=(3, 4_000)).astype(np.float32)
    rows, _ = select_top_k(scores, 500)
    np.testing.assert_array_equal(rows, np.argsort(-scores, axis=1)[:, :500])


@pytest.mark.parametrize("n", [50, 4_001])
def test_equal_scores_are_in_order_of_the_column(n):
    scores = np.zeros((2, n), np.float32)
    scores[0, [7, n - 1]] = 1
    scores[1, :3] = -np.inf
    rows, values = select_top_k(scores, 5)
    assert rows.tolist() == [[7, n - 1, 0, 1, 2], [3, 4, 5, 6, 7]]
    assert values.tolist() == [[1, 1, 0, 0, 0], [0] * 5]
