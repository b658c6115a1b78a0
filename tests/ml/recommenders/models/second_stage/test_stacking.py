import pyarrow as pa

from ml.dataset.interactions import Interactions
from ml.recommenders.models.second_stage.stacking import Stacked

N_ITEMS = 300


def test_of_equal_scores_the_first_items_are_candidates():
    """Every item is taken by six people: the first stage cannot tell them apart, and passes on five of them."""
    rows = [(user, (user * 6 + place) % N_ITEMS) for user in range(N_ITEMS) for place in range(6)]
    table = pa.table(
        {"user_id": [f"u{user:03}" for user, _ in rows], "item_id": [f"i{item:03}" for _, item in rows]}
    )
    model = Stacked(
        [{"model": "popularity"}], folds_by="random", rescored=5, sampled_negatives=10, objective="choice"
    )
    model.fit(Interactions.from_table(table))
    lists = model.recommend([f"u{user:03}" for user in range(1, 40)], 5).to_table()
    assert set(lists["item_id"].to_pylist()) == {"i000", "i001", "i002", "i003", "i004"}
