import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.data_split import DataSplit
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow, random_share

TABLE = pa.table(
    {
        "user_id": ["a", "a", "b", "b", "c", "d"],
        "item_id": ["x", "y", "x", "z", "y", "w"],
        "timestamp": [1, 8, 2, 9, 3, 10],
    }
)


def pairs(interactions: Interactions) -> set[tuple[str, str]]:
    return {(row["user_id"], row["item_id"]) for row in interactions.to_table().to_pylist()}


@pytest.fixture
def split() -> DataSplit:
    return DataSplit.of(TrainingData.align(Interactions.from_table(TABLE)), "time", share=0.5)


def test_a_split_parts_earlier_from_later_interactions(split: DataSplit) -> None:
    assert pairs(split.train.interactions) == {("a", "x"), ("b", "x"), ("c", "y")}
    assert pairs(split.test) == {("a", "y"), ("b", "z"), ("d", "w")}


def test_some_users_are_the_same_on_both_sides(split: DataSplit) -> None:
    some = split.sample_users(2, seed=0)
    kept = {user for user, _ in pairs(some.train.interactions) | pairs(some.test)}
    assert len(kept) == 2
    for part, whole in ((some.train.interactions, split.train.interactions), (some.test, split.test)):
        assert pairs(part) == {pair for pair in pairs(whole) if pair[0] in kept}
    assert split.sample_users(4) is split


def test_a_window_judges_by_a_future_with_ids_of_its_own() -> None:
    past = Interactions.from_table(pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
    future = Interactions.from_table(pa.table({"user_id": ["new", "a"], "item_id": ["y", "unheard of"]}))
    window = ValidationWindow.of(DataSplit(TrainingData.align(past), future))
    users, items = window.past.interactions.users, window.past.interactions.items
    assert users.to_list() == ["a", "b", "new"]
    assert items.to_list() == ["x", "y", "unheard of"]
    assert window.users.tolist() == [0, 2]
    assert window.relevant.toarray().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert window.had.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert window.cold_share == 0.5


def test_a_future_that_holds_only_rejections_cannot_judge() -> None:
    past = Interactions.from_table(pa.table({"user_id": ["a"], "item_id": ["x"]}))
    future = Interactions.from_table(pa.table({"user_id": ["a"], "item_id": ["y"], "weight": [-1.0]}))
    with pytest.raises(
        EmptySplitError,
        match=r"1 liked .* and 0 to judge by are too few: somebody has to like.* Hold back another part",
    ):
        ValidationWindow.of(DataSplit(TrainingData.align(past), future))


@pytest.mark.parametrize(("length", "share"), [(8, 0.25), (20, 0.2), (80, 0.1)])
def test_a_random_window_holds_back_no_more_than_is_needed(length: int, share: float) -> None:
    """Four items of each user where that is possible: a quarter of short histories, a tenth of long ones."""
    rows = [(f"u{user}", f"i{item}") for user in range(30) for item in range(length)]
    users, items = zip(*rows, strict=True)
    data = TrainingData.align(Interactions.from_table(pa.table({"user_id": users, "item_id": items})))
    assert random_share(data.interactions) == share
    window = ValidationWindow.hold_back(data, "random", most_users=30)
    assert window.past.interactions.n_pairs == (1 - share) * len(rows)
    assert window.relevant.nnz == share * len(rows)
