"""What of a test can judge a model."""

import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation.overlap import Overlap
from ml.evaluation.rating_errors import mae, rmse

PAST = Interactions.from_table(
    pa.table({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "timestamp": [10, 20, 30]})
)


def overlap(*pairs: tuple[str, str, int]) -> Overlap:
    users, items, times = (list(part) for part in zip(*pairs, strict=True))
    test = Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times}))
    return Overlap.count(test, PAST, PAST.users.rows(test.users.values) >= 0, PAST.items)


def test_each_kind_of_pair_is_counted() -> None:
    counted = overlap(("b", "y", 40), ("a", "x", 40), ("c", "x", 25), ("a", "z", 40), ("c", "z", 50))
    assert counted.as_dict() == {
        "users_unknown": 1,
        "items_unknown": 1,
        "pairs": 5,
        "pairs_of_unknown_items": 2,
        "pairs_in_training": 1,
        "pairs_before_end": 1,
    }
    lines = "\n".join(counted.warnings())
    for part in ("1 of 3 (33.3%) users", "2 of 5 (40.0%)", "1 of 5 (20.0%)", "only 3 users judge"):
        assert part in lines


def test_a_test_after_the_training_with_known_ids_has_no_warning_but_its_size() -> None:
    assert [line[:12] for line in overlap(("b", "y", 40)).warnings()] == ["only 1 user "]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "z", 40), ("b", "w", 40)], "none of the 2 items of the test"),
        ([("a", "x", 10), ("b", "x", 30)], "every interaction of the test, 2 in all, is in the training"),
        ([("a", "x", 10), ("b", "z", 30)], "every interaction of the test"),
        ([("c", "x", 40), ("d", "y", 40)], "none of the 2 users of the test"),
    ],
)
def test_a_test_that_cannot_judge_is_refused(pairs: list[tuple[str, str, int]], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        overlap(*pairs).require_something_to_judge("Ease", is_for_everybody=False)


def test_strangers_alone_judge_a_list_for_everybody() -> None:
    overlap(("c", "x", 40)).require_something_to_judge("Popularity", is_for_everybody=True)


def test_errors_of_ratings_by_hand() -> None:
    ratings = pa.array([3.0, 5.0, 1.0]).to_numpy(), pa.array([4.0, 5.0, 3.0]).to_numpy()
    assert rmse(*ratings) == pytest.approx((5 / 3) ** 0.5)
    assert mae(*ratings) == 1
