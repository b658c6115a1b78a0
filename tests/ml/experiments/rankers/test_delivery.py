"""Promise beside delivery: sums and intervals over people, and versions that nobody promised anything of."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.rankers.delivery import SCHEMA, ModelPromise, delivery_table, plot_delivery

BEGIN = dt.datetime(2026, 5, 1)


def answered(rng: np.random.Generator, version: str, days: int, people: int) -> pa.Table:
    answers = rng.integers(1, 9, people)
    first = [BEGIN + dt.timedelta(days=days, hours=int(hours)) for hours in rng.integers(0, 20, people)]
    return pa.table(
        {
            "model_version": [version] * people,
            "answers": answers,
            "clicked_answers": rng.binomial(answers, 0.3),
            "first_answer_at": pa.array(first, pa.timestamp("us")),
            "last_answer_at": pa.array([moment + dt.timedelta(days=1) for moment in first], pa.timestamp("us")),
        }
    )


def test_each_version_has_its_promise_and_an_interval_over_people():
    rng = np.random.default_rng(2)
    people = pa.concat_tables([answered(rng, "12", 3, 500), answered(rng, "old", 0, 40), answered(rng, "7", 1, 1)])
    table = delivery_table(people, {"12": ModelPromise("als", 0.25, 0.2, 0.3), "7": ModelPromise("ease", 0.2)})
    assert table.schema == SCHEMA
    rows = {row["model_version"]: row for row in table.to_pylist()}
    assert list(rows) == ["old", "7", "12"]
    frame = people.to_pandas().groupby("model_version").agg(
        people=("answers", "size"), answers=("answers", "sum"), clicked=("clicked_answers", "sum"),
        first=("first_answer_at", "min"), last=("last_answer_at", "max"),
    )  # fmt: skip
    for version, row in rows.items():
        by_hand = frame.loc[version]
        assert (row["people"], row["answers"], row["clicked_answers"]) == tuple(by_hand[:3])
        assert row["clicked_share"] == pytest.approx(by_hand["clicked"] / by_hand["answers"])
        assert (row["first_answer_at"], row["last_answer_at"]) == (by_hand["first"], by_hand["last"])
    twelve = people.to_pandas().query("model_version == '12'")
    draws = rng.integers(0, 500, (2_000, 500))
    shares = twelve["clicked_answers"].to_numpy()[draws].sum(axis=1) / twelve["answers"].to_numpy()[draws].sum(
        axis=1
    )
    bounds = (rows["12"]["clicked_share_low"], rows["12"]["clicked_share_high"])
    assert bounds == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.006)
    assert (rows["12"]["model"], rows["12"]["promised"], rows["12"]["promised_high"]) == ("als", 0.25, 0.3)
    assert (rows["old"]["model"], rows["old"]["promised"]) == (None, None)
    assert len(plot_delivery(table, "ndcg_at_10").axes) == 2


def test_a_site_that_answered_nobody_has_an_empty_table_and_a_plot():
    people = answered(np.random.default_rng(0), "1", 0, 3)[:0]
    table = delivery_table(people, {})
    assert (len(table), table.schema) == (0, SCHEMA)
    assert len(plot_delivery(table, "ndcg_at_10").axes) == 2
