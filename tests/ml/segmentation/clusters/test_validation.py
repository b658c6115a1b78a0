from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.clusters.surrogate import fit_surrogate
from ml.segmentation.clusters.validation import eta_squared, validate_segments


def test_explained_variance_of_a_worked_example() -> None:
    values, codes = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1])
    assert eta_squared(values, codes) == pytest.approx(16 / 20)  # means 2 and 6 around 4
    assert eta_squared(np.ones(4), codes) == 0.0
    equal = np.full(49, 0.1)
    assert equal.mean() != 0.1
    assert eta_squared(equal, np.arange(49) % 2) == 0.0


def test_segments_that_predict_beat_random_ones_and_others_do_not() -> None:
    generator = np.random.default_rng(0)
    segments = generator.integers(1, 4, size=600)
    ids = [f"u{i}" for i in range(600)]
    assignments = pa.table({"user_id": ids, "segment": segments})
    outcomes = pa.table(
        {"user_id": ids, "purchases": generator.poisson(segments), "dice": generator.integers(6, size=600)}
    )
    purchases, dice = validate_segments(assignments, outcomes, draws=99)
    assert purchases.p_value == 0.01
    assert purchases.explained > 5 * purchases.by_chance_high
    assert dice.p_value > 0.05
    assert [s.segment for s in purchases.segments] == [1, 2, 3]
    for outcome in purchases.segments:
        assert outcome.low < outcome.segment < outcome.high
    assert purchases.by_chance == pytest.approx(2 / 599, rel=0.3)  # (k - 1) / (n - 1)


def test_users_who_did_nothing_count_with_zero() -> None:
    assignments = pa.table({"user_id": ["a", "b", "c", "d"], "segment": [1, 1, 2, 2]})
    (sessions,) = validate_segments(
        assignments, pa.table({"user_id": ["a", "b", "x"], "sessions": [2, 4, 9]}), draws=10
    )
    assert [s.mean for s in sessions.segments] == [3.0, 0.0]
    assert sessions.users == 4


def test_an_outcome_that_nobody_measured_is_left_out() -> None:
    assignments = pa.table({"user_id": ["a", "b"], "segment": [1, 2]})
    outcomes = pa.table(
        {"user_id": ["a", "b"], "sessions": [2, None], "engaged_seconds": pa.nulls(2, pa.float64())}
    )
    assert [measured.outcome for measured in validate_segments(assignments, outcomes, draws=10)] == ["sessions"]


def test_a_tree_shows_how_a_user_is_assigned_to_a_segment() -> None:
    X = np.random.default_rng(0).uniform(size=(900, 2))
    segments = np.where(X[:, 0] <= 0.5, 4, np.where(X[:, 1] <= 0.3, 7, 9))
    surrogate = fit_surrogate(X, ["visits", "spend"], segments, leaves=6, minimum_size=20)
    assert surrogate is not None
    assert surrogate.fidelity > 0.97
    assert surrogate.guess == pytest.approx((segments == 4).mean())
    assert surrogate.tree["feature"] == "visits"
    assert surrogate.tree["threshold"] == pytest.approx(0.5, abs=0.01)
    assert surrogate.tree["yes"]["segment"] == 4
    assert (surrogate.tree["no"]["feature"], surrogate.tree["no"]["yes"]["segment"]) == ("spend", 7)


def test_a_single_segment_needs_no_tree() -> None:
    assert fit_surrogate(np.ones((50, 1)), ["a"], np.ones(50, dtype=int), leaves=6, minimum_size=20) is None
