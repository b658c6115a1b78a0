"""Select one of the candidates by the rule in `choice`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from ml.segmentation.clusters.contenders import COUNTED
from ml.segmentation.clusters.separation import WeakestPair
from ml.settings.segmentation import ChoiceSettings

STABILITY_TIE = 0.05  # adjusted Rand; two standard errors of its mean over six pairs of resamples
SURE_TIE = 0.12  # the same where no two segments can be halves of one group
SURE = 0.03  # p-value of the weakest pair of segments from which on they cannot
CLEAR_TIE = 0.15  # the same for the division whose silhouette exceeds that of structureless data most
CLEAR_LENIENCE = 2.0  # times the limit of the p-value of the weakest pair, for that division
# Two groups that differ in a few flags are as far apart as the halves of one group whose flags go together. Where
# resamples hardly differ, the clearest division shows such groups, if they differ in more than one column.
ANY_CUT = float("inf")
REPEATED = 0.95  # adjusted Rand index between resamples from which they hardly differ
REPRODUCED_LIMIT = 0.4  # p-value of the weakest pair up to which segments that are reproduced are groups
REPRODUCED = 0.75  # prediction strength from which segments are groups; its authors say .8, of larger halves
NOT_REPRODUCED = 0.6  # prediction strength below which they are not, whatever the pairs of segments look like
NO_STRUCTURE = "there is no structure: no division into segments passed the tests"


@dataclass(frozen=True)
class ClusteringCandidate:
    """A division of the sample with its measures; the fields are the columns of the comparison table.

    Attributes:
        algorithm: name of the algorithm.
        description: algorithm and parameters in a few words.
        segments: number of segments.
        silhouette: mean silhouette, with noise counted as 0.
        silhouette_error: its standard error.
        null_silhouette: mean silhouette of k-means with as many segments in structureless data.
        null_deviation: its standard deviation between structureless data sets.
        davies_bouldin: Davies-Bouldin index, lower is better.
        calinski_harabasz: Calinski-Harabasz index, higher is better.
        bic: Bayesian information criterion, NaN without a likelihood.
        bootstrap_stability: adjusted Rand index between bootstrap resamples; NaN if other measures refuse the
            candidate.
        start_stability: adjusted Rand index between random starts; NaN likewise.
        smallest_share: share of users in the smallest segment.
        noise_share: share of users in no segment.
        refused: why the candidate is not admissible; empty if it is.
        chosen: whether it is the winner.
        p_value: probability that structureless data show as large a silhouette with any number of segments.
        cut_p_value: largest p-value of the tests whether two neighbouring segments are halves of one group; NaN if
            the candidate was not tested.
        prediction_strength: how well halves of the users predict each other's segments; NaN if the candidate was
            not tested, among many users, and of methods that find the number of segments themselves.
    """

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
    p_value: float = float("nan")
    cut_p_value: float = float("nan")
    prediction_strength: float = float("nan")


@dataclass(frozen=True)
class Examination:
    """The outcome of the tests of a candidate that take long.

    Attributes:
        cut_p_value: largest p-value of the tests whether two neighbouring segments are halves of one group.
        prediction_strength: how well halves of the users predict each other's segments.
        refused: why the candidate is not admissible; empty if it is.
    """

    cut_p_value: float = float("nan")
    prediction_strength: float = float("nan")
    refused: str = ""


def find_objection(candidate: ClusteringCandidate, settings: ChoiceSettings, floor: float) -> str:
    """Return why a candidate is not admissible by the measures of one fit, or an empty text if it is."""
    if settings.segments is not None:
        return "" if candidate.smallest_share > 0 else "a segment has no users"
    if candidate.segments < 2:
        return "fewer than two segments"
    excess = candidate.silhouette - candidate.null_silhouette
    needed = max(settings.null_margin, settings.null_excess * candidate.null_deviation)
    if not (candidate.p_value <= settings.significance and excess >= needed):
        return (
            f"silhouette {candidate.silhouette:.3f} is no better than for structureless data "
            f"({candidate.null_silhouette:.3f} ± {candidate.null_deviation:.3f}, p = {candidate.p_value:.2g})"
        )
    if candidate.smallest_share < floor:
        return f"smallest segment has {candidate.smallest_share:.1%} of users"
    if candidate.noise_share > settings.maximum_noise:
        return f"{candidate.noise_share:.0%} of users belong to no segment"
    return ""


def find_instability(candidate: ClusteringCandidate, settings: ChoiceSettings) -> str:
    """Return why a candidate is not admissible by its stability, or an empty text if it is."""
    if settings.segments is None and not candidate.bootstrap_stability >= settings.minimum_stability:
        return f"bootstrap resamples agree with an adjusted Rand index of only {candidate.bootstrap_stability:.2f}"
    return ""


def judge_pairs(pair: WeakestPair, strength: float) -> Examination:
    """Judge by the weakest pair of segments and by the prediction strength whether all segments are groups.

    Args:
        pair: the pair of neighbouring segments that is most likely one group.
        strength: the prediction strength, NaN if it was not measured.
    """
    refused = ""
    if strength < NOT_REPRODUCED:
        refused = f"halves of the users predict each other's segments only to {strength:.0%}"
    elif pair.is_flag:
        refused = "two of the segments differ in one flag and nothing else"
    elif not pair.is_apart:
        refused = f"two of the segments may be halves of one group (p = {pair.p_value:.2g})"
    return Examination(pair.p_value, strength, refused)


class Selection:
    """Selects the winner among candidates, and notes in them why others are refused.

    Args:
        candidates: the candidates, refused or admissible by their measures.
        settings: the parameters of the rule.
        examine: makes the tests that take long for the candidate at a position, with so many times the usual limit
            of the p-value of its weakest pair of segments.
    """

    def __init__(
        self,
        candidates: list[ClusteringCandidate],
        settings: ChoiceSettings,
        examine: Callable[[int, float], Examination],
    ) -> None:
        self.candidates = candidates
        self.settings = settings
        self._examine = examine

    def select(self, incumbent: tuple[str, int] | None) -> tuple[int | None, str]:
        """Return the position of the winner, or None, and the reason in one sentence.

        Args:
            incumbent: algorithm and number of segments of the previous run.
        """
        admissible = self._list_admissible()
        finest = self._list_finest(admissible)
        if not finest:
            return None, NO_STRUCTURE
        for tie, lenience in ((STABILITY_TIE, ANY_CUT), (CLEAR_TIE, CLEAR_LENIENCE)):
            clearest = self._find_clearest(admissible, tie)
            if clearest is not None and self._is_finer(clearest, finest[0], lenience):
                finest = [clearest]
        winner = self._break_ties(finest)
        best = self.candidates[winner]
        for i in self._list_admissible():
            same = (self.candidates[i].algorithm, self.candidates[i].segments) == incumbent
            margin = 1 + self.settings.incumbent_margin
            if same and i != winner and best.silhouette < self.candidates[i].silhouette * margin and self._test(i):
                kept = self.candidates[i] = replace(self.candidates[i], chosen=True)
                return i, f"{kept.description}: kept, because {best.description} is hardly better"
        self.candidates[winner] = replace(best, chosen=True)
        silhouette = f"{best.silhouette:.3f} ± {best.silhouette_error:.3f}"
        return winner, (
            f"{best.description}: silhouette {silhouette} (structureless data {best.null_silhouette:.3f}), "
            f"adjusted Rand index between resamples {best.bootstrap_stability:.2f}"
        )

    def _list_admissible(self) -> list[int]:
        """Return the positions of the candidates that are not refused so far."""
        return [i for i, candidate in enumerate(self.candidates) if not candidate.refused]

    def _find_clearest(self, admissible: Sequence[int], tie: float) -> int | None:
        """Return the candidate whose silhouette exceeds that of structureless data most, among those this steady.

        Groups that are merged and groups that are cut have a lower silhouette than whole ones.
        """
        steadiest = max((self.candidates[i].bootstrap_stability for i in admissible), default=0.0)
        return max(
            (
                i
                for i in admissible
                if self.candidates[i].algorithm in COUNTED
                and self.candidates[i].bootstrap_stability >= steadiest - tie
            ),
            key=lambda i: self.candidates[i].silhouette - self.candidates[i].null_silhouette,
            default=None,
        )

    def _is_finer(self, clearest: int, other: int, lenience: float) -> bool:
        """Return whether the clearest division has more segments than another, which may be groups."""
        candidate = self.candidates[clearest]
        if self.settings.segments is not None or candidate.segments <= self.candidates[other].segments:
            return False
        if lenience == ANY_CUT and candidate.bootstrap_stability < REPEATED:
            return False
        return not self._note(clearest, lenience).refused

    def _note(self, position: int, lenience: float) -> ClusteringCandidate:
        """Make the tests that take long for a candidate, and note their outcome in it."""
        outcome = self._examine(position, lenience)
        self.candidates[position] = replace(self.candidates[position], **vars(outcome))
        return self.candidates[position]

    def _list_finest(self, admissible: Sequence[int]) -> list[int]:
        """Return the steadiest candidates with the largest number of segments that are all groups of their own."""
        steadiest = max((self.candidates[i].bootstrap_stability for i in admissible), default=0.0)
        near = [i for i in admissible if self.candidates[i].bootstrap_stability >= steadiest - SURE_TIE]
        counted = [i for i in near if self.candidates[i].algorithm in COUNTED]
        for pool, tie in ((counted, STABILITY_TIE), (near, STABILITY_TIE), (admissible, 1.0)):
            for segments in sorted({self.candidates[i].segments for i in pool}, reverse=True):
                finest = [
                    i
                    for i in pool
                    if self.candidates[i].segments == segments
                    and self._test(i)
                    and self._is_steady(i, steadiest - tie)
                ]
                if finest:
                    return finest
        return []

    def _is_steady(self, position: int, least: float) -> bool:
        """Return whether a tested candidate is this stable, or a little less if its segments are surely groups."""
        candidate = self.candidates[position]
        is_sure = candidate.cut_p_value <= SURE or candidate.prediction_strength >= REPRODUCED
        return candidate.bootstrap_stability >= least - (SURE_TIE - STABILITY_TIE) * is_sure

    def _test(self, position: int) -> bool:
        """Return whether an admissible candidate stays admissible after the tests that take long."""
        candidate = self.candidates[position]
        is_untested = not candidate.refused and np.isnan(candidate.cut_p_value)
        if is_untested and self.settings.segments is None:
            candidate = self._note(position, 1.0)
        return not candidate.refused

    def _break_ties(self, tied: list[int]) -> int:
        """Return the position of the best of some candidates."""
        candidates = self.candidates
        top = max(tied, key=lambda i: candidates[i].silhouette)
        reach = self.settings.tie_errors * candidates[top].silhouette_error
        tied = [i for i in tied if candidates[i].silhouette >= candidates[top].silhouette - reach]
        steady = max(candidates[i].bootstrap_stability for i in tied) - STABILITY_TIE
        tied = [i for i in tied if candidates[i].bootstrap_stability >= steady]
        least_noise = min(candidates[i].noise_share for i in tied)
        tied = [i for i in tied if candidates[i].noise_share <= least_noise]
        ranks = rankdata([candidates[i].davies_bouldin for i in tied]) + rankdata(
            [-candidates[i].calinski_harabasz for i in tied]
        )
        simplicity: dict[str, int] = {name: place for place, name in enumerate(self.settings.algorithms)}
        return min(
            zip(tied, ranks, strict=True), key=lambda pair: (pair[1], simplicity[candidates[pair[0]].algorithm])
        )[0]
