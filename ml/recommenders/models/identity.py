"""Whether items get identity embeddings beside their features: chosen on interactions that are held back.

An identity learns what the features do not say, and takes from them what they could have learned: where most
items that matter are new, and have no identity yet, features that learned alone rank far better.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ml.evaluation.splits import EmptySplitError
from ml.recommenders.base import Recommender
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow, sample_users

CHOICES: tuple[int | None, ...] = (None, 5, 1)  # the simplest first: it wins a tie
UNJUDGED = 1  # where there is nothing to choose by
MOST_USERS = 3_000  # whose interactions the comparison trains on: a second or two for all choices
MOST_JUDGED = 500


def choose_identity(
    make: Callable[[int | None], Recommender], data: TrainingData, seed: int
) -> tuple[int | None, dict[str, float]]:
    """The number of interactions from which an item gets an identity (None: never), and the judgement on each.

    Args:
        make: an unfitted recommender with this choice.
        data: interactions and features to choose on.
        seed: seed of the held-back window and of the sample of users.
    """
    try:
        window = ValidationWindow.hold_back(
            sample_users(data, MOST_USERS, seed), seed=seed, most_users=MOST_JUDGED
        )
    except EmptySplitError:
        return UNJUDGED, {}
    figures: dict[int | None, float] = {}
    for choice in CHOICES:
        recommender = make(choice).fit_aligned(window.past)
        figures[choice] = float(np.nanmean(window.judge(recommender)))
    best = max(figures, key=lambda choice: figures[choice])
    return best, {"never" if choice is None else f"from_{choice}": value for choice, value in figures.items()}
