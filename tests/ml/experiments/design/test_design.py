from datetime import date, timedelta
from math import ceil

import numpy as np
import pyarrow as pa
import pytest
import tea_tasting as tt
import tea_tasting.aggr
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from ml.errors import InvalidInputError
from ml.experiments.analysis.baseline import HistoryError, measure_baseline
from ml.experiments.analysis.inference import infer_always_valid, infer_single_look
from ml.experiments.definition.definitions_file import load_metric_library
from ml.experiments.design.design import SingleLook, design_experiment, effective_variance
from ml.experiments.design.history import Baseline

FIRST = date(2026, 6, 1)  # a Monday


def baseline_of(kind, mean, variance, explained=0.0, arrivals=100.0):
    metric = {"proportion": "conversion", "mean": "clicks_per_user", "ratio": "page_views_per_session"}[kind]
    return Baseline(
        load_metric_library()[metric], mean, variance, explained, 10_000, FIRST, np.full(56, arrivals), 7
    )


def experiment(define, lift, **changes):
    return define(minimum_detectable_effect=lift, **{"decision": {"inference": "fixed"}, **changes}).get("ranker")


def test_units_for_a_proportion_are_those_of_statsmodels(define):
    design = design_experiment(
        experiment(define, 0.1), baseline_of("proportion", 0.1, 0.09), power=0.8, maximum_days=90
    )
    per_arm = NormalIndPower().solve_power(proportion_effectsize(0.11, 0.1), alpha=0.05, power=0.8)
    assert design.units == pytest.approx(2 * per_arm, rel=0.005)


def test_units_for_a_mean_follow_the_textbook(define):
    design = design_experiment(
        experiment(define, 0.05), baseline_of("mean", 10.0, 25.0), power=0.8, maximum_days=90
    )
    # 2 · (1.96 + 0.8416)² · (25 + 25 · 1.05²) / 0.5²
    assert design.units == pytest.approx(2 * 7.8489 * 25 * (1 + 1.05**2) / 0.25, rel=0.005)


def test_history_that_explains_half_halves_the_units(define):
    with_history, without = (
        design_experiment(
            experiment(define, 0.05),
            baseline_of("mean", 10.0, 25.0, explained=0.5),
            power=0.8,
            maximum_days=90,
            cuped=use,
        )
        for use in (True, False)
    )
    assert with_history.units == pytest.approx(without.units / 2, rel=0.01)


def test_days_are_whole_weeks_and_none_if_they_do_not_suffice(define):
    baseline = baseline_of("mean", 10.0, 25.0, arrivals=300.0)
    design = design_experiment(experiment(define, 0.05), baseline, power=0.8, maximum_days=90)
    assert design.units == pytest.approx(3300, rel=0.01)
    assert design.days == 14
    assert design.curve_power[13] > 0.8 > design.curve_power[9]
    assert design_experiment(experiment(define, 0.005), baseline, power=0.8, maximum_days=90).days is None


def test_unequal_shares_and_more_treatments_need_more_units(define):
    baseline = baseline_of("mean", 10.0, 25.0)
    even = design_experiment(experiment(define, 0.05), baseline, power=0.8, maximum_days=90)
    uneven = {"control": {"share": 0.9}, "challenger": {"share": 0.1}}
    assert design_experiment(
        experiment(define, 0.05, variants=uneven), baseline, power=0.8, maximum_days=90
    ).units == pytest.approx(even.units * 0.25 / (0.9 * 0.1), rel=0.06)
    three = {name: {"share": 1 / 3} for name in ("control", "a", "b")}
    assert (
        design_experiment(experiment(define, 0.05, variants=three), baseline, power=0.8, maximum_days=90).units
        > 1.5 * even.units
    )


@pytest.mark.parametrize("inference", ["fixed", "group_sequential", "always_valid"])
def test_the_promised_power_is_kept(define, inference):
    # Normal data with given moments: the planned units detect the lift in 80 of 100 experiments at the last look.
    rng = np.random.default_rng(11)
    baseline = baseline_of("mean", 10.0, 25.0)
    rule = experiment(define, 0.05, decision={"inference": inference, "looks": 4})
    design = design_experiment(rule, baseline, power=0.8, maximum_days=90)
    half = design.units // 2
    from ml.experiments.analysis.estimates import EffectEstimate
    from ml.experiments.analysis.group_sequential import critical_values

    runs, hits = 4000, 0
    critical = critical_values([0.25, 0.5, 0.75, 1.0], 0.05, "obrien_fleming")[-1]
    for _ in range(runs):
        means = rng.normal([10.0, 10.5], [5 / np.sqrt(half), 5 * 1.05 / np.sqrt(half)])
        estimate = EffectEstimate(*means, 25 / half, 25 * 1.05**2 / half, half, half)
        if inference == "fixed":
            hits += infer_single_look(estimate, 0.05).absolute.low > 0
        elif inference == "always_valid":
            hits += infer_always_valid(estimate, 0.05, design.units_per_pair, 100).absolute.low > 0
        else:
            hits += estimate.absolute / estimate.standard_error > critical
    assert hits / runs == pytest.approx(0.8, abs=0.02)


def test_a_lift_beyond_certainty_is_refused():
    with pytest.raises(ValueError, match=r"takes the proportion 0\.6 to 1\.2"):
        effective_variance(baseline_of("proportion", 0.6, 0.24), 1.0, 1.0, cuped=False)


def history(n_users=3000, days=70, seed=0):
    """Days of users who come about every third day, less at weekends, with individual click rates."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(4.0, 0.5, n_users)
    weekday = np.array([(FIRST + timedelta(days=d)).weekday() for d in range(days)])
    visits = rng.random((n_users, days)) < np.where(weekday < 5, 0.35, 0.15)
    user, day = np.nonzero(visits)
    return pa.table(
        {
            "user_id": [f"u{i}" for i in user],
            "date": [FIRST + timedelta(days=int(d)) for d in day],
            "clicks": rng.poisson(rate[user]),
            "sessions": np.ones(len(user), dtype=np.int64),
            "searches": np.zeros(len(user), dtype=np.int64),
        }
    )


def test_the_past_is_replayed_as_an_experiment():
    rows = history()
    baseline = measure_baseline(load_metric_library()["clicks_per_user"], rows, 42)
    frame = rows.to_pandas()
    start = FIRST + timedelta(days=28)
    last = FIRST + timedelta(days=69)
    frame["date"] = frame["date"].astype("datetime64[ns]").dt.date
    arrival = frame[frame["date"] >= start].groupby("user_id")["date"].min()
    frame["day"] = [
        (d - arrival.get(u, date.max)).days if u in arrival else 999
        for u, d in zip(frame["user_id"], frame["date"], strict=True)
    ]
    watched = arrival[[(last - d).days + 1 >= 7 for d in arrival]].index
    week = frame[frame["day"].between(0, 6)].groupby("user_id")["clicks"].sum().reindex(watched, fill_value=0)
    before = frame[frame["day"].between(-14, -1)].groupby("user_id")["clicks"].sum().reindex(watched, fill_value=0)
    assert baseline.units == len(watched)
    assert baseline.mean == pytest.approx(week.mean(), rel=1e-12)
    assert baseline.variance == pytest.approx(week.var(), rel=1e-10)
    assert baseline.explained == pytest.approx(np.corrcoef(week, before)[0, 1] ** 2, rel=1e-9)
    assert baseline.arrivals.tolist()[:3] == [int((arrival == start + timedelta(days=d)).sum()) for d in range(3)]
    assert baseline.starts_on == start


def test_the_weekly_pattern_shows_the_weekend():
    # All users are new every day, so that arrivals are visits.
    rows = history(n_users=20_000, days=63)
    once = rows.set_column(0, "user_id", pa.array([f"v{i}" for i in range(len(rows))]))
    pattern = measure_baseline(
        load_metric_library()["clicks_per_user"].model_copy(update={"covariate_days": 0}), once, 42
    ).weekly_pattern()
    assert pattern[:5] == pytest.approx(np.full(5, 0.35 * 7 / 2.05), abs=0.05)
    assert pattern[5:] == pytest.approx(np.full(2, 0.15 * 7 / 2.05), abs=0.05)


def test_intake_beyond_the_history_repeats_its_last_two_weeks():
    baseline = baseline_of("mean", 1.0, 1.0)
    baseline.arrivals[-14:] = 50
    assert baseline.arrivals_until(70)[-1] == 42 * 100 + 28 * 50


@pytest.mark.parametrize(
    ("metric", "rows", "message"),
    [
        ("clicks_per_user", history(days=20), "20 days of history"),
        ("clicks_per_user", history(n_users=30), "100 are needed"),
        ("search_rate", history(), "never varied"),
        ("clicks_per_user", history().slice(0, 0), "empty"),
    ],
)
def test_a_history_that_does_not_suffice_is_refused(metric, rows, message):
    with pytest.raises(HistoryError, match=message):
        measure_baseline(load_metric_library()[metric], rows, 42)


def test_a_quantile_has_no_design():
    with pytest.raises(ValueError, match="quantile metrics cannot be planned"):
        measure_baseline(load_metric_library()["median_engaged_seconds"], history(), 42)


def test_power_without_units_is_the_level():
    assert SingleLook(1.0, 1.0, 0.05, 0.05, 1.0).achieved_power(np.zeros(1)) == [0.05]


@pytest.mark.parametrize("ratio", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.4])
@pytest.mark.parametrize("lift", [-0.2, 0.01, 0.5])
def test_a_single_look_has_the_power_of_tea_tasting(lift, alpha, ratio):
    test = tt.Mean("value", alpha=alpha, ratio=ratio, equal_var=False, use_t=False, rel_effect_size=lift)
    totals = tea_tasting.aggr.Aggregates(count_=1000, mean_={"value": 2.0}, var_={"value": 9.0})
    look = SingleLook(2.0, 9.0, lift, alpha, ratio)
    for power in (0.6, 0.8, 0.99):
        test.power = power
        assert look.required_units(power) == ceil(test.solve_power_from_aggregates(totals, "n_obs")[0].n_obs)
    for units in (10, 333, 50_000):
        test.n_obs = units
        achieved = test.solve_power_from_aggregates(totals, "power")[0].power
        assert look.achieved_power(np.array([units + 0.5])) == pytest.approx([achieved], rel=1e-9)


def test_a_metric_that_history_explains_whole_is_refused(define):
    baseline = baseline_of("mean", 10.0, 25.0, explained=1.0)
    with pytest.raises(InvalidInputError, match="plan without it"):
        design_experiment(experiment(define, 0.1), baseline, power=0.8, maximum_days=90)
    assert design_experiment(experiment(define, 0.1), baseline, power=0.8, maximum_days=90, cuped=False).units
