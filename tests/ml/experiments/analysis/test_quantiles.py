import numpy as np
import pytest
from scipy.stats import norm

from ml.experiments.analysis.quantiles import estimate_quantile, estimate_quantile_effect


def test_without_ties_it_is_hazens_quantile():
    values = np.random.default_rng(0).gamma(2.0, size=997)
    for quantile in (0.1, 0.5, 0.9):
        assert estimate_quantile(values, quantile)[0] == pytest.approx(
            np.quantile(values, quantile, method="hazen"), rel=1e-12
        )


def test_between_ties_it_is_linear():
    # Mid-distributions: 0 at .3, 10 at .75, 20 at .95. The level .5 lies 4/9 of the way from 0 to 10.
    values = np.repeat([0.0, 10.0, 20.0], [60, 30, 10])
    value, variance = estimate_quantile(values, 0.5)
    assert value == pytest.approx(40 / 9)
    # A unit adds 13/18 at 0 and 2/9 at 10: the variance of the level is .6 · .5216 + .3 · .0494 - .5².
    level = 0.6 * (13 / 18) ** 2 + 0.3 * (2 / 9) ** 2 - 0.25
    assert variance == pytest.approx((10 / 0.45) ** 2 * level / 100, rel=1e-9)


@pytest.mark.parametrize("draw", ["continuous", "heartbeats of ten seconds", "mostly zero"])
def test_a_a_tests_detect_a_difference_in_5_of_100(draw):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(1500):
        arms = rng.gamma(1.0, 20.0, (2, 400))
        if draw == "heartbeats of ten seconds":
            arms = 10 * np.floor(arms / 10)
        elif draw == "mostly zero":
            arms = np.where(rng.random((2, 400)) < 0.4, 0.0, 10 * np.ceil(arms / 10))
        estimate = estimate_quantile_effect(*arms, 0.5)
        hits += 2 * norm.sf(abs(estimate.absolute) / estimate.standard_error) < 0.05
    assert 0.03 <= hits / 1500 <= 0.07


def test_arms_are_compared_by_their_difference():
    estimate = estimate_quantile_effect(np.arange(101.0), np.arange(101.0) + 7, 0.5)
    assert (estimate.control, estimate.treatment, estimate.absolute) == pytest.approx((50.0, 57.0, 7.0))
    # The distance of 101 values is 101 times the level's error √(¼ / 101), but for the tie of a value with itself.
    assert estimate.standard_error == pytest.approx(np.sqrt(2 * 101 / 4), rel=0.01)


def test_a_constant_has_a_quantile_without_error():
    assert estimate_quantile(np.full(50, 3.0), 0.5) == (3.0, 0.0)


def test_nine_values_have_no_quantile():
    assert np.isnan(estimate_quantile(np.arange(9.0), 0.5)).all()
