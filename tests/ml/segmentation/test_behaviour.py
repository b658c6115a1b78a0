from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.behaviour import behaviours, feedback_counts, measure_trigger
from ml.segmentation.personas import persona_text
from ml.segmentation.profiles import Profile, Trait

COUNTS = pa.map_(pa.string(), pa.int64())


def test_sessions_tell_funnel_mix_and_triggers_of_a_segment() -> None:
    stages = ["purchase"] * 30 + ["cart"] * 10 + ["view"] * 60
    signals = [[("hover:price", 2)]] * 20 + [[]] * 50 + [[("hover:price", 1), ("search", 0)]] * 30
    sessions = pa.table(
        {
            "user_id": ["a"] * 60 + ["b"] * 40 + ["elsewhere"],
            "funnel_stage": [*stages, "purchase"],
            "is_converted": [stage == "purchase" for stage in stages] + [True],
            "page_views": [2] * 100 + [50],
            "duration_seconds": [90.0] * 100 + [5000.0],
            "device_type": ["mobile"] * 75 + ["desktop"] * 25 + ["tv"],
            "signals_before_conversion": pa.array([*signals, []], COUNTS),
        }
    )
    assigned = pa.table({"user_id": ["a", "b", "c"], "segment": [1, 1, 2]})
    found = behaviours(sessions, assigned)
    assert set(found) == {1}
    one = found[1]
    assert one.sessions == 100
    assert one.funnel == {"view": 100, "cart": 40, "checkout": 30, "purchase": 30}
    assert one.mixes == {"device_type": {"mobile": 0.75, "desktop": 0.25}}
    assert (one.median_pages, one.median_minutes) == (2.0, 1.5)
    # 20 of 50 sessions with the hover converted, 10 of 50 without; the interval reaches below 1.1 but not 1
    assert [(t.signal, t.sessions, t.lift) for t in one.triggers] == [("hover:price", 50, 2.0)]


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


def test_the_last_word_of_a_user_about_a_segment_counts() -> None:
    feedback = pa.table(
        {
            "user_id": ["a", "b", "a", "c"],
            "segment": ["1", "1", "1", "no number"],
            "agrees": [True, True, False, True],
        }
    )
    assert feedback_counts(feedback) == {1: {"agree": 1, "disagree": 1}}


def test_a_persona_says_what_the_numbers_show() -> None:
    traits = (
        Trait("category_shares:sport", 0.62, 0.05, 2.5),
        Trait("mean_scroll_depth", 41.0, 66.0, -0.9),
        Trait("click_rate", 0.5, 0.49, 0.1),
    )
    profile = Profile(1, "Fans", 120, 0.15, traits, (), ())
    assert persona_text(profile) == (
        "120 users, 15% of all. More than others: sport 62% (others 5%). "
        "Less than others: mean scroll depth 41 (others 66)."
    )
