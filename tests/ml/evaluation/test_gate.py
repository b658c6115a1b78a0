import numpy as np
import pytest

from ml.evaluation.gate import Contender, Guardrail, decide, elect

RULES = {"metric": "ndcg_at_10", "least_gain": 0.0, "confidence": 0.95, "seed": 1}


def contender(name, mean, **metrics):
    values = np.clip(np.random.default_rng(0).normal(mean, 0.1, 2_000), 0, 1)
    return Contender(
        name, {"model": name}, {"ndcg_at_10": float(values.mean()), "coverage": 0.5, **metrics}, values
    )


def noisy(name, base, shift, seed):
    values = base.per_user + np.random.default_rng(seed).normal(shift, 0.1, len(base.per_user))
    return Contender(name, {"model": name}, {"ndcg_at_10": float(values.mean()), "coverage": 0.5}, values)


CHAMPION = contender("old", 0.3)


def test_a_clear_gain_is_an_improvement():
    verdict = decide(noisy("new", CHAMPION, 0.02, 1), CHAMPION)
    assert (verdict.promote, verdict.kind) == (True, "improvement")


def test_a_gain_within_noise_keeps_the_champion():
    verdict = decide(noisy("new", CHAMPION, 0.001, 3), CHAMPION)
    assert (verdict.promote, verdict.kind) == (False, "kept")
    assert "interval" in verdict.reasons[0]
    assert "no difference that can be told from chance" in verdict.reasons[0]


def test_the_same_configuration_is_a_refresh():
    assert decide(CHAMPION, CHAMPION).kind == "refresh"


def test_a_guardrail_vetoes_a_gain_and_a_refresh():
    rails = [Guardrail("coverage", floor=0.6), Guardrail("coverage", largest_drop=0.1)]
    better = noisy("new", CHAMPION, 0.1, 3)
    assert not decide(better, CHAMPION, rails[:1]).promote
    assert not decide(CHAMPION, CHAMPION, rails[:1]).promote
    narrow = Contender("new", {"model": "new"}, {**better.metrics, "coverage": 0.4}, better.per_user)
    assert "falls from 0.5000 to 0.4000" in decide(narrow, CHAMPION, rails[1:]).reasons[0]


def test_a_guarded_metric_without_a_value_is_a_veto():
    assert not decide(CHAMPION, None, [Guardrail("novelty", floor=1.0)]).promote


def test_the_first_champion_must_reach_the_baseline():
    assert decide(contender("first", 0.4), None, baseline=CHAMPION).kind == "first"
    assert not decide(contender("first", 0.2), None, baseline=CHAMPION).promote


def test_when_no_challenger_passes_the_champion_is_refreshed_and_the_reasons_say_why():
    chosen, verdict = elect([CHAMPION, noisy("new", CHAMPION, 0.003, 1)], {"model": "old"}, "old", [], **RULES)
    assert (chosen.name, verdict.kind) == ("old", "refresh")
    assert any(reason.startswith("new: ") for reason in verdict.reasons)


def test_a_champion_that_was_not_measured_is_an_error():
    with pytest.raises(ValueError, match="was not measured"):
        elect([CHAMPION], {"model": "other"}, "old", [], **RULES)


def test_a_configuration_that_rests_is_passed_over_and_the_next_one_is_tried():
    best, second = noisy("best", CHAMPION, 0.2, 1), noisy("second", CHAMPION, 0.1, 2)
    resting = [(dict(best.configuration), "it rests")]
    chosen, verdict = elect([CHAMPION, best, second], {"model": "old"}, "old", [], **RULES, resting=resting)
    assert (chosen, verdict.kind, verdict.reasons[-1]) == (second, "improvement", "best: it rests")
    everything = [({"model": name}, "one is being tried") for name in ("best", "second", "old")]
    chosen, verdict = elect([CHAMPION, best, second], {"model": "old"}, "old", [], **RULES, resting=everything)
    assert (chosen, verdict.kind) == (CHAMPION, "refresh")
