import pyarrow as pa
import pytest

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


def test_so_many_folds_are_learned_from(two_tastes, monkeypatch):
    """The first stage is fitted once for each of these folds, and once more on everything."""
    fits = []
    fit_parts = Stacked._fit_parts

    def counted(self, data):
        fits.append(data.interactions.n_pairs)
        fit_parts(self, data)

    monkeypatch.setattr(Stacked, "_fit_parts", counted)
    parts = [{"model": "popularity"}, {"model": "ease"}]
    Stacked(parts, folds=5, learned_folds=2, objective="choice").fit(two_tastes)
    assert len(fits) == 3
    assert fits[2] == two_tastes.n_pairs
    assert fits[0] + fits[1] == pytest.approx(2 * 0.8 * two_tastes.n_pairs, rel=0.05)
