"""The interval at level 1 - alpha excludes zero exactly if the p-value is below alpha, at every level."""

from math import isnan, sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats import proportion

from ml.experiments.analysis.corrections import control_false_discoveries, share_level
from ml.experiments.analysis.estimates import EffectEstimate
from ml.experiments.analysis.inference import always_valid_test, infer_always_valid, single_look_test
from ml.experiments.analysis.trajectory import TrajectoryPoint, evaluate_looks, group_sequential_test
from ml.experiments.definition.definition import DecisionRule

ALPHAS = st.floats(1e-6, 0.45)
VARIANCES = st.floats(1e-6, 4.0)
ESTIMATES = st.builds(
    EffectEstimate,
    st.floats(-3, 3),
    st.floats(-3, 3),
    VARIANCES,
    VARIANCES,
    st.integers(50, 20_000),
    st.integers(50, 20_000),
)
KINDS = ("fixed", "always_valid", "group_sequential")


def build_test(kind, estimate, spending="obrien_fleming"):
    if kind == "fixed":
        return single_look_test(estimate)
    if kind == "always_valid":
        return always_valid_test(estimate, 10_000, 200, 0.05)
    rule = DecisionRule(inference=kind, planned_units=max(3 * estimate.units, 100), looks=3, spending=spending)
    half = EffectEstimate(
        estimate.control,
        estimate.treatment,
        2 * estimate.control_variance,
        2 * estimate.treatment_variance,
        estimate.control_units // 2,
        estimate.treatment_units // 2,
    )
    points = [TrajectoryPoint(day, entry, None, None) for day, entry in enumerate((half, estimate))]
    return group_sequential_test(
        evaluate_looks(points, rule, 0.05, complete=True), estimate, rule, may_stop=spending == "pocock"
    )


def excludes_zero(interval):
    return interval.low > 0 or interval.high < 0


def assert_agreement(inference, alpha):
    if abs(inference.p_value - alpha) <= 1e-9 * alpha:  # equal but for rounding
        return
    assert excludes_zero(inference.absolute) == (inference.p_value < alpha)
    if not isnan(inference.relative.low):
        assert excludes_zero(inference.relative) == (inference.p_value < alpha)


@pytest.mark.parametrize("kind", KINDS)
@given(estimate=ESTIMATES, alpha=ALPHAS)
@settings(max_examples=60, deadline=None)
def test_every_kind_of_inference_agrees_at_every_level(kind, estimate, alpha):
    assume(estimate.control)
    for spending in ("obrien_fleming", "pocock") if kind == "group_sequential" else ("obrien_fleming",):
        assert_agreement(build_test(kind, estimate, spending).infer(alpha), alpha)


@pytest.mark.parametrize("correct", [share_level, control_false_discoveries])
@pytest.mark.parametrize("kind", KINDS)
@given(estimates=st.lists(ESTIMATES, min_size=1, max_size=4), alpha=ALPHAS)
@settings(max_examples=25, deadline=None)
def test_every_correction_keeps_the_agreement(correct, kind, estimates, alpha):
    tests = [build_test(kind, estimate) for estimate in estimates]
    for corrected in correct(tests, alpha):
        assert_agreement(corrected.inference, alpha)


def test_the_interval_that_contradicted_its_p_value_agrees_with_it_now():
    # A share of .19 that falls by 4.3%: the symmetric relative interval excluded 0 although p was above .05.
    estimate = EffectEstimate(0.1902, 0.1820, 0.1902 * 0.8098 / 44_700, 0.1820 * 0.8180 / 45_489, 44_700, 45_489)
    for planned in range(5_000, 200_000, 5_000):
        for alpha in (0.01, 0.02, 0.05, 0.1):
            assert_agreement(infer_always_valid(estimate, alpha, planned, 200, 0.05), alpha)


def test_a_single_look_at_proportions_equals_statsmodels():
    shares, units = (8_502 / 44_700, 8_279 / 45_489), (44_700, 45_489)
    variances = [share * (1 - share) / count for share, count in zip(shares, units, strict=True)]
    inference = single_look_test(EffectEstimate(*shares, *variances, *units)).infer(0.05)
    counts = (8_279, units[1], 8_502, units[0])
    expected = proportion.test_proportions_2indep(*counts, compare="diff", method="wald")
    low, high = proportion.confint_proportions_2indep(*counts, compare="diff", method="wald")
    assert inference.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (inference.absolute.low, inference.absolute.high) == pytest.approx((low, high), rel=1e-9)


def test_the_relative_interval_is_fiellers():
    # Control 10 and treatment 12 with variances 1 and 4 at z = 1: (100 - 1) r² - 240 r + (144 - 4) = 0.
    inference = single_look_test(EffectEstimate(10.0, 12.0, 1.0, 4.0, 100, 100)).infer(2 * float(norm.sf(1)))
    root = sqrt(240**2 - 4 * 99 * 140)
    assert inference.relative.low == pytest.approx((240 - root) / 198 - 1, rel=1e-9)
    assert inference.relative.high == pytest.approx((240 + root) / 198 - 1, rel=1e-9)


def test_a_control_near_zero_leaves_the_relative_interval_open_on_one_side():
    relative = single_look_test(EffectEstimate(0.1, 3.0, 0.01, 0.01, 100, 100)).infer(0.05).relative
    assert relative.low > 0
    assert relative.high == float("inf")


def test_a_test_without_a_p_value_is_left_out_of_the_correction():
    certain = EffectEstimate(1.0, 1.3, 0.01, 0.01, 500, 500)
    unseen = EffectEstimate(float("nan"), float("nan"), float("nan"), float("nan"), 0, 0)
    for correct in (share_level, control_false_discoveries):
        alone, missing = correct([single_look_test(certain), single_look_test(unseen)], 0.05)
        assert alone.inference == single_look_test(certain).infer(0.05)
        assert isnan(missing.inference.p_value)


def test_corrected_p_values_and_intervals_are_those_worked_out_by_hand():
    # z of 3, 2 and 1 with a standard error of 1: p .0026998, .0455003 and .3173105.
    tests = [single_look_test(EffectEstimate(10.0, 10.0 + z, 0.5, 0.5, 100, 100)) for z in (3.0, 2.0, 1.0)]
    shared = share_level(tests, 0.05)
    assert [entry.inference.p_value for entry in shared] == pytest.approx(
        [0.0080994, 0.1365008, 0.9519315], abs=1e-6
    )
    # .05 / 3 at each test: z 2.39398.
    assert shared[1].inference.absolute.low == pytest.approx(2 - 2.39398, abs=1e-5)
    controlled = control_false_discoveries(tests, 0.05)
    assert [e.inference.p_value for e in controlled] == pytest.approx([0.0080994, 0.0682504, 0.3173105], abs=1e-6)
    # One of three is significant, so the intervals have the level 1 - .05 / 3 as well.
    assert controlled[1].inference.absolute.low == pytest.approx(2 - 2.39398, abs=1e-5)
    # At .1 two of three are: the level is 1 - .2 / 3, z 1.83391.
    assert control_false_discoveries(tests, 0.1)[1].inference.absolute.low == pytest.approx(2 - 1.83391, abs=1e-5)
