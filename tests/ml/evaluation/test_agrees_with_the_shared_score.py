"""The project's metrics against the independent scorer in ../shared/evaluate."""

import importlib.util

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.evaluation.ranking_metrics import measure
from tests.shared_data import SHARED, needs_shared_data

SCORER = SHARED / "evaluate/score.py"

pytestmark = needs_shared_data(SCORER)


@pytest.fixture(scope="module")
def scorer():
    spec = importlib.util.spec_from_file_location("score", SCORER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def messy_tables(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Short lists, repeats, items of training, unknown items, users without lists, repeated test rows."""
    random = np.random.default_rng(seed)

    def pairs(n, users):
        return pd.DataFrame(
            {"user_id": random.choice(users, n), "item_id": random.integers(0, 40, n).astype(str)}
        ).astype(str)

    users = [f"u{n}" for n in range(30)]
    recs = []
    for user in users[:25]:
        for rank in range(1, random.integers(2, 9)):
            recs.append((user, str(random.integers(0, 45)), rank))
    return pairs(200, users), pairs(120, users), pd.DataFrame(recs, columns=["user_id", "item_id", "rank"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 5, 10])
def test_the_figures_agree_to_a_millionth(scorer, seed, k):
    train, test, recs = messy_tables(seed)
    catalogue = sorted({str(n) for n in range(42)} | set(train["item_id"]))
    tested = set(test["user_id"])
    recs = recs[recs["user_id"].isin(tested)]
    theirs = scorer.score(train.copy(), test.copy(), recs.copy(), k, set(catalogue))
    ours = measure(
        pa.Table.from_pandas(recs, preserve_index=False),
        Interactions.from_table(pa.Table.from_pandas(test, preserve_index=False)),
        Interactions.from_table(pa.Table.from_pandas(train, preserve_index=False)),
        k,
        Ids.of(catalogue),
    )
    compared = ("ndcg", "map", "recall", "hit", "coverage", "novelty", "gini")
    assert {name: ours.metrics[name] for name in compared} == pytest.approx(
        {name: float(theirs[name]) for name in compared}, abs=1e-6
    )
    assert ours.users_missing == theirs["users_missing"] > 0
