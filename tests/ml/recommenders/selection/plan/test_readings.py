"""Which reading of ratings is chosen, where one of them is right by construction."""

import numpy as np
import pyarrow as pa

from ml.dataset.interactions import Interactions
from ml.recommenders.selection.auto import choose
from ml.recommenders.selection.plan.readings import all_liked, has_two_readings
from ml.recommenders.training_data import TrainingData


def rated(likes):
    """120 people rate a few items each; `likes(user, item, random)` says with which weight, -1 a rejection."""
    random = np.random.default_rng(5)
    rows = []
    for user in range(120):
        rows += [(f"u{user}", f"i{item}", *likes(user, item, random)) for item in taken(user, likes, random)]
    users, items, weights = zip(*rows, strict=True)
    table = pa.table(
        {
            "user_id": users,
            "item_id": items,
            "weight": np.array(weights, np.float32),
            "rating": np.where(np.array(weights) > 0, 5.0, 1.0).astype(np.float32),
        }
    )
    return TrainingData.align(Interactions.from_table(table))


def taken(user, likes, random):
    """Any items where taste is in the rating, else a few of the own kind, some of which are liked."""
    if likes is by_parity:
        return random.choice(40, 14, replace=False)
    return random.choice(np.arange(user % 12, 240, 12), 7, replace=False)


def by_parity(user, item, random):
    return (1.0 if user % 2 == item % 2 else -1.0,)


def by_chance(user, item, random):
    return (1.0 if random.random() < 0.35 else -1.0,)


def reading_of(data):
    lines = []
    chosen = choose(data, "random", work=1.0, log=lines.append)
    return chosen, next(line for line in lines if line.startswith("ratings: "))


def test_rejections_stay_where_the_rating_is_the_taste():
    chosen, line = reading_of(rated(by_parity))
    assert line == "ratings: models learn from liked items, low ratings reject"
    lists = chosen.recommender.recommend([f"u{user}" for user in range(120)], 2).to_table().to_pylist()
    own = [int(row["user_id"][1:]) % 2 == int(row["item_id"][1:]) % 2 for row in lists]
    assert np.mean(own) >= 0.95


def test_all_that_was_rated_teaches_where_the_choice_is_the_taste():
    data = rated(by_chance)
    chosen, line = reading_of(data)
    assert line == "ratings: models learn from all that was rated"
    assert chosen.recommender.seen_.nnz == data.interactions.n_pairs


def test_readings_differ_only_with_ratings_and_rejections(two_tastes):
    assert not has_two_readings(TrainingData.align(two_tastes))
    data = rated(by_parity)
    assert has_two_readings(data)
    assert (all_liked(data).interactions.weights == 1).all()
    assert not has_two_readings(all_liked(data))
