from functools import cache

import numpy as np
import pytest

from ml.experiments.rankers.off_policy import LoggedDecisions, doubly_robust, inverse_propensity, self_normalized

N_ACTIONS = 5


def world(seed, n_users=400, decisions=5):
    """A contextual bandit: what was logged, the target's truth, and a reward model that is slightly wrong."""
    rng = np.random.default_rng(seed)
    n = n_users * decisions
    user = np.repeat(np.arange(n_users), decisions)
    context = rng.normal(size=n_users)[user]
    rate = 1 / (1 + np.exp(-(np.outer(context, np.linspace(-1, 1, N_ACTIONS)) - 1)))
    logged = np.exp(rng.normal(size=N_ACTIONS) * 0.5)[None, :] * np.ones((n, 1))
    logged /= logged.sum(axis=1, keepdims=True)
    target = np.exp(2 * rate)
    target /= target.sum(axis=1, keepdims=True)
    action = (rng.random((n, 1)) > logged.cumsum(axis=1)).sum(axis=1).clip(max=N_ACTIONS - 1)
    row = np.arange(n)
    reward = (rng.random(n) < rate[row, action]).astype(float)
    log = LoggedDecisions(reward, logged[row, action], target[row, action], user)
    model = 0.8 * rate + 0.1
    return log, model[row, action], (target * model).sum(axis=1), truth_of_the_target()


@cache
def truth_of_the_target():
    """Over contexts of new users, so that an interval must cover the draw of the users too."""
    contexts = np.random.default_rng(99).normal(size=500_000)
    rate = 1 / (1 + np.exp(-(np.outer(contexts, np.linspace(-1, 1, N_ACTIONS)) - 1)))
    target = np.exp(2 * rate)
    return ((target / target.sum(axis=1, keepdims=True)) * rate).sum(axis=1).mean()


def test_hand_worked_values():
    log = LoggedDecisions(
        np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.5]), np.arange(4)
    )
    # Weights 2, 2, 0, 1.
    assert inverse_propensity(log).value == 0.5
    assert self_normalized(log).value == pytest.approx(2 / 5)
    assert self_normalized(log).effective_decisions == pytest.approx(25 / 9)
    assert self_normalized(log).mean_weight == 1.25
    estimate = doubly_robust(log, np.full(4, 0.5), np.full(4, 0.6))
    # 0.6 + (2·0.5 - 2·0.5 + 0 - 1·0.5) / 4
    assert estimate.value == pytest.approx(0.6 - 0.125)


@pytest.mark.parametrize("method", ["IPS", "SNIPS", "DR"])
def test_intervals_hold_the_truth_in_95_of_100(method):
    covered = 0
    for seed in range(200):
        log, predicted, expected, truth = world(seed)
        estimate = {
            "IPS": lambda log=log: inverse_propensity(log),
            "SNIPS": lambda log=log: self_normalized(log),
            "DR": lambda log=log, p=predicted, e=expected: doubly_robust(log, p, e),
        }[method]()
        covered += estimate.low <= truth <= estimate.high
        assert estimate.mean_weight == pytest.approx(1, abs=0.25)
    assert 0.90 <= covered / 200 <= 0.99


def test_a_reward_model_narrows_the_interval():
    log, predicted, expected, _ = world(0)
    plain, robust = inverse_propensity(log), doubly_robust(log, predicted, expected)
    assert robust.high - robust.low < plain.high - plain.low


def test_dependent_decisions_of_a_user_widen_the_interval():
    log, *_ = world(1)
    alone = LoggedDecisions(log.reward, log.logged, log.target, np.arange(len(log.reward)))
    assert self_normalized(log).high > self_normalized(alone).high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logged": np.array([0.5, 0.0])}, "must lie in"),
        ({"target": np.array([0.5, 1.2])}, "target propensities"),
        ({"reward": np.array([1.0])}, "same length"),
        ({"reward": np.array([])}, "no decisions"),
    ],
)
def test_a_log_that_cannot_be_used_is_refused(change, message):
    good = {"reward": np.ones(2), "logged": np.full(2, 0.5), "target": np.full(2, 0.5), "cluster": np.arange(2)}
    with pytest.raises(ValueError, match=message):
        LoggedDecisions(**{**good, **change})
