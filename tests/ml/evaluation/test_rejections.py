"""What was rejected is never a hit, and who liked nothing is not judged: worked out by hand."""

import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.ranking_metrics import measure


def test_a_rejection_is_no_hit_and_a_user_of_rejections_alone_is_not_judged():
    train = Interactions.from_table(pa.table({"user_id": ["a", "b"], "item_id": ["x", "x"]}))
    test = Interactions.from_table(
        pa.table({"user_id": ["a", "a", "b"], "item_id": ["y", "z", "y"], "weight": [1.0, -1.0, -1.0]})
    )
    shown = pa.table({"user_id": ["a", "a", "b"], "item_id": ["z", "y", "y"], "rank": [1, 2, 1]})
    measured = measure(shown, test, train, 2, train.items)
    assert measured.users.to_list() == ["a"]
    assert measured.metrics["hit"] == 1
    assert measured.metrics["mrr"] == pytest.approx(1 / 2)
    assert measured.metrics["recall"] == 1
    assert measured.metrics["precision"] == 1 / 2
