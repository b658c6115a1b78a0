from __future__ import annotations

import math

import numpy as np
import pytest

from ml.segmentation.profiles.triggers import measure_trigger


def test_a_lift_is_the_ratio_of_rates_with_katz_interval() -> None:
    has, converted = np.arange(200) < 100, np.zeros(200, dtype=bool)
    converted[:40] = converted[100:120] = True
    trigger = measure_trigger("search", has, converted)
    assert trigger is not None
    error = math.sqrt(1 / 40 - 1 / 100 + 1 / 20 - 1 / 100)
    assert trigger.lift == pytest.approx(2.0)
    assert (trigger.low, trigger.high) == pytest.approx((2 * math.exp(-1.96 * error), 2 * math.exp(1.96 * error)))


def test_too_few_sessions_tell_no_lift() -> None:
    has = np.arange(100) < 10
    assert measure_trigger("search", has, has) is None
