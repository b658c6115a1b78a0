"""Whether paths move alike in every month, weekday, device and segment, and which chains are fitted apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2
from statsmodels.stats.multitest import multipletests

from ml.arrays import F64, I64, Bools
from ml.sequences.paths.chains import MarkovChain, MoveIndex
from ml.sequences.paths.choice import mark_early, mean_gain
from ml.sequences.paths.contexts import CONVERTS, GOES_ON, Moves
from ml.sequences.paths.groups import GroupChain
from ml.sequences.paths.paths import Paths, number_names

SIGNIFICANCE = 0.05
LEAST_EXPECTED = 5.0  # moves; below, the statistic does not have its distribution
PERMUTATIONS = 20  # their mean is good to a sixth of the statistic's own spread


@dataclass(frozen=True)
class GroupComparison:
    """Whether the paths of groups move alike.

    Attributes:
        level: What the states are.
        grouping: What forms the groups, such as `device`.
        groups: The groups that are compared, in the order of their names.
        group_of_path: Position among them of each path, (p,); -1 of the paths of no group.
        statistic: Likelihood ratio of moves that depend on the group against moves that do not.
        degrees: Its degrees of freedom.
        inflation: By how much it is larger than its degrees of freedom if groups are dealt out at random.
        p_value: Of no difference.
        corrected_p: After Holm's correction for how many comparisons were made.
        gain: How much more likely held-out moves are under chains of the groups, in nats a move.
        gain_error: Its standard error, over people.
    """

    level: str
    grouping: str
    groups: tuple[str, ...]
    group_of_path: I64
    statistic: float
    degrees: int
    inflation: float
    p_value: float
    corrected_p: float
    gain: float
    gain_error: float

    @property
    def differs(self) -> bool:
        """Whether the chains of the groups are fitted apart: they differ, and they tell later paths better."""
        return self.corrected_p < SIGNIFICANCE and self.gain > self.gain_error


def compare_groups(
    levels: Mapping[str, Paths],
    chains: Mapping[str, MarkovChain],
    groupings: Mapping[str, Sequence[str | None]],
    minimum_people: int,
    seed: int,
) -> list[GroupComparison]:
    """Compare the paths of each level by each grouping.

    The likelihood ratio test of moves of order 1 is that of Anderson and Goodman (Annals of Mathematical
    Statistics 28, 1957). Paths of one person resemble each other, which inflates the ratio; it is divided by how
    much it exceeds its degrees of freedom when people swap their groups, a Bartlett correction by resampling
    (Rocke, Journal of the American Statistical Association 84, 1989).

    Args:
        levels: The paths by level, in the order of time.
        chains: The chain of each level.
        groupings: Group of each path (p,) by the name of the grouping; None for a path of no group.
        minimum_people: People from which a group is compared.
        seed: Seed of the permutations.

    Returns:
        The comparisons of at least two groups.
    """
    comparisons = [
        comparison
        for level, paths in levels.items()
        for comparison in _compare_at_level(level, paths, chains[level], groupings, minimum_people, seed)
    ]
    if not comparisons:
        return []
    corrected = multipletests([comparison.p_value for comparison in comparisons], method="holm")[1]
    return [
        replace(comparison, corrected_p=float(p)) for comparison, p in zip(comparisons, corrected, strict=True)
    ]


def _compare_at_level(
    level: str,
    paths: Paths,
    chain: MarkovChain,
    groupings: Mapping[str, Sequence[str | None]],
    minimum_people: int,
    seed: int,
) -> Iterator[GroupComparison]:
    index = MoveIndex.of(paths, chain.levels)
    for grouping, names in groupings.items():
        groups, group_of_path = number_groups(names, paths.people, minimum_people)
        if len(groups) < 2:
            continue
        inside = paths.take(group_of_path >= 0)
        labels = group_of_path[group_of_path >= 0]
        statistic, degrees, inflation = _measure_ratio(inside, labels, len(groups), np.random.default_rng(seed))
        gain, error = _measure_gain(paths, group_of_path, chain, index)
        p_value = float(chi2.sf(statistic / inflation, degrees)) if degrees else 1.0
        yield GroupComparison(
            level,
            grouping,
            groups,
            group_of_path,
            statistic,
            degrees,
            inflation,
            p_value,
            p_value,
            gain,
            error,
        )


def number_groups(names: Sequence[str | None], people: I64, minimum_people: int) -> tuple[tuple[str, ...], I64]:
    """Number the groups of paths, and leave out those of few people.

    Args:
        names: Group of each path, (p,).
        people: Number of the person who took each path, (p,).
        minimum_people: People from which a group counts.

    Returns:
        The names of the groups in their order, and the position of each path's group, (p,), -1 for none.
    """
    is_named = np.array([name is not None for name in names], dtype=bool)
    if not is_named.any():
        return (), np.full(len(names), -1)
    unique, codes = number_names([name for name in names if name is not None])
    pairs = np.unique(people[is_named] * len(unique) + codes)
    kept = np.bincount(pairs % len(unique), minlength=len(unique)) >= minimum_people
    places = np.where(kept, np.cumsum(kept) - 1, -1)
    numbers = np.full(len(names), -1)
    numbers[is_named] = places[codes]
    return tuple(name for name, is_kept in zip(unique, kept, strict=True) if is_kept), numbers


def _measure_ratio(
    paths: Paths, labels: I64, n_groups: int, random: np.random.Generator
) -> tuple[float, int, float]:
    """Return the likelihood ratio, its degrees of freedom, and its inflation by what people have in common."""
    moves = Moves.of(paths)
    n_outcomes = moves.n_states + 2
    ends = moves.n_states + (moves.kinds != CONVERTS)
    outcomes = np.where(moves.kinds == GOES_ON, moves.symbols, ends)
    cells = moves.previous * n_outcomes + outcomes
    n_contexts = moves.n_states + 1

    def count(of_paths: I64) -> F64:
        size = n_groups * n_contexts * n_outcomes
        flat = np.bincount(of_paths[moves.path] * (n_contexts * n_outcomes) + cells, minlength=size)
        return flat.reshape(n_groups, n_contexts, n_outcomes).astype(np.float64)

    observed = count(labels)
    kept = _frequent_outcomes(observed)
    statistic, degrees = likelihood_ratio(observed, kept)
    if not degrees:
        return statistic, 0, 1.0
    dealt = _deal_groups(labels, paths.people, random)
    permuted = [likelihood_ratio(count(next(dealt)), kept) for _ in range(PERMUTATIONS)]
    inflation = float(np.mean([ratio / max(freedom, 1) for ratio, freedom in permuted]))
    return statistic, degrees, max(inflation, 1.0)


def _frequent_outcomes(counts: F64) -> Bools:
    """Find the outcomes (contexts, outcomes) that every group is expected to have often enough."""
    of_context = counts.sum(axis=(0, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        smallest = counts.sum(axis=2).min(axis=0) / of_context
    return np.asarray(np.nan_to_num(smallest)[:, None] * counts.sum(axis=0) >= LEAST_EXPECTED)


def likelihood_ratio(counts: F64, kept: Bools) -> tuple[float, int]:
    """Return twice the log of the likelihood ratio, and its degrees of freedom.

    Args:
        counts: Moves by group, context and outcome, (g, c, o).
        kept: Which outcomes of each context are compared, (c, o). The others of a context are one outcome.
    """
    compared = kept.any(axis=1)  # a context without a frequent outcome has one outcome, and terms of 0
    counts, kept = counts[:, compared], kept[compared]
    rest = np.where(kept, 0.0, counts).sum(axis=2, keepdims=True)
    table = np.concatenate([np.where(kept, counts, 0.0), rest], axis=2)
    of_group, of_outcome = table.sum(axis=2, keepdims=True), table.sum(axis=0, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = of_group * of_outcome / of_group.sum(axis=0, keepdims=True)
        terms = np.where(table > 0, table * np.log(table / expected), 0.0)
    different = (of_outcome[0] > 0).sum(axis=1) - 1
    groups = (of_group[:, :, 0] > 0).sum(axis=0) - 1
    return float(2 * terms.sum()), int((different * groups).sum())


def _deal_groups(labels: I64, people: I64, random: np.random.Generator) -> Iterator[I64]:
    """Yield labels (p,) that give each person the groups of another one, in the order of that person's paths.

    Where that person has fewer paths, they begin again from the first.
    """
    order = np.argsort(people, kind="stable")
    _, first, counts = np.unique(people[order], return_index=True, return_counts=True)
    place = np.arange(len(labels)) - np.repeat(first, counts)
    by_person = labels[order]
    while True:
        other = random.permutation(len(counts))
        source = np.repeat(first[other], counts) + place % np.repeat(counts[other], counts)
        dealt = np.empty_like(labels)
        dealt[order] = by_person[source]
        yield dealt


def _measure_gain(paths: Paths, groups: I64, chain: MarkovChain, index: MoveIndex) -> tuple[float, float]:
    """Return the gain in log-likelihood of held-out moves by chains of the groups, and its standard error.

    Args:
        paths: The paths, in the order of time.
        groups: Group of each path, (p,); -1 for none.
        chain: The chain of all paths.
        index: Their moves after its contexts.
    """
    is_early, is_late = np.zeros(len(paths), dtype=bool), np.zeros(len(paths), dtype=bool)
    in_groups = np.flatnonzero(groups >= 0)
    early = mark_early(len(in_groups))
    is_early[in_groups[early]], is_late[in_groups[~early]] = True, True
    base = index.count(chain.states, is_early.astype(np.float64), chain.smooths)
    gains = -base.score_moves(index.moves)
    for group in np.unique(groups[in_groups]):
        inside = groups == group
        apart = GroupChain.fit(base, index, inside & is_early)
        gains[inside] += apart.score_moves(index.moves)[inside]
    return mean_gain(paths.take(is_late), gains[is_late])
