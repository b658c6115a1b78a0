"""Ratios and their intervals against Wilson's formula, by hand and by resampling people."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from ml.usage.ratios import mean_of_sums, share_of_people, share_of_sums


def moments(upper, lower):
    """The row that the warehouse gives for the sums of each person."""
    return {
        "x": upper.sum(),
        "n": lower.sum(),
        "x_x": (upper * upper).sum(),
        "x_n": (upper * lower).sum(),
        "n_n": (lower * lower).sum(),
        "n_people": int((lower > 0).sum()),
    }


def test_a_share_of_people_has_wilsons_interval():
    share = share_of_people(10, 50)
    # (0.2 + 1.96²/100 ± 1.96 · sqrt(0.2 · 0.8/50 + 1.96²/10,000)) / (1 + 1.96²/50)
    assert (share.value, share.low, share.high) == pytest.approx((0.2, 0.11244, 0.33037), abs=1e-4)


@pytest.mark.parametrize(
    ("upper", "lower"), [(0, 20), (1, 21), (33, 47), (500, 501), (77, 77), (1_234, 4_000_000)]
)
def test_the_interval_is_that_of_statsmodels(upper, lower):
    share = share_of_people(upper, lower)
    expected = proportion_confint(upper, lower, alpha=0.05, method="wilson")
    assert (share.low, share.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("upper", "value"), [(0, 0.0), (40, 1.0)])
def test_a_share_of_none_or_all_is_still_unsure(upper, value):
    share = share_of_people(upper, 40)
    assert share.value == value
    assert share.high - share.low == pytest.approx(1.96**2 / (40 + 1.96**2), abs=1e-3)


def test_few_people_have_no_interval_and_nobody_no_value():
    assert share_of_people(3, 19).low is None
    assert share_of_people(0, 0).value is None


def test_intervals_are_those_of_resampled_people():
    """Visits of one person are alike, so that an interval over visits would be less than half as wide."""
    generator = np.random.default_rng(5)
    visits = generator.integers(1, 30, 400).astype(float)
    bounces = generator.binomial(visits.astype(int), generator.beta(0.4, 0.8, 400)).astype(float)
    seconds = generator.gamma(2, 20, 400) * visits
    drawn = [generator.integers(400, size=400) for _ in range(2_000)]
    for upper, ratio in (
        (bounces, share_of_sums(moments(bounces, visits), "x", "n")),
        (seconds, mean_of_sums(moments(seconds, visits), "x", "n")),
    ):
        resampled = [upper[rows].sum() / visits[rows].sum() for rows in drawn]
        low, high = np.percentile(resampled, [2.5, 97.5])
        assert ratio.value == upper.sum() / visits.sum()
        assert (ratio.low, ratio.high) == pytest.approx((low, high), abs=0.1 * (high - low))
