"""Explains why an item is shown: which family of features carried its score, and the sentence that says so.

The explanation is derived from the score itself. The features of one kind of evidence make a family. What a family
carries is how much the score would fall if the item had the family's values of an ordinary candidate of the same
request. This works for trees as for weights, and costs a sixth of exact Shapley values. The family that carries
most is the explanation, if there is something to name for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64
from ml.decisions.ranker.features import GROUPS, LAST, MANNERS, NAMES, POPULARITY, RISES, WITHIN
from ml.segmentation.profiles.labels import join_words

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "follows": (
        *LAST, "place_next", "lift", "next_4h_of_2nd", "near_4h_of_2nd", "next_4h_of_3rd", "near_4h_of_3rd",
    ),
    "goes_with": ("near_7d_of_history", "near_4h_of_all", "near_7d_of_all", "across_1h", "across_8h_of_newest"),
    "similar": ("similar_to_last",),
    "topic_of_last": ("same_category", "after_category"),
    "taste": ("personal",),
    "topic": ("category_share",),
    "segment": ("segment",),
    "in_country": ("scope_country",),
    "in_region": ("scope_region",),
    "on_device": ("scope_device",),
    "fresh": ("age", "published_age", "passed", "passed_visits", "passed_day"),
    "popular": (*POPULARITY, *WITHIN, *RISES, *MANNERS, *GROUPS, "trend", "place_popular", "idle"),
}  # fmt: skip
"""Features by kind of evidence. Those of REQUEST are equal for all candidates, so they explain nothing."""
_MEMBERS = np.array([[name in members for name in NAMES] for members in FAMILIES.values()])


def family_contributions(score: Callable[[F32], F64], features: F32, typical: F32) -> list[dict[str, float]]:
    """Compute what each family carries of the score of each item.

    Args:
        score: Scores feature rows, float32 (m, len(NAMES)), as float64 (m,).
        features: float32 (n, len(NAMES)), of the items.
        typical: float32 (len(NAMES),), of an ordinary candidate.
    """
    changed = np.where(_MEMBERS[None, :, :], typical, features[:, None, :])
    differs = (changed != features[:, None, :]).any(axis=2)  # where nothing would change, nothing is carried
    scores = score(np.vstack([features, changed[differs]]))
    falls = np.zeros(differs.shape)
    falls[differs] = np.repeat(scores[: len(features)], differs.sum(axis=1)) - scores[len(features) :]
    return [dict(zip(FAMILIES, row, strict=True)) for row in falls.tolist()]


@dataclass(frozen=True)
class Explanation:
    """Why an item is shown.

    Attributes:
        kind: A family, or `interests`, `boost`, `exploration`, `popular_hour`, `here`, `well_known`,
            `catalogue`.
        names: What the sentence names: titles, a topic, a place, a segment, a number.
    """

    kind: str
    names: tuple[str, ...] = ()


_NAMED = {
    "follows": "Often opened after {0}",
    "goes_with": "Often opened by people who opened {0}",
    "similar": "Like {0}",
    "topic_of_last": "More about {0}, as what you opened last",
    "taste": "Because you opened {0}",
    "topic": "You often open {0}",
    "segment": "Popular with people like you ({0})",
    "in_country": "Popular now in {0}",
    "in_region": "Popular now in {0}",
    "on_device": "Popular now on {0}",
    "interests": "You said that you are interested in {0}",
    "popular_hour": "Opened {0} times in the last hour",
    "exploration": "New or rarely shown in {0}: something outside your usual",
}
_UNNAMED = {
    "follows": "Often opened after what you opened last",
    "goes_with": "Often opened by people who opened what you did",
    "similar": "Like what you opened last",
    "taste": "Fits what you opened",
    "segment": "Popular with people like you",
    "here": "Popular with visitors like you",
    "fresh": "New here",
    "popular": "Opened by many people lately",
    "well_known": "Popular over a long time",
    "catalogue": "From the catalogue of this site",
    "boost": "Recommended by this site",
    "interests": "Fits what you said that you are interested in",
    "exploration": "New or rarely shown: something outside your usual",
}


def write_sentence(explanation: Explanation) -> str:
    """Return one sentence for the person who sees the item.

    >>> write_sentence(Explanation("follows", ("“Rain”",)))
    'Often opened after “Rain”'
    """
    if explanation.names and explanation.kind in _NAMED:
        return _NAMED[explanation.kind].format(join_words(explanation.names))
    return _UNNAMED[explanation.kind]
