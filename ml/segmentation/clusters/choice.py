"""Choose the algorithm and the number of segments by one rule, which may also conclude that there is no structure.

A candidate is admissible if

1. its silhouette is more than structureless data show with any number of segments (`significance`), by at least
   `null_margin`,
2. bootstrap resamples reproduce it,
3. its smallest segment is large enough,
4. its share of noise is small enough, and
5. each segment and the one nearest to it are two groups, not the halves of one, by their separation
   (`separation`), which differ in more than one flag. Of few users, whose groups it misses, less of it is enough
   where halves of the users predict each other's segments well (`prediction_strength`), and segments that halves
   hardly predict are no groups.

Among the admissible candidates whose stability is close to the best, the largest number of segments wins, because
with fewer of them groups are merged that can be told apart. Where all segments are surely groups of their own, the
stability may be a little less close, since it falls with the number of borders. Where the silhouette of a division
exceeds that of structureless data most, and it has still more segments, it wins with less evidence that they are
groups of their own, and with none where its resamples hardly differ and the segments differ in several columns.
Density methods, which leave users without a segment, win only where no other candidate is admissible. Among
candidates of the same number the best silhouette wins, with noise counted as 0. Silhouettes within `tie_errors`
standard errors are tied. Ties are broken in this order: stability close to the best, the smallest share of noise,
the summed ranks by Davies-Bouldin and Calinski-Harabasz, the simpler algorithm. The covariance type of a mixture
is selected by BIC beforehand. The previous algorithm and number of segments stay unless the winner's silhouette is
better by `incumbent_margin`. If no candidate is admissible, there is no structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sklearn
from threadpoolctl import threadpool_limits

from ml.arrays import F64, I64
from ml.errors import InvalidInputError
from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments, MixtureSegments, SegmentModel
from ml.segmentation.clusters.contenders import COUNTED, list_contenders
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.measures import (
    bootstrap_stability,
    calinski_harabasz,
    davies_bouldin,
    prediction_strength,
    sampled_silhouette,
    start_stability,
)
from ml.segmentation.clusters.selection import (
    ANY_CUT,
    CLEAR_LENIENCE,
    NO_STRUCTURE,
    REPRODUCED,
    REPRODUCED_LIMIT,
    ClusteringCandidate,
    Examination,
    Selection,
    find_instability,
    find_objection,
    judge_pairs,
)
from ml.segmentation.clusters.separation import (
    FindColumn,
    find_no_column,
    find_weakest_pair,
    halve_by_means,
    halve_by_mixture,
)
from ml.segmentation.clusters.significance import NullSilhouettes, measure_null_silhouettes, own_p_value
from ml.segmentation.clusters.single_column import find_single_column, list_single_columns
from ml.settings.segmentation import ChoiceSettings

# Up to so many users, halves of the users show groups that the separation misses. Halves of many agree about the
# cuts of one group, too: of 2,057 on the simulator's default site, to .84 about eight segments of six personas.
FEW_USERS = 600
STRENGTH_SPLITS = 8  # into halves; the standard error of the prediction strength is then about .03 for 200 users


@dataclass(frozen=True)
class ClusteringChoice:
    """The outcome of the comparison.

    Attributes:
        make_model: builds the winner, unfitted, from a seed; None if there is no structure.
        candidates: all candidates with their measures.
        reason: the reason for the choice in one sentence.
        single_columns: positions of the features that alone divide the users, where there is no other structure.
    """

    make_model: Callable[[int], SegmentModel] | None
    candidates: tuple[ClusteringCandidate, ...]
    reason: str
    single_columns: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Contender:
    """A builder of unfitted models, its fitted model, and the segment of each of the sample's first users (m,)."""

    make: Callable[[int], SegmentModel]
    model: SegmentModel
    labels: I64


def choose_clustering(
    space: FeatureSpace,
    settings: ChoiceSettings,
    minimum_size: int,
    seed: int,
    incumbent: tuple[str, int] | None = None,
    *,
    is_one_column_enough: bool = False,
) -> ClusteringChoice:
    """Compare every algorithm and number of segments.

    Args:
        space: prepared features of the users (n, d), and their scores.
        settings: the parameters of the rule.
        minimum_size: users that the smallest segment needs.
        seed: seed of the samples, starts and resamples.
        incumbent: algorithm and number of segments of the previous run.
        is_one_column_enough: whether segments may differ in one column only, as where the table has no other.

    Raises:
        InvalidInputError: a number of segments is asked for, and fewer users than that differ.
    """
    users = len(space.features)
    order = np.random.default_rng(seed).permutation(users)
    sample = space.take(order[: settings.sample_rows])
    different = len(np.unique(sample.scores[: settings.stability_rows], axis=0))
    if settings.segments is not None:
        if different < settings.segments:
            raise InvalidInputError(
                f"{settings.segments} segments cannot be formed from {different} different users"
            )
        counts, floor = range(settings.segments, settings.segments + 1), 0.0
        algorithms = [name for name in settings.algorithms if name in COUNTED] or ["kmeans"]
        settings = settings.model_copy(update={"algorithms": algorithms})
    else:
        most = min(settings.segments_max, users // max(2, minimum_size), different)
        if most < settings.segments_min:
            return ClusteringChoice(
                None, (), f"{users} users are too few or too similar to form segments of {minimum_size}"
            )
        counts = range(settings.segments_min, most + 1)
        floor = max(settings.minimum_share, minimum_size / users)
    # Hundreds of fits of a few milliseconds do not gain from threads, and checks of their arguments take as long.
    with threadpool_limits(1), sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        return _compare_candidates(
            sample,
            settings,
            counts=counts,
            floor=floor,
            seed=seed,
            incumbent=incumbent,
            is_one_column_enough=is_one_column_enough,
        )


def _compare_candidates(
    sample: FeatureSpace,
    settings: ChoiceSettings,
    *,
    counts: Sequence[int],
    floor: float,
    seed: int,
    incumbent: tuple[str, int] | None,
    is_one_column_enough: bool,
) -> ClusteringChoice:
    """Compare all candidates on a sample; repeated fits use its first users."""
    small = sample.scores[: settings.stability_rows]
    null = measure_null_silhouettes(
        sample,
        counts,
        references=settings.null_references,
        rows=len(small),
        silhouette_rows=settings.silhouette_rows,
        seed=seed,
    )
    candidates: list[ClusteringCandidate] = []
    contenders: list[_Contender] = []
    for make, fitted_on in list_contenders(settings, sample.scores, counts, seed):
        model = make(seed).fit(fitted_on)
        labels = model.predict(fitted_on)
        candidate = _measure_candidate(model, labels, fitted_on, settings, null=null, seed=seed)
        objection = find_objection(candidate, settings, floor)
        if not objection:  # resamples take longer than everything else, so that others are not resampled
            candidate = _measure_stability(candidate, make, small, settings, seed)
            objection = find_instability(candidate, settings)
        candidates.append(replace(candidate, refused=objection))
        contenders.append(_Contender(make, model, labels))

    find_column = find_no_column if is_one_column_enough else find_single_column

    def examine(position: int, lenience: float) -> Examination:
        contender, silhouette = contenders[position], candidates[position].silhouette
        return _examine(sample, contender, silhouette, settings, lenience, seed, find_column)

    winner, reason = Selection(candidates, settings, examine).select(incumbent)
    if settings.segments is None:
        single = list_single_columns(sample, seed) if winner is None else ()
        if winner is not None and not is_one_column_enough:
            labels = contenders[winner].labels
            column = find_single_column(sample.take(np.arange(len(labels))), labels)
            if column is not None:
                single = (column,)
                refused = "only one column differs between the segments"
                candidates[winner] = replace(candidates[winner], chosen=False, refused=refused)
        if winner is None or single:
            return ClusteringChoice(None, tuple(candidates), NO_STRUCTURE, single)
    if settings.segments is not None:
        reason = f"{settings.segments} segments were asked for; {reason}"
    return ClusteringChoice(None if winner is None else contenders[winner].make, tuple(candidates), reason)


def _examine(
    sample: FeatureSpace,
    contender: _Contender,
    silhouette: float,
    settings: ChoiceSettings,
    lenience: float,
    seed: int,
    find_column: FindColumn,
) -> Examination:
    """Make the tests that take long: of a method against itself, of halves of users, of neighbouring segments."""
    model, labels = contender.model, contender.labels
    divided = sample.take(np.arange(len(labels)))
    if not isinstance(model, KMeansSegments):
        p_value = own_p_value(
            divided,
            contender.make,
            silhouette,
            references=settings.null_references,
            silhouette_rows=settings.silhouette_rows,
            seed=seed,
        )
        if p_value > settings.significance:
            refused = f"the same method reaches this silhouette in structureless data (p = {p_value:.2g})"
            return Examination(refused=refused)
    strength = float("nan")
    if model.algorithm in COUNTED and len(sample.scores) <= FEW_USERS:
        strength = prediction_strength(sample.scores, contender.make, STRENGTH_SPLITS, seed)
    halve = halve_by_mixture(model.covariance) if isinstance(model, MixtureSegments) else halve_by_means
    least_limit = REPRODUCED_LIMIT if strength >= REPRODUCED else 0.0
    limit = settings.cut_significance * min(lenience, CLEAR_LENIENCE)
    pair = find_weakest_pair(
        divided, labels, limit, seed, halve, least_limit, find_column, is_reproduced=lenience == ANY_CUT
    )
    return judge_pairs(pair, strength)


def _measure_candidate(
    model: SegmentModel, labels: I64, Z: F64, settings: ChoiceSettings, *, null: NullSilhouettes, seed: int
) -> ClusteringCandidate:
    """Measure a fitted model and its division of Z, without stability."""
    sizes = np.bincount(labels[labels != NOISE], minlength=max(1, model.n_segments_))
    noise = float((labels == NOISE).mean())
    silhouette = sampled_silhouette(Z, labels, settings.silhouette_rows, seed)
    mean, deviation = null.find(model.n_segments_)
    value = silhouette.value * (1 - noise)
    return ClusteringCandidate(
        algorithm=model.algorithm,
        description=model.describe(),
        segments=model.n_segments_,
        silhouette=value,
        silhouette_error=silhouette.error,
        null_silhouette=mean,
        null_deviation=deviation,
        davies_bouldin=davies_bouldin(Z, labels),
        calinski_harabasz=calinski_harabasz(Z, labels),
        bic=model.bic(Z),
        bootstrap_stability=float("nan"),
        start_stability=float("nan"),
        smallest_share=float(sizes.min() / len(Z)),
        noise_share=noise,
        p_value=null.p_value(model.n_segments_, value),
    )


def _measure_stability(
    candidate: ClusteringCandidate,
    make: Callable[[int], SegmentModel],
    small: F64,
    settings: ChoiceSettings,
    seed: int,
) -> ClusteringCandidate:
    """Complete a candidate with the agreement between resamples and between random starts."""
    starts = start_stability(small, make, 3, seed) if candidate.algorithm in COUNTED else 1.0
    resamples = bootstrap_stability(small, make, settings.resamples, seed)
    return replace(candidate, bootstrap_stability=resamples, start_stability=starts)
