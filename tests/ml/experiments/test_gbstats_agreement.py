"""Results equal those of GrowthBook's engine, which gbstats_oracle.py computed in a separate environment."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.experiments.analysis.estimates import estimate_effect, run_welch_test
from ml.experiments.analysis.inference import infer_always_valid, infer_bayesian
from ml.experiments.analysis.moments import Moments

ORACLE = json.loads(Path(__file__).with_name("gbstats_oracle.json").read_text())
# With CUPED, gbstats relates effects to the unadjusted mean of the control, Tessera to the adjusted mean.
PLAIN = pytest.mark.parametrize(
    "case",
    [case for case in ORACLE["cases"] if "covariate" not in case["control"]["sum"]],
    ids=lambda case: case["name"],
)
CASES = pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: case["name"])


def moments_of(case):
    arms = [case["control"], case["treatment"]]
    names = tuple(arms[0]["sum"])
    return Moments(
        names,
        np.zeros(len(names)),
        np.array([arm["n"] for arm in arms], float).reshape(2, 1, 1),
        np.array([[arm["sum"][a] for a in names] for arm in arms]).reshape(2, 1, 1, -1),
        np.array([[[arm["products"][f"{a}*{b}"] for b in names] for a in names] for arm in arms]).reshape(
            2, 1, 1, len(names), len(names)
        ),
    )


@CASES
def test_welchs_interval_is_the_same(case):
    result = run_welch_test(moments_of(case), 1, 0.05, cuped=True)
    expected = case["gbstats"]["welch_absolute"]
    assert result.effect_size == pytest.approx(expected["value"], rel=1e-9)
    assert [result.effect_size_ci_lower, result.effect_size_ci_upper] == pytest.approx(
        expected["interval"], rel=1e-9
    )
    assert result.pvalue == pytest.approx(expected["p"], rel=1e-7, abs=1e-12)


@CASES
def test_the_always_valid_interval_is_the_same(case):
    result = infer_always_valid(
        estimate_effect(moments_of(case), 1), 0.05, ORACLE["planned_units"], burn_in_units=10
    )
    expected = case["gbstats"]["sequential_absolute"]
    assert [result.absolute.low, result.absolute.high] == pytest.approx(expected["interval"], rel=1e-9)
    assert result.p_value == pytest.approx(expected["p"], rel=1e-6, abs=1e-12)


@PLAIN
def test_the_relative_standard_error_is_the_same(case):
    """GrowthBook's relative interval is symmetric, which a p-value of the difference need not agree with."""
    estimate = estimate_effect(moments_of(case), 1)
    absolute = infer_always_valid(estimate, 0.05, ORACLE["planned_units"], burn_in_units=10).absolute
    width = (absolute.high - absolute.value) / estimate.standard_error * estimate.relative_standard_error
    expected = case["gbstats"]["sequential_relative"]
    assert [estimate.relative - width, estimate.relative + width] == pytest.approx(expected["interval"], rel=1e-9)


@PLAIN
def test_the_bayesian_result_is_the_same(case):
    result = infer_bayesian(estimate_effect(moments_of(case), 1), 0.05, ORACLE["prior_sd"], higher_is_better=True)
    expected = case["gbstats"]["bayesian_relative"]
    assert result.relative.value == pytest.approx(expected["value"], rel=1e-9)
    assert [result.relative.low, result.relative.high] == pytest.approx(expected["interval"], rel=1e-9)
    assert result.probability_better == pytest.approx(expected["probability_better"], rel=1e-9)
    assert result.expected_loss == pytest.approx(expected["loss"], rel=1e-6, abs=1e-12)
