from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.profiles.triggers import find_triggers, measure_trigger

COUNTS = pa.map_(pa.string(), pa.int64())


def test_a_lift_is_the_ratio_of_rates_with_katz_interval() -> None:
    has, converted = np.arange(200) < 100, np.zeros(200, dtype=bool)
    converted[:40] = converted[100:120] = True
    trigger = measure_trigger("search", has, converted, np.zeros(200, dtype=np.int64))
    assert trigger is not None
    error = math.sqrt(1 / 40 - 1 / 100 + 1 / 20 - 1 / 100)
    assert trigger.lift == pytest.approx(2.0)
    assert (trigger.low, trigger.high) == pytest.approx(
        (2 * math.exp(-1.96 * error), 2 * math.exp(1.96 * error)), rel=1e-4
    )


def test_too_few_sessions_tell_no_lift() -> None:
    has = np.arange(100) < 10
    assert measure_trigger("search", has, has, np.zeros(100, dtype=np.int64)) is None


def test_sessions_are_compared_at_the_same_length() -> None:
    """Long sessions have the signal and convert more often; at each length it changes nothing."""
    # Short: 40 of 400 with the signal, long: 360 of 400. One in ten short ones converts, half of the long ones.
    strata = np.repeat([0, 1], 400)
    has = np.concatenate([np.arange(400) < 40, np.arange(400) < 360])
    converted = np.concatenate([np.arange(400) % 10 == 0, np.arange(400) % 2 == 0])
    trigger = measure_trigger("hover", has, converted, strata)
    assert trigger is not None
    assert trigger.lift == pytest.approx(1.0)
    assert trigger.p_value == pytest.approx(1.0)
    assert (has & converted).sum() / has.sum() > 2 * (~has & converted).sum() / (~has).sum()


def sessions(seed: int = 0) -> pa.Table:
    """Half of 8,000 sessions see one to four products; only these buy, and a zoom raises it by half.

    A hover on the price, like a dozen other signals, is drawn on each product page without any effect.
    """
    generator = np.random.default_rng(seed)
    products = np.where(generator.random(8_000) < 0.5, generator.integers(1, 5, size=8_000), 0)
    names = ["custom:gallery_zoom", "hover:price", *(f"click:{letter}" for letter in "abcdefghijkl")]
    fired = {name: generator.random(8_000) < 1 - 0.8**products for name in names}
    chance = 0.04 * products * np.where(fired["custom:gallery_zoom"], 1.5, 1.0)
    maps = [[(name, 1) for name in names if fired[name][row]] for row in range(8_000)]
    return pa.table(
        {
            "signals_before_conversion": pa.array(maps, COUNTS),
            "is_converted": generator.random(8_000) < chance,
            "product_pages": products,
            "content_pages": generator.integers(0, 3, size=8_000),
        }
    )


def test_the_planted_signal_is_reported_and_signals_without_an_effect_are_not() -> None:
    reported = [find_triggers(sessions(seed)) for seed in range(10)]
    assert all(triggers[0].signal == "custom:gallery_zoom" for triggers in reported)
    assert all(triggers[0].low < 1.5 < triggers[0].high for triggers in reported)
    assert sum(len(triggers) - 1 for triggers in reported) <= 2
    assert 3_500 < reported[0][0].comparable < 4_500


def test_a_raw_ratio_would_call_every_signal_a_cause() -> None:
    table = sessions()
    price = np.array(
        ["hover:price" in dict(entries) for entries in table["signals_before_conversion"].to_pylist()]
    )
    converted = np.asarray(table["is_converted"])
    assert converted[price].mean() > 2.5 * converted[~price].mean()
