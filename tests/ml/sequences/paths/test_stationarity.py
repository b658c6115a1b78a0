"""Whether groups move alike: the statistic against SciPy's, its level where they do, its power where not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from ml.sequences.paths.chains import MarkovChain, MoveIndex
from ml.sequences.paths.contexts import DistinctMoves
from ml.sequences.paths.groups import GroupChain
from ml.sequences.paths.paths import Paths
from ml.sequences.paths.stationarity import GroupComparison, compare_groups, likelihood_ratio, number_groups
from tests.ml.sequences.paths.test_chains import paths_of


def fit_group(base: MarkovChain, paths: Paths, inside: np.ndarray) -> GroupChain:
    return GroupChain.fit(base, MoveIndex.of(paths, base.levels), inside)


def test_the_likelihood_ratio_is_that_of_scipy_for_each_context():
    random = np.random.default_rng(0)
    counts = random.integers(20, 60, (3, 2, 4)).astype(float)
    statistic, degrees = likelihood_ratio(counts, np.ones((2, 4), dtype=bool))
    scipys = [chi2_contingency(counts[:, context], lambda_="log-likelihood") for context in range(2)]
    assert statistic == pytest.approx(sum(result.statistic for result in scipys))
    assert degrees == sum(result.dof for result in scipys) == 12


def test_rare_outcomes_of_a_context_are_one_outcome():
    counts = np.array([[[40.0, 30.0, 2.0, 1.0]], [[20.0, 50.0, 1.0, 3.0]]])
    statistic, degrees = likelihood_ratio(counts, np.array([[True, True, False, False]]))
    together = np.array([[40.0, 30.0, 3.0], [20.0, 50.0, 4.0]])
    assert statistic == pytest.approx(chi2_contingency(together, lambda_="log-likelihood").statistic)
    assert degrees == 2


def people_with_habits(people: int, visits: int, seed: int, pull: float = 0.0) -> tuple[Paths, list[str]]:
    """Visits of people who each prefer a page; those of the second group go to c more often by `pull`."""
    random = np.random.default_rng(seed)
    groups = ["even", "odd"]
    steps, converted, owners, labels = [], [], [], []
    for visit in range(people * visits):
        person = visit % people
        habit = np.random.default_rng((seed, person)).dirichlet([2.0, 2.0, 2.0])
        shares = habit + np.array([0, 0, pull * (person % 2)])
        length = 1 + int(random.poisson(2))
        steps.append(tuple(random.choice(list("abc"), length, p=shares / shares.sum())))
        converted.append(bool(random.random() < 0.1))
        owners.append(person)
        labels.append(groups[person % 2])
    return paths_of(steps, converted, owners), labels


def compare(paths: Paths, labels: list[str]) -> GroupComparison:
    chains = {"page": MarkovChain.fit(paths, 1)}
    (comparison,) = compare_groups({"page": paths}, chains, {"device": labels}, minimum_people=5, seed=0)
    return comparison


def test_people_who_move_alike_are_told_apart_as_rarely_as_the_level_says():
    levels, labels = {}, []
    for seed in range(60):
        levels[f"site {seed}"], labels = people_with_habits(40, 12, seed)
    chains = {name: MarkovChain.fit(paths, 1) for name, paths in levels.items()}
    comparisons = compare_groups(levels, chains, {"device": labels}, minimum_people=5, seed=0)
    assert len(comparisons) == 60
    p_values = np.array([comparison.p_value for comparison in comparisons])
    uncorrected = np.array([chi2.sf(comparison.statistic, comparison.degrees) for comparison in comparisons])
    assert (uncorrected < 0.05).mean() > 0.2  # habits alone inflate the ratio
    assert (p_values < 0.05).mean() <= 0.1
    assert np.median(p_values) == pytest.approx(0.5, abs=0.2)


def test_people_who_move_otherwise_have_chains_of_their_own():
    paths, labels = people_with_habits(100, 10, seed=1, pull=1.0)
    comparison = compare(paths, labels)
    assert comparison.groups == ("even", "odd")
    assert comparison.differs
    odd = paths.take(comparison.group_of_path == 1)
    transitions = fit_group(MarkovChain.fit(paths, 1), paths, comparison.group_of_path == 1).transitions()
    first = odd.codes[odd.offsets[:-1]] == odd.states.index("c")
    of_start = transitions.moves[transitions.start, transitions.state == odd.states.index("c")]
    assert of_start.sum() == pytest.approx(first.mean(), abs=0.01)


def test_of_many_comparisons_each_counts_for_less():
    paths, labels = people_with_habits(60, 6, seed=3)
    chains, groupings = {"page": MarkovChain.fit(paths, 1)}, {f"grouping {n}": labels for n in range(5)}
    comparisons = compare_groups({"page": paths}, chains, groupings, minimum_people=5, seed=0)
    assert [comparison.corrected_p for comparison in comparisons] == pytest.approx(
        [min(1.0, 5 * comparison.p_value) for comparison in comparisons]
    )


def test_groups_of_few_people_and_paths_without_a_group_are_not_compared():
    names = ["a"] * 4 + ["b"] * 4 + ["c"] * 8 + [None]
    people = np.array([0, 1, 2, 3, 4, 5, 6, 7, *([8] * 8), 9])
    groups, numbers = number_groups(names, people, minimum_people=4)
    assert groups == ("a", "b")
    assert numbers.tolist() == [0] * 4 + [1] * 4 + [-1] * 9
    assert number_groups([None, None], np.array([0, 1]), 1)[0] == ()


def test_a_group_that_was_never_seen_moves_as_everybody():
    paths, _ = people_with_habits(30, 3, seed=2)
    chain = MarkovChain.fit(paths, 2)
    nobody = fit_group(chain, paths, np.zeros(len(paths), dtype=bool))
    moves = DistinctMoves.of(paths, chain.levels)
    assert nobody.score_moves(moves) == pytest.approx(chain.score(paths))
    assert nobody.transitions().moves == pytest.approx(chain.transitions().moves)


def test_a_group_with_many_moves_scores_by_its_own_shares():
    paths = paths_of([("a",)] * 900 + [("b",)] * 900, [True] * 900 + [False] * 900)
    chain = MarkovChain.fit(paths, 1)
    group = fit_group(chain, paths, np.arange(1800) < 900)
    first = paths.take(np.arange(1800) == 0)
    assert np.exp(group.score_moves(DistinctMoves.of(first, chain.levels))[0]) == pytest.approx(1.0, abs=0.01)
    assert np.exp(chain.score(first)[0]) == pytest.approx(0.5, abs=0.01)
