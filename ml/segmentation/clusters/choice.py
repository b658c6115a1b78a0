"""Choose the algorithm and the number of segments by one rule, which may also conclude that there is no structure.

A candidate is admissible if

1. its silhouette exceeds that of structureless data by `null_excess` standard deviations and by `null_margin`,
2. bootstrap resamples reproduce it,
3. its smallest segment is large enough and
4. its share of noise is small enough.

The best silhouette among the admissible candidates wins, with noise counted as 0. Silhouettes within `tie_errors`
standard errors are tied. Ties are broken in this order: bootstrap stability close to the best, the smallest share
of noise, the summed ranks by Davies-Bouldin and Calinski-Harabasz, fewer segments, the simpler algorithm. The
covariance type of a mixture is selected by BIC beforehand. The previous algorithm and number of segments stay
unless the winner's silhouette is better by `incumbent_margin`. If no candidate is admissible, there is no
structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import (
    COVARIANCES,
    NOISE,
    DBSCANSegments,
    HDBSCANSegments,
    KMeansSegments,
    MixtureSegments,
    SegmentModel,
)
from ml.segmentation.clusters.measures import (
    bootstrap_stability,
    calinski_harabasz,
    davies_bouldin,
    sampled_silhouette,
    start_stability,
)
from ml.segmentation.clusters.null_reference import NullSilhouette, measure_null_silhouettes
from ml.settings.segmentation import ChoiceSettings

REACH_QUANTILES = (0.5, 0.75, 0.9)
SMALLEST_SHARES = (0.02, 0.05, 0.1)
STABILITY_TIE = 0.05  # adjusted Rand; two standard errors of its mean over six pairs of resamples
DENSITY_ROWS = 2_000  # neighbour searches grow faster than linearly; clusters of 2 % still have 40 points


@dataclass(frozen=True)
class ClusteringCandidate:
    """A division of the sample with its measures; the fields are the columns of the comparison table."""

    algorithm: str
    description: str
    segments: int
    silhouette: float
    silhouette_error: float
    null_silhouette: float
    null_deviation: float
    davies_bouldin: float
    calinski_harabasz: float
    bic: float
    bootstrap_stability: float
    start_stability: float
    smallest_share: float
    noise_share: float
    refused: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class ClusteringChoice:
    """The outcome of the comparison.

    Attributes:
        make_model: builds the winner, unfitted, from a seed; None if there is no structure.
        candidates: all candidates with their measures.
        reason: the reason for the choice in one sentence.
    """

    make_model: Callable[[int], SegmentModel] | None
    candidates: tuple[ClusteringCandidate, ...]
    reason: str


def choose_clustering(
    Z: F64,
    settings: ChoiceSettings,
    minimum_size: int,
    seed: int,
    incumbent: tuple[str, int] | None = None,
) -> ClusteringChoice:
    """Compare every algorithm and number of segments on scores Z (n_users, n_components).

    Args:
        Z: scores on principal components.
        settings: the parameters of the rule.
        minimum_size: users that the smallest segment needs.
        seed: seed of the samples, starts and resamples.
        incumbent: algorithm and number of segments of the previous run.
    """
    rows = np.random.default_rng(seed).permutation(len(Z))
    sample = Z[rows[: settings.sample_rows]]
    small = Z[rows[: settings.stability_rows]]
    most = min(settings.segments_max, len(Z) // max(2, minimum_size))
    if len(np.unique(small, axis=0)) <= settings.segments_min or most < settings.segments_min:
        return ClusteringChoice(
            None, (), f"{len(Z)} users are too few or too similar to form segments of {minimum_size}"
        )
    counts = range(settings.segments_min, most + 1)
    floor = max(settings.minimum_share, minimum_size / len(Z))
    with threadpool_limits(1):  # hundreds of fits of a few milliseconds do not gain from threads
        return _compare_candidates(
            sample, small, settings, counts=counts, floor=floor, seed=seed, incumbent=incumbent
        )


def _compare_candidates(
    sample: F64,
    small: F64,
    settings: ChoiceSettings,
    *,
    counts: Sequence[int],
    floor: float,
    seed: int,
    incumbent: tuple[str, int] | None,
) -> ClusteringChoice:
    """Compare all candidates on a sample; repeated fits use a `small` sample."""
    null = measure_null_silhouettes(
        sample,
        counts,
        references=settings.null_references,
        rows=len(small),
        silhouette_rows=settings.silhouette_rows,
        seed=seed,
    )
    candidates: list[ClusteringCandidate] = []
    makers: list[Callable[[int], SegmentModel]] = []
    for make, fitted_on in _list_contenders(settings, sample, counts, seed):
        candidate = _measure_candidate(make, fitted_on, small, settings, null=null, seed=seed)
        candidates.append(replace(candidate, refused=_find_objection(candidate, settings, floor)))
        makers.append(make)
    winner, reason = _select_winner(candidates, settings, incumbent)
    if winner is None:
        return ClusteringChoice(None, tuple(candidates), reason)
    candidates[winner] = replace(candidates[winner], chosen=True)
    return ClusteringChoice(makers[winner], tuple(candidates), reason)


def _list_contenders(
    settings: ChoiceSettings, sample: F64, counts: Sequence[int], seed: int
) -> Iterator[tuple[Callable[[int], SegmentModel], F64]]:
    """Yield a builder of unfitted models and the users to fit it to, for each contender."""
    for algorithm in settings.algorithms:
        if algorithm == "kmeans":
            for k in counts:
                yield partial(_build_kmeans, k, settings.starts), sample
        elif algorithm == "gaussian_mixture":
            small = sample[: settings.stability_rows]
            for k in counts:
                scores = {
                    covariance: MixtureSegments(k, covariance, starts=1, seed=seed).fit(small).bic(small)
                    for covariance in COVARIANCES
                }
                best = min(scores, key=lambda covariance: scores[covariance])
                yield partial(_build_mixture, k, best), sample
        elif algorithm == "dbscan":
            for quantile in REACH_QUANTILES:
                yield partial(_build_dbscan, quantile), sample[:DENSITY_ROWS]
        else:
            for smallest in SMALLEST_SHARES:
                yield partial(_build_hdbscan, smallest), sample[:DENSITY_ROWS]


def _build_kmeans(segments: int, starts: int, seed: int) -> SegmentModel:
    """Build unfitted k-means."""
    return KMeansSegments(segments, starts=starts, seed=seed)


def _build_mixture(segments: int, covariance: str, seed: int) -> SegmentModel:
    """Build an unfitted Gaussian mixture."""
    return MixtureSegments(segments, covariance, starts=1, seed=seed)


def _build_dbscan(reach_quantile: float, seed: int) -> SegmentModel:
    """Build unfitted DBSCAN."""
    return DBSCANSegments(reach_quantile=reach_quantile)


def _build_hdbscan(smallest: float, seed: int) -> SegmentModel:
    """Build unfitted HDBSCAN."""
    return HDBSCANSegments(smallest=smallest)


def _measure_candidate(
    make: Callable[[int], SegmentModel],
    Z: F64,
    small: F64,
    settings: ChoiceSettings,
    *,
    null: dict[int, NullSilhouette],
    seed: int,
) -> ClusteringCandidate:
    """Fit a model and measure it."""
    model = make(seed).fit(Z)
    labels = model.predict(Z)
    sizes = np.bincount(labels[labels != NOISE], minlength=max(1, model.n_segments_))
    noise = float((labels == NOISE).mean())
    silhouette = sampled_silhouette(Z, labels, settings.silhouette_rows, seed)
    reference = null.get(model.n_segments_, null[max(null)])
    random_start = model.algorithm in ("kmeans", "gaussian_mixture")
    has_segments = model.n_segments_ >= 2
    return ClusteringCandidate(
        algorithm=model.algorithm,
        description=model.describe(),
        segments=model.n_segments_,
        silhouette=silhouette.value * (1 - noise),
        silhouette_error=silhouette.error,
        null_silhouette=reference.mean,
        null_deviation=reference.deviation,
        davies_bouldin=davies_bouldin(Z, labels),
        calinski_harabasz=calinski_harabasz(Z, labels),
        bic=model.bic(Z),
        bootstrap_stability=bootstrap_stability(small, make, settings.resamples, seed)
        if has_segments
        else float("nan"),
        start_stability=start_stability(small, make, 3, seed) if random_start else 1.0,
        smallest_share=float(sizes.min() / len(Z)),
        noise_share=noise,
    )


def _find_objection(candidate: ClusteringCandidate, settings: ChoiceSettings, floor: float) -> str:
    """Return why a candidate is not admissible, or an empty text if it is."""
    excess = candidate.silhouette - candidate.null_silhouette
    if candidate.segments < 2:
        return "fewer than two segments"
    if not excess >= max(settings.null_excess * candidate.null_deviation, settings.null_margin):
        return (
            f"silhouette {candidate.silhouette:.3f} is no better than for structureless data "
            f"({candidate.null_silhouette:.3f} ± {candidate.null_deviation:.3f})"
        )
    if not candidate.bootstrap_stability >= settings.minimum_stability:
        return f"bootstrap resamples agree with an adjusted Rand index of only {candidate.bootstrap_stability:.2f}"
    if candidate.smallest_share < floor:
        return f"smallest segment has {candidate.smallest_share:.1%} of users"
    if candidate.noise_share > settings.maximum_noise:
        return f"{candidate.noise_share:.0%} of users belong to no segment"
    return ""


def _select_winner(
    candidates: list[ClusteringCandidate], settings: ChoiceSettings, incumbent: tuple[str, int] | None
) -> tuple[int | None, str]:
    """Return the position of the winner, or None, and the reason."""
    admissible = [i for i, candidate in enumerate(candidates) if not candidate.refused]
    if not admissible:
        return None, "there is no structure: no division into segments is admissible"
    top = max(admissible, key=lambda i: candidates[i].silhouette)
    reach = settings.tie_errors * candidates[top].silhouette_error
    tied = [i for i in admissible if candidates[i].silhouette >= candidates[top].silhouette - reach]
    steady = max(candidates[i].bootstrap_stability for i in tied) - STABILITY_TIE
    tied = [i for i in tied if candidates[i].bootstrap_stability >= steady]
    least_noise = min(candidates[i].noise_share for i in tied)
    tied = [i for i in tied if candidates[i].noise_share <= least_noise]
    ranks = rankdata([candidates[i].davies_bouldin for i in tied]) + rankdata(
        [-candidates[i].calinski_harabasz for i in tied]
    )
    simplicity: dict[str, int] = {name: place for place, name in enumerate(settings.algorithms)}
    winner = min(
        zip(tied, ranks, strict=True),
        key=lambda pair: (pair[1], candidates[pair[0]].segments, simplicity[candidates[pair[0]].algorithm]),
    )[0]
    best = candidates[winner]
    for i in admissible:
        same = (candidates[i].algorithm, candidates[i].segments) == incumbent
        if same and i != winner and best.silhouette < candidates[i].silhouette * (1 + settings.incumbent_margin):
            return (
                i,
                f"{candidates[i].description}: kept, because {best.description} is hardly better",
            )
    return winner, (
        f"{best.description}: silhouette {best.silhouette:.3f} ± {best.silhouette_error:.3f} (structureless data "
        f"{best.null_silhouette:.3f}), adjusted Rand index between resamples {best.bootstrap_stability:.2f}"
    )
