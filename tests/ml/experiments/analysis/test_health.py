from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.analysis.exposures import ExposureCounts, Units
from ml.experiments.analysis.health import check_exposures, check_sample_ratio


def units(counts_by_step):
    """Units with these counts of (control, challenger) in each step."""
    variant = np.concatenate([np.repeat([0, 1], counts) for counts in counts_by_step]).astype(np.int8)
    step = np.repeat(np.arange(len(counts_by_step)), [sum(c) for c in counts_by_step]).astype(np.int16)
    n = len(variant)
    ids = pa.array(np.arange(n).astype(str))
    return Units(
        ("control", "challenger"), ("x",), ids, variant, np.zeros(n, np.int16), np.zeros(n, np.int64), step
    )


def test_50_5_to_49_5_of_200_000_units_is_detected(define, settings):
    check = check_sample_ratio(units([(101_000, 99_000)]), define().get("ranker"), settings.srm_alarm_p)
    # (1000² + 1000²) / 100 000 = 20, one degree of freedom.
    assert check.statistic == pytest.approx(20.0)
    assert check.p_value == pytest.approx(7.744e-06, rel=1e-3)
    assert check.alarm


def test_a_split_within_chance_raises_no_alarm(define, settings):
    assert not check_sample_ratio(units([(100_300, 99_700)]), define().get("ranker"), settings.srm_alarm_p).alarm


def test_a_treatment_ramped_from_10_to_50_percent_raises_no_alarm(define, settings):
    start = define().get("ranker").starts_at
    ramp = (
        {"from": start, "traffic": 1.0, "shares": {"control": 0.9, "challenger": 0.1}},
        {"from": start + timedelta(days=3), "traffic": 1.0, "shares": {"control": 0.5, "challenger": 0.5}},
    )
    experiment = define(variants={"control": {"share": 0.9}, "challenger": {"share": 0.1}}, ramp=ramp).get(
        "ranker"
    )
    check = check_sample_ratio(units([(18_020, 1_980), (50_100, 49_900)]), experiment, settings.srm_alarm_p)
    assert check.observed == (68_120, 51_880)
    assert check.expected == pytest.approx((68_000, 52_000))
    assert not check.alarm
    # The same totals under one pair of shares would be a mismatch, and a mismatch inside a step still is.
    assert check_sample_ratio(units([(68_120, 51_880)]), define().get("ranker"), settings.srm_alarm_p).alarm
    assert check_sample_ratio(units([(17_000, 3_000), (51_120, 48_880)]), experiment, settings.srm_alarm_p).alarm


def test_no_units_raise_no_alarm(define, settings):
    assert check_sample_ratio(units([(0, 0)]), define().get("ranker"), settings.srm_alarm_p).p_value == 1.0


@pytest.mark.parametrize(
    ("mixed", "treatment", "said"),
    [
        (0, "exclude", "nobody saw two variants"),
        (1, "exclude", "1 person saw two variants (1.00%); they do not count"),
        (12, "first", "12 persons saw two variants (12.00%); each counts for the first variant"),
    ],
)
def test_people_with_two_variants_are_counted_in_words(define, settings, mixed, treatment, said):
    excluded = mixed if treatment == "exclude" else 0
    counts = ExposureCounts(200, 100 - excluded, mixed, excluded, 0, 0, 0)
    some, experiment = units([(50, 50)]), define(mixed_units=treatment).get("ranker")
    ratio = check_sample_ratio(some, experiment, settings.srm_alarm_p)
    checks = {check.name: check for check in check_exposures(some, counts, ratio, {}, experiment, settings)}
    assert checks["one variant per person"].detail == said
