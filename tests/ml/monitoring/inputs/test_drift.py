"""Changes are found by size and evidence, measured as scipy does, and quiet weeks stay quiet."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from ml.monitoring.inputs.drift import (
    DRIFTED,
    LOST,
    ONE_DAY,
    QUIET,
    SMALL,
    UNJUDGED,
    UNSURE,
    chi_square_p,
    compare_window,
    divergences,
    kolmogorov_smirnov_p,
)
from ml.monitoring.inputs.drift_table import drift_table, plot_drift, plot_profiles
from ml.monitoring.inputs.profile import profile_windows
from ml.monitoring.inputs.reference import Reference, cluster_items, measure_unknown
from ml.monitoring.inputs.windows import INTERACTIONS, USERS
from ml.monitoring.inputs.words import verdict
from ml.pages.figure_images import draw_png
from ml.settings.operation import MonitoringSettings
from tests.ml.monitoring.inputs.input_sites import END, week, weeks_before

SETTINGS = MonitoringSettings()
UNTIL = END - dt.timedelta(days=7)
MOVED = {"DE": 0.2, "FR": 0.3, "IT": 0.15, "MT": 0.35}


def compared(now, windows=None, settings=SETTINGS, until=UNTIL):
    windows = windows or weeks_before(np.random.default_rng(99))
    drifts = compare_window(profile_windows(windows, 5), until, now, settings)
    return {drift.profile.name: drift for drift in drifts}


def alarming(drifts):
    return {name: drift.state for name, drift in drifts.items() if drift.state in (LOST, DRIFTED)}


def test_sizes_and_evidence_are_those_of_scipy():
    rng = np.random.default_rng(0)
    then, now = rng.multinomial(4000, [0.4, 0.3, 0.2, 0.1]), rng.multinomial(900, [0.3, 0.3, 0.2, 0.2])
    psi, js = divergences(then.astype(float), now.astype(float))
    p, q = (then + 0.5) / (then + 0.5).sum(), (now + 0.5) / (now + 0.5).sum()
    by_chance = 3 * (1 / 4000 + 1 / 900)
    assert psi == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p) - by_chance)
    assert js == pytest.approx(jensenshannon(p, q, base=2) ** 2 - by_chance / (8 * np.log(2)))
    expected = stats.chi2_contingency([then, now], correction=False).pvalue
    assert chi_square_p(then.astype(float), now.astype(float)) == pytest.approx(expected)
    a, b = rng.normal(size=3000), rng.normal(0.1, size=1000)
    edges = np.linspace(-3, 3, 1000)
    counts = [np.bincount(np.searchsorted(edges, side), minlength=1001).astype(float) for side in (a, b)]
    assert kolmogorov_smirnov_p(*counts) == pytest.approx(stats.ks_2samp(a, b, method="asymp").pvalue, rel=0.2)


def test_chance_alone_gives_no_size_on_average():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(50))
    raw = [
        divergences(rng.multinomial(3000, shares).astype(float), rng.multinomial(800, shares).astype(float))[0]
        for _ in range(300)
    ]
    assert np.mean(raw) < 0.012  # beside .078 by chance


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("people", [40, 300, 2000])
def test_quiet_weeks_are_silent(seed, people):
    windows = weeks_before(np.random.default_rng(1000 + seed), people)
    assert alarming(compared(week(np.random.default_rng(seed), people), windows)) == {}


@pytest.mark.parametrize("seed", range(10))
def test_a_change_of_a_column_is_found_and_only_there(seed):
    drifts = compared(week(np.random.default_rng(seed), countries=MOVED))
    assert alarming(drifts) == {"users.country": DRIFTED}
    drift = drifts["users.country"]
    assert (drift.profile.values[drift.carrier], drift.begin) in {("DE", 0), ("MT", 0)}
    drifts = compared(week(np.random.default_rng(seed), spend=2.5))
    assert alarming(drifts) == {"users.spend": DRIFTED}
    assert "has changed: above" in verdict(drifts["users.spend"])


@pytest.mark.parametrize("seed", range(10))
def test_a_lost_column_is_named_as_lost(seed):
    drifts = compared(week(np.random.default_rng(seed), missing=0.6, since_day=3))
    assert alarming(drifts) == {"users.device_type": LOST}
    assert drifts["users.device_type"].begin == 3
    now = week(np.random.default_rng(seed))
    users = now.tables[USERS].drop_columns(["device_type"])
    gone = compared(replace(now, tables={**now.tables, USERS: users}))
    assert alarming(gone) == {"users.device_type": LOST}
    assert verdict(gone["users.device_type"]) == "is missing: 0.0% have a value, not 100% as in the training"


def test_the_day_on_which_a_change_began_is_found():
    begins = [
        compared(week(np.random.default_rng(seed), countries=MOVED, since_day=3))["users.country"].begin
        for seed in range(10)
    ]
    assert begins == [3] * 10


def test_a_single_day_raises_no_alarm_however_large():
    now = week(np.random.default_rng(0))
    users = now.tables[USERS].to_pandas()
    crowd = users.sample(1500, random_state=0).assign(day=2, country="US")
    crowd["owner"] = [f"c{number}" for number in range(1500)]
    with_crowd = pa.concat_tables([now.tables[USERS], pa.Table.from_pandas(crowd, now.tables[USERS].schema)])
    drifts = compared(replace(now, tables={**now.tables, USERS: with_crowd}))
    assert drifts["users.country"].state == ONE_DAY
    assert drifts["users.country"].psi > 0.2
    assert drifts["users.country"].unseen_now == pytest.approx(1500 / 3500)
    assert alarming(drifts) == {}


def test_a_certain_but_small_change_and_a_large_but_uncertain_one_raise_no_alarm():
    slightly = {"DE": 0.47, "FR": 0.33, "IT": 0.15, "MT": 0.05}
    large = compared(week(np.random.default_rng(0), 40_000, countries=slightly),
                     weeks_before(np.random.default_rng(1), 40_000, 2))  # fmt: skip
    assert large["users.country"].p < 1e-6
    assert large["users.country"].state == SMALL
    few = [
        compared(week(np.random.default_rng(seed), 31), weeks_before(np.random.default_rng(100 + seed), 31, 1))
        for seed in range(40)
    ]
    states = {drift.state for drifts in few for drift in drifts.values()}
    assert UNSURE in states
    assert not states & {LOST, DRIFTED}


def test_acts_of_one_person_are_not_evidence_of_many():
    now = week(np.random.default_rng(0), 60)
    acts = now.tables[INTERACTIONS].slice(0, 60).to_pandas()
    busy = acts.loc[[0] * 3000].assign(is_negative=True, day=np.arange(3000) % 7)
    table = pa.concat_tables(
        [now.tables[INTERACTIONS], pa.Table.from_pandas(busy, now.tables[INTERACTIONS].schema)]
    )
    drifts = compared(replace(now, tables={**now.tables, INTERACTIONS: table}))
    drift = drifts["interactions.is_negative"]
    assert drift.rows_now == 180 + 3000
    assert drift.owners_now <= 60
    assert 1e-200 < drift.p < 0.01


def test_columns_without_values_or_with_one_are_quiet_and_values_after_none_are_found():
    def with_columns(window, **columns):
        users = window.tables[USERS]
        for name, value in columns.items():
            users = users.append_column(name, pa.array([value] * len(users), pa.string()))
        return replace(window, tables={**window.tables, USERS: users})

    windows = [
        with_columns(each, empty=None, same="x", later=None) for each in weeks_before(np.random.default_rng(1))
    ]
    drifts = compared(with_columns(week(np.random.default_rng(0)), empty=None, same="x", later="now"), windows)
    assert [drifts[f"users.{name}"].state for name in ("empty", "same", "later")] == [QUIET, QUIET, SMALL]
    assert (drifts["users.later"].missing_then, drifts["users.later"].missing_now) == (1.0, 0.0)
    assert drifts["users.empty"].psi == drifts["users.same"].psi == 0.0


@pytest.mark.parametrize("people", [0, 1, 5, 29])
def test_few_people_are_not_judged(people):
    drifts = compared(week(np.random.default_rng(0), people, countries={"MT": 1.0}))
    assert drifts["users.country"].state == UNJUDGED
    assert "not judged" in verdict(drifts["users.country"])


def test_a_young_site_is_not_judged():
    now = replace(week(np.random.default_rng(0), countries=MOVED), first=END - dt.timedelta(days=20))
    assert {drift.state for drift in compared(now).values()} == {UNJUDGED}
    grown = replace(now, first=END - dt.timedelta(days=21))
    assert alarming(compared(grown, until=END)) == {"users.country": DRIFTED}
    # A reference of the first days is one of newcomers, whatever has come since.
    assert {drift.state for drift in compared(grown).values()} == {UNJUDGED}
    assert alarming(compared(replace(now, first=UNTIL - dt.timedelta(days=21)))) == {"users.country": DRIFTED}


def test_the_table_says_it_in_words_and_the_plots_are_images():
    now = week(np.random.default_rng(0), countries=MOVED)
    windows = weeks_before(np.random.default_rng(99))
    profiles = profile_windows(windows, 5)
    drifts = compare_window(profiles, UNTIL, now, SETTINGS)
    known_items = [f"i{place}" for place in range(45)]
    reference = Reference(END - dt.timedelta(hours=36), profiles, cluster_items(known_items, None, seed=0))
    unknown = measure_unknown(reference, now)
    acts = now.tables[INTERACTIONS].to_pandas()
    assert unknown.clicks == pytest.approx((~acts["item_id"].isin(known_items)).mean())
    assert unknown.people == 1.0
    assert measure_unknown(replace(reference, trained_until=END), now).people == 0.0
    rows = {row["column_name"]: row for row in drift_table(drifts, unknown, reference, now).to_pylist()}
    assert set(rows) == {
        *("country", "device_type", "spend", "tags", "strength", "is_negative"),
        *("user_id", "item_id"),
    }
    assert rows["item_id"]["verdict"].startswith(f"{unknown.clicks:.0%} of the interactions are with items")
    country = rows["country"]
    frame = now.tables[USERS].to_pandas()
    share = (frame["country"] == "MT").mean()
    then = (pd.concat([each.tables[USERS].to_pandas() for each in windows])["country"] == "MT").mean()
    assert country["verdict"] == f"has changed: MT rose from {then:.1%} to {share:.0%}"
    assert (country["rows_now"], country["rows_then"]) == (2000, 2000.0)
    for figure in (plot_drift(drifts, SETTINGS), plot_profiles(profiles), plot_drift([], SETTINGS)):
        assert draw_png(figure).startswith(b"\x89PNG")
