import pytest

from ml.experiments.analysis.decision import (
    PrimaryEvidence,
    apply_decision_rule,
    describe_decision_rule,
    judge_guardrail,
)
from ml.experiments.analysis.inference import EffectInterval, InferenceResult
from ml.experiments.definition.definition import GuardrailMetric


def inference(low, high):
    value = (low + high) / 2
    return InferenceResult(EffectInterval(10 * value, 10 * low, 10 * high), EffectInterval(value, low, high), 0.01)


def evidence(low, high, *, higher=True):
    return PrimaryEvidence("challenger", inference(low, high), higher)


def verdict(define, *bounds, higher=True, days=20, complete=False, guardrails=(), alarm=False, **changes):
    experiment = define(**changes).get("ranker")
    decision = apply_decision_rule(
        experiment,
        [evidence(*bounds, higher=higher)],
        guardrails,
        sample_ratio_alarm=alarm,
        days_run=days,
        complete=complete,
    )
    return decision.verdict


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(-0.02, 0.03, "held"), (-0.08, -0.06, "breached"), (-0.09, 0.02, "open"), (-0.09, -0.01, "worse")],
)
def test_a_guardrail_is_judged_by_the_bounds_of_the_harm(low, high, state):
    judged = judge_guardrail(
        GuardrailMetric(metric="m", margin=0.05), "challenger", inference(low, high), higher_is_better=True
    )
    assert judged.state == state
    mirrored = judge_guardrail(
        GuardrailMetric(metric="m", margin=0.05), "challenger", inference(-high, -low), higher_is_better=False
    )
    assert mirrored.state == state


def test_the_rule_decides(define):
    assert verdict(define, 0.01, 0.05) == "ship"
    assert verdict(define, 0.01, 0.05, days=3) == "go on"
    assert verdict(define, -0.01, 0.05) == "go on"
    assert verdict(define, -0.01, 0.05, complete=True) == "stop"
    assert verdict(define, -0.05, -0.01) == "stop"
    # The minimum detectable effect is 3%, so no relevant gain remains.
    assert verdict(define, -0.01, 0.02) == "stop"
    assert verdict(define, 0.01, 0.05, alarm=True) == "stop"


def test_for_a_metric_that_should_fall_the_sides_change(define):
    assert verdict(define, -0.05, -0.01, higher=False) == "ship"
    assert verdict(define, 0.01, 0.05, higher=False) == "stop"


def test_guardrails_bind_as_the_rule_says(define):
    def judged(low, high):
        return [
            judge_guardrail(
                GuardrailMetric(metric="m", margin=0.05), "challenger", inference(low, high), higher_is_better=True
            )
        ]

    strict = {"decision": {"guardrails": "held"}}
    assert verdict(define, 0.01, 0.05, guardrails=judged(-0.2, -0.1)) == "stop"
    assert verdict(define, 0.01, 0.05, guardrails=judged(-0.09, 0.02)) == "ship"
    assert verdict(define, 0.01, 0.05, guardrails=judged(-0.09, 0.02), **strict) == "go on"
    assert verdict(define, 0.01, 0.05, guardrails=judged(-0.09, 0.02), complete=True, **strict) == "stop"
    assert verdict(define, 0.01, 0.05, guardrails=judged(-0.01, 0.02), **strict) == "ship"


def test_a_single_look_is_evaluated_only_at_the_end(define):
    fixed = {"decision": {"inference": "fixed"}}
    assert verdict(define, 0.01, 0.05, **fixed) == "go on"
    assert verdict(define, 0.01, 0.05, complete=True, **fixed) == "ship"


def test_the_better_of_two_winners_is_shipped(define):
    experiment = define().get("ranker")
    winners = [
        PrimaryEvidence("a", inference(0.01, 0.03), True),
        PrimaryEvidence("b", inference(0.02, 0.06), True),
    ]
    decision = apply_decision_rule(experiment, winners, (), sample_ratio_alarm=False, days_run=20, complete=False)
    assert (decision.verdict, decision.variant) == ("ship", "b")


def test_the_rule_can_be_read(define):
    words = describe_decision_rule(define().get("ranker"))
    assert "always-valid interval" in words
    assert "clicks_per_user (level 95%)" in words
    assert "a gain of 3.0%" in words
