from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.outcomes import compute_unit_values, join_outcomes
from ml.experiments.definition.metrics import (
    FunnelMetric,
    MeanMetric,
    ProportionMetric,
    QuantileMetric,
    RatioMetric,
    RetentionMetric,
    RevenueMetric,
)

DAY = 86_400_000_000
AS_OF_DAY = 20_000


@pytest.fixture(scope="module")
def units():
    """Exposed 30, 10 and 5 days before the analysis."""
    exposed = (AS_OF_DAY - np.array([30, 10, 5])) * DAY
    zero = np.zeros(3)
    return Units(
        ("control", "new"), ("x",), pa.array(["ann", "bob", "cid"]), np.array([0, 1, 1], np.int8),
        zero.astype(np.int16), exposed, zero.astype(np.int16),
    )  # fmt: skip


@pytest.fixture(scope="module")
def as_of():
    from datetime import UTC, datetime

    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=AS_OF_DAY)


@pytest.fixture(scope="module")
def days(units):
    rows = [
        # user, day, sessions, purchases, revenue
        ("ann", -20, 1, 1, 900.0),
        ("ann", -3, 2, 0, 0.0),
        ("ann", 0, 1, 1, 10.0),
        ("ann", 6, 1, 2, 30.0),
        ("ann", 7, 1, 0, 0.0),
        ("ann", 20, 1, 1, 500.0),
        ("bob", 0, 3, 0, 0.0),
        ("bob", 1, 1, 1, 20.0),
        ("cid", 0, 1, 0, 0.0),
        ("stranger", 0, 9, 9, 9.0),
    ]
    names = ("user_id", "day", "sessions", "purchases", "revenue")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return join_outcomes(table, units, ("sessions", "purchases", "revenue"))


@pytest.mark.parametrize(
    ("metric", "columns", "matured"),
    [
        (
            MeanMetric(kind="mean", measure="sessions", window_days=7, covariate_days=14),
            {"numerator": [2, 4, 1], "covariate": [2, 0, 0]},
            [True, True, False],
        ),
        (
            MeanMetric(kind="mean", measure="sessions", covariate_days=0),
            {"numerator": [4, 4, 1]},
            [True, True, True],
        ),
        (
            ProportionMetric(kind="proportion", measure="purchases", at_least=2, window_days=7, covariate_days=0),
            {"numerator": [1, 0, 0]},
            [True, True, False],
        ),
        (
            RatioMetric(
                kind="ratio", numerator="purchases", denominator="sessions", window_days=7, covariate_days=28
            ),
            {
                "numerator": [3, 1, 0],
                "denominator": [2, 4, 1],
                "covariate": [1, 0, 0],
                "denominator_covariate": [3, 0, 0],
            },
            [True, True, False],
        ),
        (
            FunnelMetric(
                kind="funnel", from_measure="sessions", to_measure="purchases", window_days=1, covariate_days=0
            ),
            {"numerator": [1, 0, 0], "denominator": [1, 1, 1]},
            [True, True, True],
        ),
        (
            RetentionMetric(kind="retention", from_day=7, to_day=10, covariate_days=0),
            {"numerator": [1, 0, 0]},
            [True, True, False],
        ),
        (
            QuantileMetric(kind="quantile", measure="revenue", quantile=0.5, window_days=7, covariate_days=0),
            {"numerator": [40, 20, 0]},
            [True, True, False],
        ),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else "",
)
def test_a_metric_is_computed_from_the_days_of_its_window(metric, columns, matured, days, units, as_of):
    unit_values = compute_unit_values(metric, days, units, as_of)
    assert {name: values.tolist() for name, values in unit_values.columns.items()} == columns
    assert unit_values.matured.tolist() == matured


def test_revenue_is_capped_at_the_quantile_of_the_units_that_spent(days, units, as_of):
    metric = RevenueMetric(kind="revenue", winsorize_quantile=0.75, window_days=7, covariate_days=0)
    unit_values = compute_unit_values(metric, days, units, as_of)
    # The matured units spent 40 and 20: three quarters of the way from 20 to 40.
    assert unit_values.winsorized_at == 35.0
    assert unit_values.columns["numerator"].tolist() == [35.0, 20.0, 0.0]


def test_a_missing_measure_is_named(units):
    with pytest.raises(ValueError, match="no column 'clicks'; they have: user_id, day"):
        join_outcomes(pa.table({"user_id": ["ann"], "day": [0]}), units, ("clicks",))
