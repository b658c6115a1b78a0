"""The table of candidates, and the contenders that are read from it."""

import numpy as np
import pyarrow as pa

from ml.dataset.interactions import Interactions
from ml.recommenders.data_split import DataSplit
from ml.recommenders.selection.compare import (
    Configuration,
    compare,
    comparison_table,
    contenders_from_tables,
    scores_table,
)
from ml.recommenders.training_data import TrainingData

WORST = "worst_segment_ndcg_at_5"


def split() -> DataSplit:
    """What forty people took of ten items, and then."""
    random = np.random.default_rng(0)
    taken = [(f"u{user}", f"i{item}") for user in range(40) for item in random.choice(10, 4, replace=False)]
    table = pa.Table.from_pylist([{"user_id": user, "item_id": item} for user, item in taken])
    is_test = np.arange(len(taken)) % 4 == 3
    parts = [Interactions.from_table(table.filter(pa.array(rows))) for rows in (~is_test, is_test)]
    return DataSplit(TrainingData.align(parts[0]), parts[1])


def test_the_worst_segment_is_null_where_no_segment_is_large_enough() -> None:
    plan = [Configuration("popularity", {}), Configuration("ease", {"regularization": 10.0})]
    for segments, is_null in (({}, True), ({f"u{user}": "all" for user in range(40)}, False)):
        candidates = list(compare(plan, split(), 5, segments=segments))
        table = comparison_table(candidates, "ndcg", "popularity")
        assert table.schema.field(WORST).type == pa.float64()
        assert (table[WORST].null_count == 2) == is_null
        read = contenders_from_tables(table, scores_table(candidates, "ndcg"))
        assert all(np.isnan(contender.metrics[WORST]) == is_null for contender in read)
        assert all(contender.metrics["ndcg_at_5"] > 0 for contender in read)
