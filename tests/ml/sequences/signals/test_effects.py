import numpy as np
import pytest
import statsmodels.api as sm

from ml.sequences.signals.effects import e_value, estimate_effect, find_proxies, take_out

VISITS = 40_000


def estimate(treatment, outcome, covariates, people, proxies=None):
    columns = [treatment, outcome] if proxies is None else [treatment, outcome, *proxies.T]
    left = take_out(np.column_stack(columns).astype(float), covariates, people, 1)
    return estimate_effect(
        treatment.astype(float), outcome.astype(float), left[:, 0], left[:, 1], left[:, 2:], people
    )


@pytest.fixture(scope="module")
def confounded():
    """Visits of which one kind acts and converts more often; the action itself adds half."""
    generator = np.random.default_rng(1)
    kind = generator.random(VISITS) < 0.4
    acts = generator.random(VISITS) < np.where(kind, 0.4, 0.1)
    converts = generator.random(VISITS) < np.where(kind, 0.12, 0.04) * np.where(acts, 1.5, 1.0)
    return acts, converts, kind[:, None].astype(float), np.arange(VISITS) // 2


def test_what_is_known_of_a_visit_is_taken_out(confounded):
    acts, converts, kind, people = confounded
    effect = estimate(acts, converts, kind, people)
    raw = converts[acts].mean() / converts[~acts].mean() - 1
    assert effect.low < 0.5 < effect.high
    assert effect.high - effect.low < 0.35
    assert raw > effect.high


def test_the_effect_is_that_of_a_regression_with_errors_over_people(confounded):
    acts, converts, kind, people = confounded
    design = np.column_stack([np.ones(VISITS), acts, kind])
    fitted = sm.OLS(converts.astype(float), design).fit(cov_type="cluster", cov_kwds={"groups": people})
    effect = estimate(acts, converts, kind, people)
    assert effect.lift * effect.base == pytest.approx(fitted.params[1], rel=0.02)
    assert effect.p_value == pytest.approx(fitted.pvalues[1], rel=0.2)


def test_an_interval_holds_the_truth_in_19_of_20_draws():
    holds = []
    for seed in range(120):
        generator = np.random.default_rng(seed)
        acts = generator.random(3000) < 0.2
        converts = generator.random(3000) < np.where(acts, 0.15, 0.1)
        effect = estimate(acts, converts, np.zeros((3000, 1)), np.arange(3000))
        holds.append(effect.low < 0.5 < effect.high)
    assert np.mean(holds) == pytest.approx(0.95, abs=0.045)  # two standard errors of 120 draws are .04


@pytest.fixture(scope="module")
def hidden():
    """A hidden intent drives a decoy, two other actions and the conversion, which one action of four raises."""
    generator = np.random.default_rng(2)
    n = 4 * VISITS
    urge = np.exp(0.5 * np.clip(generator.normal(size=n), -2, 2) - 0.125)
    decoy, search, reversal = (
        generator.random(n) < np.minimum(rate * urge**2, 0.9) for rate in (0.15, 0.08, 0.12)
    )
    zoom = generator.random(n) < 0.15
    converts = generator.random(n) < np.minimum(0.06 * urge * np.where(zoom, 1.5, 1.0), 0.95)
    return np.column_stack([decoy, search, reversal, zoom]), converts


def test_the_proxies_of_a_decoy_are_the_actions_that_share_its_intent(hidden):
    actions, converts = hidden
    left, outcome = actions - actions.mean(axis=0), converts - converts.mean()
    assert set(find_proxies(left[:, 0], left[:, 1:], outcome)) == {0, 1}
    assert find_proxies(left[:, 3], left[:, :3], outcome) == ()


def test_a_hidden_intent_is_taken_out_by_its_proxies(hidden):
    actions, converts = hidden
    nothing, people = np.zeros((len(converts), 1)), np.arange(len(converts))
    alone = estimate(actions[:, 0], converts, nothing, people)
    adjusted = estimate(actions[:, 0], converts, nothing, people, actions[:, 1:3])
    assert alone.low > 0.2  # without the proxies the decoy would be found
    assert adjusted.low < 0.0 < adjusted.high
    assert adjusted.high < 0.35
    zoom = estimate(actions[:, 3], converts, nothing, people)
    assert zoom.low < 0.5 < zoom.high


def test_a_part_of_the_treatment_is_no_proxy():
    generator = np.random.default_rng(3)
    starts = generator.random(5000) < 0.2
    submits = starts & (generator.random(5000) < 0.7)
    outcome = starts - starts.mean()
    assert find_proxies(outcome, (submits - submits.mean())[:, None], outcome) == ()


def test_without_a_treatment_or_a_conversion_there_is_no_effect():
    nothing, some = np.zeros(100), np.arange(100) % 2
    people = np.arange(100)
    assert estimate(nothing, some, np.zeros((100, 1)), people) is None
    assert estimate(some, nothing, np.zeros((100, 1)), people) is None


def test_the_e_value_is_that_of_the_formula():
    assert e_value(2.0) == pytest.approx(2 + 2**0.5)
    assert e_value(0.5) == pytest.approx(e_value(2.0))
    assert e_value(1.0) == 1.0
