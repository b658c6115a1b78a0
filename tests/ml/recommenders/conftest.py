"""A small world whose right answer is known: two tastes, each with its own items, features and users."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions

N_USERS, N_ITEMS = 60, 40


@pytest.fixture(scope="session")
def two_tastes_table() -> pa.Table:
    """Even users take even items, odd users odd ones, a few the other way; items 38, 39 are cold."""
    random = np.random.default_rng(3)
    rows = []
    for user in range(N_USERS):
        own = np.arange(user % 2, N_ITEMS - 2, 2)
        for item in random.choice(own, 9, replace=False):
            rows.append((user, int(item)))
        if user % 5 == 0:
            rows.append((user, int(random.choice(np.arange(1 - user % 2, N_ITEMS - 2, 2)))))
    users, items = zip(*rows, strict=True)
    times = random.integers(1_700_000_000, 1_702_000_000, len(rows))
    return pa.table(
        {
            "user_id": [f"u{user}" for user in users],
            "item_id": [f"i{item}" for item in items],
            "timestamp": times,
            "rating": random.integers(3, 6, len(rows)).astype(np.float32),
        }
    )


@pytest.fixture(scope="session")
def two_tastes(two_tastes_table) -> Interactions:
    return Interactions.from_table(two_tastes_table)


@pytest.fixture(scope="session")
def item_features() -> FeatureMatrix:
    return FeatureMatrix.from_table(
        pa.table(
            {
                "item_id": [f"i{item}" for item in range(N_ITEMS)],
                "features": [
                    [f"taste:{('even', 'odd')[item % 2]}", f"size:{item % 3}"] for item in range(N_ITEMS)
                ],
            }
        ),
        "item_id",
    )


@pytest.fixture(scope="session")
def user_features() -> FeatureMatrix:
    return FeatureMatrix.from_table(
        pa.table(
            {
                "user_id": [f"u{user}" for user in range(N_USERS)],
                "features": [[f"club:{('even', 'odd')[user % 2]}"] for user in range(N_USERS)],
            }
        ),
        "user_id",
    )


@pytest.fixture(scope="session")
def news() -> tuple[Interactions, FeatureMatrix]:
    """Twelve topics, two an item; an item is taken on one day only, by three people who like one of its topics."""
    random = np.random.default_rng(0)
    topics = [random.choice(12, 2, replace=False) for _ in range(300)]
    rows = [
        (f"u{user}", f"i{item}", 86_400 * (item // 15))
        for item in range(300)
        for user in random.choice(np.flatnonzero(np.isin(np.arange(120) % 12, topics[item])), 3, replace=False)
    ]
    users, items, times = zip(*rows, strict=True)
    names = [f"i{item}" for item in range(300)]
    features = pa.table({"item_id": names, "features": [[f"topic:{t}" for t in own] for own in topics]})
    return (
        Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times})),
        FeatureMatrix.from_table(features, "item_id"),
    )
