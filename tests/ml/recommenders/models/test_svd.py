"""Leading directions of a matrix, those of matrices without any order among them included."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.dataset.interactions import Interactions
from ml.recommenders.models.svd import TruncatedSVD, leading_directions
from ml.recommenders.training_data import TrainingData


def test_the_directions_are_those_of_the_largest_singular_values() -> None:
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(size, 4)))[0] for size in (30, 12))
    matrix = sparse.csr_matrix(left @ np.diag([8.0, 4.0, 2.0, 1.0]) @ right.T)
    found = leading_directions(matrix, 2, seed=0)
    np.testing.assert_allclose(found @ found.T, right[:, :2] @ right[:, :2].T, atol=1e-9)


def test_visitors_of_one_item_each_have_directions_too() -> None:
    random = np.random.default_rng(0)
    n_users, n_items = 3_000, 400
    users = np.concatenate([np.arange(n_users), random.integers(0, n_users, 100)])
    items = np.concatenate([np.arange(n_items), random.integers(0, n_items, n_users - n_items + 100)])
    table = pa.table({"user_id": users.astype(str), "item_id": items.astype(str)})
    data = TrainingData.align(Interactions.from_table(table), None, None)
    vectors = TruncatedSVD(item_power=0.5).fit_aligned(data).item_factors_
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(24), atol=1e-5)
