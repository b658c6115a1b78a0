import math

import numpy as np
import pytest

from ml.evaluation.bootstrap import Interval, mean_interval
from ml.evaluation.gains import NO_DIFFERENCE, describe_gain


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.00008, -0.00112, 0.00134), f"+0.0001 [-0.0011, +0.0013], {NO_DIFFERENCE}"),
        ((0.0437, 0.0381, 0.0496), "+0.0437 [+0.0381, +0.0496]"),
        ((-0.0104, -0.0201, -0.0003), "-0.0104 [-0.0201, -0.0003]"),
        ((0.001, 0.0, 0.002), f"+0.0010 [+0.0000, +0.0020], {NO_DIFFERENCE}"),
        ((math.nan, math.nan, math.nan), "not measured"),
    ],
)
def test_a_gain_carries_its_interval_and_says_where_it_may_be_chance(
    interval: tuple[float, float, float], text: str
) -> None:
    assert describe_gain(Interval(*interval, 0.95)) == text


def test_noise_without_an_effect_is_called_chance_at_the_level_of_the_interval() -> None:
    random = np.random.default_rng(1)
    intervals = [mean_interval(random.normal(0.0, 1.0, 200), resamples=400, seed=seed) for seed in range(300)]
    chance = np.mean([NO_DIFFERENCE in describe_gain(interval) for interval in intervals])
    assert chance == pytest.approx(0.95, abs=0.035)
