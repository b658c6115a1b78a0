"""A fitted recommender measured on a table of what its users then did."""

import pyarrow as pa

from ml.dataset.interactions import Interactions
from ml.recommenders.evaluation import evaluate_on
from ml.recommenders.models.svd import TruncatedSVD


def table_of(rows):
    users, items, weights = zip(*rows, strict=True)
    return pa.table({"user_id": users, "item_id": items, "weight": pa.array(weights, pa.float32())})


def test_sampled_figures_are_of_those_whom_the_model_knows():
    """Somebody who only rejected in the training is a stranger to the model, whose vector of them says nothing."""
    rows = [
        (f"fan {fan}", f"{taste}{(fan + n) % 12:02}", 1.0) for taste in "ab" for fan in range(20) for n in range(6)
    ]
    past = Interactions.from_table(table_of([*rows, ("rejects", "a00", -1.0), ("rejects", "b01", -1.0)]))
    model = TruncatedSVD(n_factors=4).fit(past)
    test = [(f"fan {fan}", f"a{(fan + 6) % 12:02}", 1.0) for fan in range(20)]
    figures = []
    for more in ([], [("rejects", f"b{n:02}", 1.0) for n in range(5, 12)]):
        liked = Interactions.from_table(table_of([*test, *more]))
        figures.append(evaluate_on(liked, liked, model, past, sampled=20))
    names = [name for name in figures[0] if name.startswith("sampled_")]
    assert len(names) == 3
    assert [figures[1][name] for name in names] == [figures[0][name] for name in names]
    assert figures[1]["users_unknown"] == 1
