"""GrowthBook's engine as an oracle; gbstats_oracle.py made its answers in an environment of its own."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.experiments.analysis.estimates import estimate_effect, run_welch_test
from ml.experiments.analysis.inference import infer_always_valid, infer_bayesian
from ml.experiments.analysis.moments import Moments

ORACLE = json.loads(Path(__file__).with_name("gbstats_oracle.json").read_text())
# With CUPED gbstats takes relative effects of the unadjusted mean of the control, we of the adjusted one.
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
    found = run_welch_test(moments_of(case), 1, 0.05, cuped=True)
    expected = case["gbstats"]["welch_absolute"]
    assert found.effect_size == pytest.approx(expected["value"], rel=1e-9)
    assert [found.effect_size_ci_lower, found.effect_size_ci_upper] == pytest.approx(
        expected["interval"], rel=1e-9
    )
    assert found.pvalue == pytest.approx(expected["p"], rel=1e-7, abs=1e-12)


@CASES
def test_the_always_valid_interval_is_the_same(case):
    found = infer_always_valid(
        estimate_effect(moments_of(case), 1), 0.05, ORACLE["planned_units"], burn_in_units=10
    )
    expected = case["gbstats"]["sequential_absolute"]
    assert [found.absolute.low, found.absolute.high] == pytest.approx(expected["interval"], rel=1e-9)
    assert found.p_value == pytest.approx(expected["p"], rel=1e-6, abs=1e-12)


@PLAIN
def test_the_always_valid_relative_interval_is_the_same(case):
    found = infer_always_valid(
        estimate_effect(moments_of(case), 1), 0.05, ORACLE["planned_units"], burn_in_units=10
    )
    expected = case["gbstats"]["sequential_relative"]
    assert [found.relative.low, found.relative.high] == pytest.approx(expected["interval"], rel=1e-9)


@PLAIN
def test_the_bayesian_reading_is_the_same(case):
    found = infer_bayesian(estimate_effect(moments_of(case), 1), 0.05, ORACLE["prior_sd"], higher_is_better=True)
    expected = case["gbstats"]["bayesian_relative"]
    assert found.relative.value == pytest.approx(expected["value"], rel=1e-9)
    assert [found.relative.low, found.relative.high] == pytest.approx(expected["interval"], rel=1e-9)
    assert found.probability_better == pytest.approx(expected["probability_better"], rel=1e-9)
    assert found.expected_loss == pytest.approx(expected["loss"], rel=1e-6, abs=1e-12)
