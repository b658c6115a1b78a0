"""Statistical guarantees at a small scale; tests/benchmarks/experiment_calibration.py checks them in full."""

from datetime import timedelta

import numpy as np
import pytest

from ml.arrays.hashing import bucket_units
from ml.experiments.analysis.estimates import estimate_effect
from ml.experiments.analysis.exposures import resolve_units
from ml.experiments.analysis.inference import infer_single_look
from ml.experiments.analysis.moments import accumulate_moments
from ml.experiments.analysis.outcomes import compute_unit_values, join_outcomes
from ml.experiments.analysis.trajectory import evaluate_looks, trace_cohorts
from ml.experiments.definition.definition import DecisionRule
from ml.experiments.definition.definitions_file import load_metric_library


@pytest.fixture(scope="module")
def population(define, simulate):
    """Units, and the values of two metrics, of a site without any effect."""
    site = simulate(4000, seed=12)
    experiment = define().get("ranker")
    units, _ = resolve_units(site.exposures, experiment)
    metrics = {name: load_metric_library()[name] for name in ("clicks_per_user", "page_views_per_session")}
    measures = tuple(dict.fromkeys(m for metric in metrics.values() for m in metric.measures))
    days = join_outcomes(site.outcomes, units, measures)
    as_of = experiment.ends_at + timedelta(days=14)
    return (
        units,
        {name: compute_unit_values(metric, days, units, as_of) for name, metric in metrics.items()},
        experiment,
    )


@pytest.mark.parametrize("metric", ["clicks_per_user", "page_views_per_session"])
def test_5_of_100_a_a_tests_are_significant(population, metric):
    units, values, _ = population
    hits = 0
    for run in range(400):
        arm = (bucket_units(units.ids, f"aa-{run}") >= 0.5).astype(np.int64)
        estimate = estimate_effect(accumulate_moments(values[metric].columns, arm, (2, 1, 1)), 1)
        hits += infer_single_look(estimate, 0.05).p_value < 0.05
    # Three standard errors of 400 draws at 5%.
    assert hits / 400 == pytest.approx(0.05, abs=0.033)


def test_peeking_every_day_fools_only_the_single_look(population):
    units, values, experiment = population
    cohort = units.cohort_day(experiment.starts_at).astype(np.int64)
    rule = DecisionRule(inference="group_sequential", planned_units=len(units), looks=5)
    fooled = {"single": 0, "always": 0, "planned": 0}
    for run in range(80):
        arm = (bucket_units(units.ids, f"peek-{run}") >= 0.5).astype(np.int64)
        moments = accumulate_moments(values["clicks_per_user"].columns, arm * 28 + cohort, (2, 1, 28))
        points = trace_cohorts(moments, 1, rule, 0.05, minimum_stratum_units=50, burn_in_units=100)
        fooled["single"] += any(point.single_look.p_value < 0.05 for point in points)
        fooled["always"] += any(
            abs(p.always_valid.absolute.value) > p.always_valid.absolute.high - p.estimate.absolute for p in points
        )
        fooled["planned"] += any(look.crossed for look in evaluate_looks(points, rule, 0.05, complete=True))
    assert fooled["single"] / 80 > 0.12
    assert fooled["always"] / 80 <= 0.05
    assert fooled["planned"] / 80 <= 0.125
