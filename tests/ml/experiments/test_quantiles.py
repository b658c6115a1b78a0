import numpy as np
import pytest

from ml.experiments.quantiles import quantile_estimate, quantile_of_arm


def test_the_quantile_is_numpys():
    values = np.random.default_rng(0).gamma(2.0, size=997)
    for quantile in (0.1, 0.5, 0.9):
        assert quantile_of_arm(values, quantile)[0] == pytest.approx(np.quantile(values, quantile), rel=1e-12)


def test_the_variance_is_that_of_repeated_samples():
    rng = np.random.default_rng(1)
    samples = rng.gamma(2.0, size=(2000, 1000))
    for quantile in (0.5, 0.9):
        true = np.quantile(samples, quantile, axis=1).var()
        mean = np.mean([quantile_of_arm(sample, quantile)[1] for sample in samples[:300]])
        assert mean == pytest.approx(true, rel=0.12)


def test_arms_are_compared_by_their_difference():
    found = quantile_estimate(np.arange(101.0), np.arange(101.0) + 7, 0.5)
    assert (found.control, found.treatment, found.absolute) == (50.0, 57.0, 7.0)
    # Places 50 ± 1.96 · √(101 / 4): the error of one arm is √25.25.
    assert found.standard_error == pytest.approx(np.sqrt(2 * 25.25), rel=1e-9)


def test_nine_values_have_no_quantile():
    assert np.isnan(quantile_of_arm(np.arange(9.0), 0.5)).all()
