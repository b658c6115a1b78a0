"""Ratios of sums with intervals over people, since the visits of one person are no independent trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

CONFIDENCE = 0.95
DEVIATIONS = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
FEWEST_PEOPLE = 20  # below, no interval is given: the variance between so few people is itself a guess


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums.

    Attributes:
        value: The ratio; None where the lower sum is 0.
        low: Lower bound of the 95% interval; None where there are too few people for one.
        high: Upper bound.
        people: Number of people with something in the lower sum.
    """

    value: float | None
    low: float | None
    high: float | None
    people: int


def share_of_sums(row: Mapping[str, Any], upper: str, lower: str) -> Ratio:
    """Return a share, such as exits of views, from the moments of a row.

    The interval is Wilson's, on as many independent trials as would vary like these people do (Kish 1965).

    Args:
        row: The sums `upper` and `lower` over people, those of their squares, `upper_upper` and `lower_lower`, and
            of their product, `upper_lower`, each by its name; and `lower_people`, who have some of the lower one.
        upper: Name of the sum above, which is at most the other one.
        lower: Name of the sum below.
    """
    ratio, variance, people = _moments(row, upper, lower)
    if ratio is None or people < FEWEST_PEOPLE:
        return Ratio(ratio, None, None, people)
    trials = min(ratio * (1 - ratio) / variance, float(row[lower])) if variance > 0 else float(people)
    return _with_wilsons_interval(ratio, trials, people)


def mean_of_sums(row: Mapping[str, Any], upper: str, lower: str) -> Ratio:
    """Return a mean, such as seconds of dwell a view, from the moments of a row, as `share_of_sums` takes them."""
    ratio, variance, people = _moments(row, upper, lower)
    if ratio is None or people < FEWEST_PEOPLE:
        return Ratio(ratio, None, None, people)
    half = DEVIATIONS * sqrt(variance)
    return Ratio(ratio, max(0.0, ratio - half), ratio + half, people)


def share_of_people(upper: int, lower: int) -> Ratio:
    """Return a share of people, or of visits of whom each counts once, with Wilson's interval."""
    if lower < FEWEST_PEOPLE:
        return Ratio(upper / lower if lower else None, None, None, lower)
    return _with_wilsons_interval(upper / lower, float(lower), lower)


def _with_wilsons_interval(ratio: float, trials: float, people: int) -> Ratio:
    """Return the interval of `statsmodels.stats.proportion`, which takes a service half a second to import."""
    weight = trials + DEVIATIONS**2
    middle = (ratio * trials + DEVIATIONS**2 / 2) / weight
    half = DEVIATIONS / weight * sqrt(ratio * (1 - ratio) * trials + DEVIATIONS**2 / 4)
    return Ratio(ratio, max(0.0, middle - half), min(1.0, middle + half), people)


def _moments(row: Mapping[str, Any], upper: str, lower: str) -> tuple[float | None, float, int]:
    """The ratio, its variance by linearization over people, and their number."""
    people, below = int(row[f"{lower}_people"]), float(row[lower])
    if not below:
        return None, 0.0, people
    ratio = float(row[upper]) / below
    squares = row[f"{upper}_{upper}"] - 2 * ratio * row[f"{upper}_{lower}"] + ratio**2 * row[f"{lower}_{lower}"]
    return ratio, max(0.0, float(squares)) / below**2 * people / max(people - 1, 1), people
