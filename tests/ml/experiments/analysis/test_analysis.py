from datetime import timedelta
from math import isfinite, isnan

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ttest_ind

from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.report.summary import summarize_analysis


@pytest.fixture(scope="module")
def lifted(simulate):
    return simulate(8000, seed=4, lift=0.10)


@pytest.fixture(scope="module")
def end(define):
    return define().get("ranker").ends_at + timedelta(days=14)


@pytest.fixture(scope="module")
def analysis(define, lifted, end, settings):
    return analyse_experiment(define(), "ranker", lifted.exposures, lifted.outcomes, end, settings)


def test_a_planted_lift_is_detected_and_shipped(analysis):
    inference = analysis.result("clicks_per_user", "challenger").always_valid
    assert inference.relative.low < 0.10 < inference.relative.high
    assert analysis.decision.verdict == "ship"
    assert analysis.complete


def test_history_and_segments_narrow_the_interval(analysis):
    result = analysis.result("clicks_per_user", "challenger")
    plain = result.plain.absolute.high - result.plain.absolute.low
    adjusted = result.single_look.absolute.high - result.single_look.absolute.low
    assert result.explained > 0.5
    assert adjusted == pytest.approx(plain * np.sqrt(1 - result.explained), rel=0.05)


def test_the_plain_result_is_welchs_test_on_the_units_sums(analysis, lifted):
    outcomes = lifted.outcomes.to_pandas()
    week = outcomes[outcomes["day"].between(0, 6)].groupby("user_id")["clicks"].sum()
    exposures = lifted.exposures.to_pandas().set_index("user_id")
    clicks = week.reindex(exposures.index, fill_value=0)
    arms = [clicks[exposures["variant"] == name] for name in ("challenger", "control")]
    expected = ttest_ind(*arms, equal_var=False)
    plain = analysis.result("clicks_per_user", "challenger").plain
    assert plain.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert plain.absolute.value == pytest.approx(arms[0].mean() - arms[1].mean(), rel=1e-12)


def test_only_units_with_a_whole_window_count(define, lifted, settings):
    experiment = define().get("ranker")
    as_of = experiment.starts_at + timedelta(days=10)
    analysis = analyse_experiment(define(), "ranker", lifted.exposures, lifted.outcomes, as_of, settings)
    exposed = lifted.exposures["first_exposed_at"].to_pandas()
    result = analysis.result("clicks_per_user", "challenger")
    assert result.estimate.units == int((exposed <= as_of - timedelta(days=7)).sum())
    assert (analysis.days_run, analysis.complete) == (10, False)


def test_an_early_look_does_not_move_when_more_days_come(define, lifted, settings, end):
    experiment = define().get("ranker")
    early, late = (
        analyse_experiment(define(), "ranker", lifted.exposures, lifted.outcomes, at, settings)
        .primary[0]
        .trajectory
        for at in (experiment.starts_at + timedelta(days=14), end)
    )
    assert len(early) == 7
    assert [p.estimate.absolute for p in early] == pytest.approx([p.estimate.absolute for p in late[:7]], rel=1e-9)


def test_a_wrong_sample_ratio_makes_every_effect_unusable(define, simulate, settings, end):
    site = simulate(6000, lift=0.3, split=0.55)
    analysis = analyse_experiment(define(), "ranker", site.exposures, site.outcomes, end, settings)
    assert analysis.ratio.alarm
    assert analysis.decision.verdict == "stop"
    assert "sample ratio" in analysis.decision.reasons[0]


def test_harm_beyond_a_guardrails_margin_stops_the_experiment(define, simulate, settings, end):
    site = simulate(6000, lift=-0.3)
    definitions = define(primary_metric="conversion", guardrails=({"metric": "clicks_per_user", "margin": 0.05},))
    analysis = analyse_experiment(definitions, "ranker", site.exposures, site.outcomes, end, settings)
    assert [verdict.state for verdict in analysis.guardrails] == ["breached"]
    assert analysis.decision.verdict == "stop"
    assert "clicks_per_user of challenger is worse" in analysis.decision.reasons[0]


def test_a_different_lift_in_each_segment_is_detected(define, simulate, settings, end):
    site = simulate(12_000, seed=2, lifts={"fans": 0.4, "regulars": 0.0, "guests": 0.0})
    detail = analyse_experiment(define(), "ranker", site.exposures, site.outcomes, end, settings).primary[0]
    assert detail.segments.p_value < 0.001
    groups = {group.group: group for group in detail.segments.groups}
    assert groups["fans"].shrunk == pytest.approx(0.4, abs=0.1)
    assert groups["guests"].shrunk_error < groups["guests"].standard_error
    assert detail.weekdays.p_value > 0.001
    assert len(detail.weekdays.groups) == 7


def test_a_fading_effect_is_detected_as_novelty(define, lifted, settings, end):
    treated = set(lifted.exposures.to_pandas().query("variant == 'challenger'")["user_id"])
    outcomes = lifted.outcomes.to_pandas()
    early = outcomes["user_id"].isin(treated) & outcomes["day"].between(0, 2)
    outcomes.loc[early, "clicks"] *= 2
    fading = pa.Table.from_pandas(outcomes, preserve_index=False)
    novelty = analyse_experiment(define(), "ranker", lifted.exposures, fading, end, settings).primary[0].novelty
    assert novelty.p_value < 1e-6
    assert novelty.early > 3 * novelty.late
    steady = (
        analyse_experiment(define(), "ranker", lifted.exposures, lifted.outcomes, end, settings).primary[0].novelty
    )
    assert steady.p_value > 0.01


def test_what_counts_once_a_person_is_not_said_to_wear_off(define, lifted, settings, end):
    outcomes = lifted.outcomes.to_pandas()
    outcomes = outcomes[outcomes["day"].between(0, 2)]  # everybody converts early
    early = pa.Table.from_pandas(outcomes, preserve_index=False)
    definitions = define(primary_metric="conversion")
    assert (
        analyse_experiment(definitions, "ranker", lifted.exposures, early, end, settings).primary[0].novelty
        is None
    )


def test_several_treatments_share_the_level(define, simulate, settings, end):
    site = simulate(9000, lift=0.0)
    rng = np.random.default_rng(0)
    three = site.exposures.set_column(2, "variant", pa.array(rng.choice(["control", "a", "b"], 9000)))
    variants = {"control": {"share": 1 / 3}, "a": {"share": 1 / 3}, "b": {"share": 1 / 3}}
    analysis = analyse_experiment(define(variants=variants), "ranker", three, site.outcomes, end, settings)
    single = define(variants={"control": {"share": 0.5}, "a": {"share": 0.5}})
    alone = analyse_experiment(single, "ranker", three, site.outcomes, end, settings)
    assert [detail.variant for detail in analysis.primary] == ["a", "b"]
    widths = [
        d.inference.absolute.high - d.inference.absolute.low for d in (analysis.primary[0], alone.primary[0])
    ]
    assert widths[0] > widths[1]
    for name in ("a", "b"):
        result = analysis.result("clicks_per_user", name)
        assert result.corrected_p == pytest.approx(min(1.0, 2 * result.always_valid.p_value))
        assert result.decisive.absolute.low < result.always_valid.absolute.low


def test_group_sequential_looks_are_taken_when_their_units_are_there(define, lifted, settings, end):
    rule = {"inference": "group_sequential", "planned_units": 8000, "looks": 4}
    analysis = analyse_experiment(
        define(decision=rule), "ranker", lifted.exposures, lifted.outcomes, end, settings
    )
    looks = analysis.primary[0].looks
    assert [look.information for look in looks] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.05)
    assert looks[0].boundary > looks[-1].boundary > 1.96
    assert analysis.decision.verdict == "ship"


def test_a_single_look_test_waits_for_its_end(define, lifted, settings, end):
    definitions = define(decision={"inference": "fixed"})
    early = analyse_experiment(
        definitions, "ranker", lifted.exposures, lifted.outcomes, define().get("ranker").ends_at, settings
    )
    assert (early.decision.verdict, early.decision.reasons[-1]) == (
        "go on",
        "a single-look test is evaluated once, at its end",
    )
    late = analyse_experiment(definitions, "ranker", lifted.exposures, lifted.outcomes, end, settings)
    assert late.decision.verdict == "ship"


def test_a_quantile_can_be_the_primary_metric(define, simulate, settings, end):
    site = simulate(3000)
    analysis = analyse_experiment(
        define(primary_metric="median_engaged_seconds"), "ranker", site.exposures, site.outcomes, end, settings
    )
    assert isfinite(analysis.primary[0].inference.absolute.low)
    assert analysis.decision.verdict in ("go on", "stop")


def test_an_experiment_without_units_goes_on(define, simulate, settings):
    site = simulate(100)
    as_of = define().get("ranker").starts_at
    analysis = analyse_experiment(
        define(), "ranker", site.exposures.slice(0, 0), site.outcomes.slice(0, 0), as_of, settings
    )
    assert analysis.decision.verdict == "go on"
    assert analysis.counts.units == 0


def test_a_metric_whose_window_no_unit_has_seen_says_when_the_first_will(define, lifted, settings):
    experiment = define().get("ranker")
    analysis = analyse_experiment(
        define(), "ranker", lifted.exposures, lifted.outcomes, experiment.starts_at + timedelta(days=10), settings
    )
    result = analysis.result("retention_next_week", "challenger")
    first = lifted.exposures["first_exposed_at"].to_pandas().min() + timedelta(days=14)
    assert result.missing == f"no unit seen for 14 days yet, the first on {first:%Y-%m-%d}"
    assert (result.estimate.control_units, result.estimate.treatment_units) == (0, 0)
    row = next(r for r in summarize_analysis(analysis).to_pylist() if r["metric"] == "retention_next_week")
    assert (row["control_units"], row["variant_units"], row["missing"]) == (0, 0, result.missing)
    assert {row[name] for name in ("control_value", "variant_value", "relative_effect", "corrected_p")} == {None}
    assert not row["changed"]
    seen = analysis.result("clicks_per_user", "challenger")
    assert seen.missing is None
    assert seen.estimate.control_units > 0


def test_what_the_site_does_not_measure_is_no_zero(define, lifted, settings):
    place = lifted.outcomes.column_names.index("engaged_seconds")
    nothing = pa.nulls(lifted.outcomes.num_rows, pa.float64())
    outcomes = lifted.outcomes.set_column(place, "engaged_seconds", nothing)
    definitions = define(secondary_metrics=["engaged_seconds_per_user"])
    as_of = definitions.get("ranker").ends_at + timedelta(days=30)
    analysis = analyse_experiment(definitions, "ranker", lifted.exposures, outcomes, as_of, settings)
    result = analysis.result("engaged_seconds_per_user", "challenger")
    assert result.missing == "the site does not measure engaged seconds"
    row = next(r for r in summarize_analysis(analysis).to_pylist() if r["metric"] == "engaged_seconds_per_user")
    assert {row[name] for name in ("control_value", "variant_value", "relative_effect")} == {None}
    assert analysis.result("clicks_per_user", "challenger").missing is None


def test_metrics_without_a_p_value_leave_the_correction_of_the_others_alone(define, lifted, settings):
    as_of = define().get("ranker").starts_at + timedelta(days=10)
    names = ("page_views_per_session", "rejection_rate")
    with_unseen, without = (
        analyse_experiment(
            define(secondary_metrics=(names[0], *more)),
            "ranker",
            lifted.exposures,
            lifted.outcomes,
            as_of,
            settings,
        )
        for more in (("retention_next_week",), ())
    )
    assert isnan(with_unseen.result("retention_next_week", "challenger").corrected_p)
    for name in names:
        assert with_unseen.result(name, "challenger").corrected_p < 1
        assert with_unseen.result(name, "challenger").decisive == without.result(name, "challenger").decisive


@pytest.mark.parametrize("rule", ["fixed", "always_valid", "group_sequential"])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2, 0.4])
@pytest.mark.parametrize("lift", [0.0, 0.03])
def test_intervals_and_p_values_of_the_summary_agree(define, simulate, settings, end, rule, alpha, lift):
    site = simulate(3000, seed=7, lift=lift)
    rows = summarize_analysis(
        analyse_experiment(
            define(decision={"inference": rule, "alpha": alpha, "planned_units": 3000, "looks": 3}),
            "ranker", site.exposures, site.outcomes, end, settings,
        )
    ).to_pylist()  # fmt: skip
    assert len(rows) == 5
    for row in rows:
        for scale in ("absolute", "relative"):
            excluded = row[f"{scale}_low"] > 0 or row[f"{scale}_high"] < 0
            assert excluded == (row["corrected_p"] < alpha), row


def test_an_analysis_is_complete_when_the_longest_window_is(define, lifted, settings):
    experiment = define().get("ranker")
    looks = [
        analyse_experiment(
            define(decision={"inference": "fixed"}), "ranker", lifted.exposures, lifted.outcomes,
            experiment.ends_at + timedelta(days=days), settings,
        )
        for days in (7, 13, 14)
    ]  # fmt: skip
    assert [look.complete for look in looks] == [False, False, True]
    assert [look.decision.verdict for look in looks] == ["go on", "go on", "ship"]


def test_a_quantile_has_its_only_planned_look_at_the_end(define, simulate, settings, end):
    site = simulate(3000)
    definitions = define(
        primary_metric="median_engaged_seconds", decision={"inference": "group_sequential", "planned_units": 3000}
    )
    early, late = (
        analyse_experiment(definitions, "ranker", site.exposures, site.outcomes, at, settings)
        for at in (end - timedelta(days=20), end)
    )
    assert early.result("median_engaged_seconds", "challenger").missing == "before the first planned look"
    assert [look.information for look in late.primary[0].looks] == [1.0]
    assert isfinite(late.primary[0].inference.absolute.low)


def test_the_summary_has_a_row_for_each_metric_and_variant(analysis):
    table = summarize_analysis(analysis)
    assert table["metric"].to_pylist() == list(analysis.metrics)
    assert (
        table["relative_effect"][0].as_py() == analysis.result("clicks_per_user", "challenger").estimate.relative
    )
