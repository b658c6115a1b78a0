import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from ml.experiments.analysis.estimates import estimate_effect, run_welch_test, variance_explained
from ml.experiments.analysis.moments import accumulate_moments


@pytest.fixture(scope="module")
def sample():
    """Arms, three strata of different level and size, a covariate and a denominator."""
    rng = np.random.default_rng(8)
    n = 4000
    stratum = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    arm = rng.integers(0, 2, n)
    covariate = rng.gamma(2.0, 1.0 + stratum)
    outcome = covariate + rng.normal(0, 1, n) + 3 * stratum + 0.2 * arm
    visits = rng.poisson(2.0, n) + 1.0
    return pd.DataFrame({"arm": arm, "stratum": stratum, "y": outcome, "x": covariate, "d": visits})


def moments(sample, names, strata=True):
    columns = {name: sample[column].to_numpy() for name, column in names.items()}
    group = sample["arm"].to_numpy() * 3 + (sample["stratum"].to_numpy() if strata else 0)
    return accumulate_moments(columns, group, (2, 3, 1))


def test_a_single_stratum_gives_tea_tastings_estimate(sample):
    for names in (
        {"numerator": "y"},
        {"numerator": "y", "covariate": "x"},
        {"numerator": "y", "denominator": "d"},
        {"numerator": "y", "denominator": "d", "covariate": "x", "denominator_covariate": "d"},
    ):
        statistics = moments(sample, names, strata=False)
        ours, theirs = estimate_effect(statistics, 1), run_welch_test(statistics, 1, 0.05, cuped=True)
        assert ours.absolute == pytest.approx(theirs.effect_size, rel=1e-10)
        assert ours.absolute / ours.standard_error == pytest.approx(theirs.statistic, rel=1e-10)
        assert ours.relative == pytest.approx(theirs.rel_effect_size, rel=1e-10)


def test_post_stratification_weights_the_strata_of_both_arms_alike(sample):
    estimate = estimate_effect(moments(sample, {"numerator": "y"}), 1)
    by = sample.groupby(["stratum", "arm"])["y"].agg(["mean", "var", "count"]).unstack()
    weight = sample["stratum"].value_counts(normalize=True).sort_index()
    effect = (weight * (by["mean"][1] - by["mean"][0])).sum()
    variance = (weight**2 * (by["var"][1] / by["count"][1] + by["var"][0] / by["count"][0])).sum()
    assert estimate.absolute == pytest.approx(effect, rel=1e-12)
    assert estimate.standard_error**2 == pytest.approx(variance, rel=1e-12)
    plain = estimate_effect(moments(sample, {"numerator": "y"}, strata=False), 1)
    assert estimate.standard_error < 0.9 * plain.standard_error


def test_post_stratification_is_the_regression_with_interactions(sample):
    estimate = estimate_effect(moments(sample, {"numerator": "y"}), 1)
    data = sample.assign(
        s1=(sample["stratum"] == 1) - (sample["stratum"] == 1).mean(),
        s2=(sample["stratum"] == 2) - (sample["stratum"] == 2).mean(),
    )
    fit = smf.ols("y ~ arm * (s1 + s2)", data).fit()
    assert estimate.absolute == pytest.approx(fit.params["arm"], rel=1e-10)


def test_cuped_removes_the_squared_correlation(sample):
    flat = sample[sample["stratum"] == 0]
    statistics = moments(flat, {"numerator": "y", "covariate": "x"}, strata=False)
    rho = np.corrcoef(flat["y"], flat["x"])[0, 1]
    assert variance_explained(statistics, 1) == pytest.approx(rho**2, rel=1e-10)
    ratio = (
        estimate_effect(statistics, 1).standard_error / estimate_effect(statistics, 1, cuped=False).standard_error
    )
    assert ratio == pytest.approx(np.sqrt(1 - rho**2), rel=0.005)


def test_small_strata_are_merged(sample):
    few = pd.concat([sample[sample["stratum"] < 2], sample[sample["stratum"] == 2].head(5)])
    estimate = estimate_effect(moments(few, {"numerator": "y"}), 1, minimum_stratum_units=50)
    assert estimate.units == len(few)
    assert np.isfinite(estimate.standard_error)


def test_an_arm_without_units_has_no_value(sample):
    alone = sample[sample["arm"] == 0]
    estimate = estimate_effect(moments(alone, {"numerator": "y"}, strata=False), 1)
    assert np.isnan(estimate.absolute)
    assert np.isnan(estimate.standard_error)
