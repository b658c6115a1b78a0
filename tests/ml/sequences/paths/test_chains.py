"""Chains against sums by hand and against the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.sequences.paths.absorption import absorb
from ml.sequences.paths.chains import MarkovChain
from ml.sequences.paths.choice import choose_chain
from ml.sequences.paths.intervals import percentile_interval, resample
from ml.sequences.paths.paths import Paths, build_paths
from tests.ml.sequences.paths.slow_chain import Path, SlowChain, conversion_by_matrix

BY_HAND = ([("a", "b"), ("a",), ("b",), ("a", "b")], [True, False, False, False])
EXAMPLES = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple), st.booleans()),
    min_size=1,
    max_size=25,
)


def paths_of(steps: list[Path], converted: list[bool], people: list[int] | None = None) -> Paths:
    return build_paths(
        np.repeat(np.arange(len(steps)), [len(path) for path in steps]),
        [state for path in steps for state in path],
        np.array(converted),
        np.array(people if people is not None else range(len(steps))),
    )


def figures(paths: Paths, order: int, smooths: bool = False):
    return absorb(MarkovChain.fit(paths, order, smooths=smooths).transitions(), len(paths.states))


def of_states(paths: Paths, values: np.ndarray) -> dict[str, float]:
    return dict(zip(paths.states, values.tolist(), strict=True))


def test_a_chain_of_four_paths_has_the_figures_that_one_works_out_by_hand():
    # Three of four begin with a. From a, two of three go to b; from b, one of three converts.
    paths = paths_of(*BY_HAND)
    absorption = figures(paths, 1)
    assert absorption.conversion == pytest.approx(1 / 4)
    assert of_states(paths, absorption.chance) == pytest.approx({"a": 2 / 9, "b": 1 / 3})
    assert of_states(paths, absorption.chance_if_staying) == pytest.approx({"a": 1 / 3, "b": 1.0})
    assert of_states(paths, absorption.steps) == pytest.approx({"a": 5 / 3, "b": 1.0})
    assert of_states(paths, absorption.visits) == pytest.approx({"a": 3 / 4, "b": 3 / 4})
    assert of_states(paths, absorption.exits) == pytest.approx({"a": 1 / 4, "b": 1 / 2})
    # Without a, only the quarter that begins with b is left: 1/4 · 1/3 = 1/12 instead of 1/4.
    assert of_states(paths, absorption.removal) == pytest.approx({"a": 2 / 3, "b": 1.0})


def test_a_smoothed_chain_has_the_shares_that_one_works_out_by_hand():
    chain = MarkovChain.fit(paths_of(*BY_HAND), 1)
    transitions = chain.transitions()
    b = int(np.flatnonzero(transitions.state == chain.states.index("b"))[0])
    # Kinds of all ten moves: six go on, one converts, three leave; three kinds on the uniform third.
    converts = (1 + 3 * (1 / 3)) / (10 + 3)
    # After b: one of three converts, two leave, so two kinds lean on the shares of all moves.
    assert transitions.converts[b] == pytest.approx((1 + 2 * converts) / (3 + 2))
    # Targets after the start: a three times, b once; after a: b twice. One number is 1 and one is 2: D = 1/3.
    # Each longer context counts a target once: a after one context, b after two; D is 1/3 there too.
    start = transitions.start
    target_a = (1 - 1 / 3 + 2 * (1 / 3) * (1 / 2)) / 3
    a = int(np.flatnonzero(transitions.state == chain.states.index("a"))[0])
    goes_on = (4 + 1 * (6 + 3 / 3) / 13) / (4 + 1)
    expected = goes_on * (3 - 1 / 3 + 2 * (1 / 3) * target_a) / 4
    assert transitions.moves[start, a] == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(examples=EXAMPLES, late=EXAMPLES, order=st.integers(1, 4))
def test_a_smoothed_chain_scores_as_the_slow_one(examples, late, order):
    steps, converted = map(list, zip(*examples, strict=True))
    paths = paths_of(steps, converted)
    known = [(path, done) for path, done in late if set(path) <= set(paths.states)]
    slow = SlowChain(steps, converted, order, list(paths.states))
    chain = MarkovChain.fit(paths, order)
    for path, done in known:
        one = paths_of([path], [done])
        codes = np.array([paths.states.index(one.states[code]) for code in one.codes])
        scored = chain.score(Paths(paths.states, codes, one.offsets, one.converted, one.people))
        assert scored[0] == pytest.approx(slow.score(path, done))


@settings(max_examples=60, deadline=None)
@given(examples=EXAMPLES, order=st.integers(1, 4))
def test_observed_shares_give_back_what_was_observed(examples, order):
    steps, converted = map(list, zip(*examples, strict=True))
    paths = paths_of(steps, converted)
    absorption = figures(paths, order)
    assert absorption.conversion == pytest.approx(np.mean(converted))
    assert absorption.visits == pytest.approx(np.bincount(paths.codes) / len(paths))
    assert absorption.exits.sum() + absorption.conversion == pytest.approx(1)
    if any(converted):
        for state, removal in of_states(paths, absorption.removal).items():
            left = conversion_by_matrix(steps, converted, order, without=state)
            assert removal == pytest.approx(1 - left / absorption.conversion, abs=1e-9)
    else:
        assert np.isnan(absorption.removal).all()


@settings(max_examples=40, deadline=None)
@given(examples=EXAMPLES, order=st.integers(1, 4), minimum=st.integers(1, 4), smooths=st.booleans())
def test_what_comes_next_has_probabilities_that_add_up_to_one(examples, order, minimum, smooths):
    steps, converted = map(list, zip(*examples, strict=True))
    paths = paths_of(steps, converted)
    chain = MarkovChain.fit(paths, order, minimum, smooths)
    transitions = chain.transitions()
    whole = transitions.moves.sum(axis=1) + transitions.converts + transitions.leaves
    assert whole == pytest.approx(np.ones(len(whole)))
    absorption = absorb(transitions, len(paths.states))
    assert absorption.exits.sum() + absorption.conversion == pytest.approx(
        1 - transitions.leaves[transitions.start]
    )
    defined = absorption.removal[~np.isnan(absorption.removal)]
    assert ((defined > -1e-9) & (defined < 1 + 1e-9)).all()


def walk(order: int, paths: int, seed: int) -> Paths:
    """Paths over three states in which the next one follows from the last `order` ones, apart from some noise."""
    random = np.random.default_rng(seed)
    steps, converted = [], []
    for _ in range(paths):
        path = [int(state) for state in random.integers(0, 3, order)]
        while random.random() < 0.85:
            path.append((path[-order] + 1) % 3 if random.random() < 0.7 else int(random.integers(0, 3)))
        steps.append(tuple("abc"[state] for state in path))
        converted.append(bool(random.random() < (0.5 if path[-1] == 0 else 0.1)))
    return paths_of(steps, converted)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_order_of_a_chain_is_that_of_the_walk(order):
    chain, trials = choose_chain(walk(order, 1_500, seed=order), most=4, minimum=5)
    assert chain.order == order
    assert [trial.order for trial in trials if trial.is_chosen] == list(range(1, order + 1))


def test_a_chain_of_one_path_is_of_order_one():
    chain, trials = choose_chain(paths_of([("a", "b")], [True]), most=4)
    assert (chain.order, trials) == (1, [])


def test_a_longer_context_that_is_rare_is_not_told_apart():
    paths = walk(2, 300, seed=1)
    assert len(MarkovChain.fit(paths, 2, minimum=10**6).transitions().converts) == 3 + 1


def test_the_interval_of_the_conversion_rate_is_that_of_a_share():
    random = np.random.default_rng(3)
    converted = (random.random(2_000) < 0.2).tolist()
    paths = paths_of([("a",)] * 2_000, converted)
    draws = resample(MarkovChain.fit(paths, 1), paths, 300, seed=0).conversion
    low, high = percentile_interval(draws[:, None])
    share = float(np.mean(converted))
    error = np.sqrt(share * (1 - share) / 2_000)
    assert low[0] == pytest.approx(share - 1.96 * error, abs=0.35 * error)
    assert high[0] == pytest.approx(share + 1.96 * error, abs=0.35 * error)


def test_paths_of_one_person_are_resampled_together():
    converted = [True, False] * 200
    alone = paths_of([("a",)] * 400, converted, list(range(400)))
    shared = paths_of([("a",)] * 400, sorted(converted), [number // 20 for number in range(400)])
    chain = MarkovChain.fit(alone, 1)
    spread = [np.std(resample(chain, paths, 200, seed=0).conversion) for paths in (alone, shared)]
    # Twenty people with twenty paths each, alike in their outcome: a variance twenty times as large.
    assert spread[1] / spread[0] == pytest.approx(np.sqrt(20), rel=0.25)
