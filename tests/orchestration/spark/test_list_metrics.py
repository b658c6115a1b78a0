"""Metrics by Spark's SQL are those of `ml.evaluation`, with which they share no code."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.evaluation.ranking_metrics import measure
from orchestration.spark.list_metrics import measure_on_spark

K = 5


def pairs(random: np.random.Generator, users: int, items: int, n: int) -> Interactions:
    """Pairs of which the first items have most; a few items are taken equally often."""
    rows = random.integers(0, users, n)
    columns = np.minimum(random.zipf(1.4, n) - 1, items - 1)
    return Interactions.from_table(
        pa.table({"user_id": [f"u{row}" for row in rows], "item_id": [f"i{column}" for column in columns]})
    )


def lists(random: np.random.Generator, users: int, items: int) -> pa.Table:
    """Lists of up to eight items, with repetitions, items that nobody knows, and users who are not tested."""
    rows = [
        (f"u{user}", f"i{random.integers(0, items)}", rank + 1)
        for user in range(users)
        for rank in range(random.integers(0, 9))
    ]
    names = ("user_id", "item_id", "rank")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def frames(
    cluster: Any, recommended: pa.Table, test: Interactions, train: Interactions, catalogue: Ids
) -> list[Any]:
    items = pa.table({"item_id": catalogue.values, "place": np.arange(len(catalogue))})
    tables = [recommended, test.to_table(), train.to_table(), items]
    return [cluster.createDataFrame(table) for table in tables]


def test_every_metric_is_that_of_one_process(cluster: Any) -> None:
    random = np.random.default_rng(3)
    train, test = pairs(random, 60, 30, 500), pairs(random, 80, 40, 400)
    recommended = lists(random, 90, 50)
    recommended = recommended.take(random.permutation(len(recommended)))
    catalogue = train.items
    expected = dict(measure(recommended, test, train, K, catalogue).metrics)
    given, future, past, items = frames(cluster, recommended, test, train, catalogue)
    figures = measure_on_spark(given, future, past, K, items)
    assert set(figures) == set(expected)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=1e-9), name
    assert 0 < figures["ndcg"] < 1
    assert 0 < figures["serendipity"] < figures["precision"]


def test_where_nothing_is_recommended_nothing_is_invented(cluster: Any) -> None:
    random = np.random.default_rng(4)
    train, test = pairs(random, 10, 8, 40), pairs(random, 10, 8, 20)
    nothing = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("rank", pa.int64())]).empty_table()
    expected = dict(measure(nothing, test, train, K, train.items).metrics)
    given, future, past, items = frames(cluster, nothing, test, train, train.items)
    figures = measure_on_spark(given, future, past, K, items)
    assert figures == pytest.approx(expected, nan_ok=True)
    assert np.isnan(figures["novelty"])
    assert figures["ndcg"] == 0
