import numpy as np
import pytest

from ml.experiments.analysis.estimates import run_welch_test
from ml.experiments.analysis.moments import accumulate_moments


def test_moments_of_groups_add_up_to_numpys_mean_and_covariance():
    rng = np.random.default_rng(3)
    n = 600_000  # more than two blocks
    columns = {"numerator": 1e6 + rng.normal(size=n), "covariate": rng.gamma(2.0, size=n)}
    group = rng.integers(-1, 12, n)
    moments = accumulate_moments(columns, group, (2, 3, 2))
    for variant in (0, 1):
        rows = (group >= 6 * variant) & (group < 6 * variant + 6)
        aggregates = moments.aggregate(variant)
        assert aggregates.count() == np.count_nonzero(rows)
        matrix = np.cov(columns["numerator"][rows], columns["covariate"][rows])
        assert aggregates.mean("numerator") == pytest.approx(columns["numerator"][rows].mean(), rel=1e-14)
        assert aggregates.var("numerator") == pytest.approx(matrix[0, 0], rel=1e-10)
        assert aggregates.cov("numerator", "covariate") == pytest.approx(matrix[0, 1], rel=1e-8, abs=1e-8)
    rows = np.isin(group, [8, 10])
    part = moments.aggregate(1, [1, 2], days=slice(0, 1))
    assert part.count() == np.count_nonzero(rows)
    assert part.var("covariate") == pytest.approx(columns["covariate"][rows].var(ddof=1), rel=1e-12)
    days = moments.select_days([1]).aggregate(0)
    assert days.mean("covariate") == pytest.approx(
        columns["covariate"][np.isin(group, [1, 3, 5])].mean(), rel=1e-12
    )


def test_the_mean_of_an_arm_without_a_single_purchase_is_exactly_zero():
    arm = np.repeat([0, 1], [41, 50])
    purchases = np.zeros(91)
    purchases[3] = 1.0
    stratum = np.arange(91) % 3
    moments = accumulate_moments({"numerator": purchases}, arm * 3 + stratum, (2, 3, 1))
    assert moments.aggregate(1).mean("numerator") == 0.0
    assert moments.aggregate(0).mean("numerator") == pytest.approx(1 / 41)
    assert np.isnan(run_welch_test(moments, 1, 0.05, cuped=False).rel_effect_size_ci_upper)
