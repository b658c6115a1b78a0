"""Intervals of few values."""

import numpy as np

from ml.evaluation.bootstrap import mean_interval


def test_a_single_value_has_no_interval():
    interval = mean_interval(np.array([0.4, np.nan]))
    assert interval.mean == 0.4
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.holds_zero


def test_the_interval_of_few_values_lies_between_them():
    """A resample of few values is often empty, which is no mean of 0."""
    for values in ([0.4, 0.6], [0.4, 0.5, 0.6]):
        interval = mean_interval(np.array(values))
        assert (interval.low, interval.high) == (0.4, 0.6)
