"""Interactions of twenty users with ten items each, at random times."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions


@pytest.fixture
def many_pairs() -> Interactions:
    random = np.random.default_rng(8)
    users = np.repeat(np.arange(20), 10)
    items = np.concatenate([random.choice(30, 10, replace=False) for _ in range(20)])
    times = random.permutation(200)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times}))
