"""Who judges: people with a history, and enough of them, or a split that leaves more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ml.errors import InvalidInputError
from ml.evaluation.bootstrap import FEWEST_JUDGES
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import Ranked, ValidationWindow

MOST_JUDGES = 3_000
JUDGED_CELLS = 20_000_000  # judges × items that are ranked for each trial
OTHER_SPLITS = ("leave-last-out", "random")


def judged_window(
    data: TrainingData,
    validation: str,
    seed: int,
    log: Callable[[str], None] = lambda line: None,
    ranked: Ranked | None = None,
) -> tuple[ValidationWindow, str]:
    """Hold interactions back by the split, or by another one where too few people could judge by it.

    Only people with a history judge: to strangers all models are the same few popular items, and where strangers
    are most of those held back, they would choose a model for people who they are not.

    Args:
        data: interactions and features to divide.
        validation: name of the split.
        seed: seed of the split and of the draw of judges.
        log: Receives a line where another split is taken.
        ranked: which items are ranked; None: new ones, if most of what is held back is on them and items have
            features, else all.

    Returns:
        The window, and the name of its split.

    Raises:
        EmptySplitError: no split leaves anything to learn from and to judge by.
        ValueError: the split needs what the data does not have.
    """
    best: tuple[ValidationWindow, str] | None = None
    reason: EmptySplitError | None = None
    for split in (validation, *(other for other in OTHER_SPLITS if other != validation)):
        try:
            window = held_back(data, split, seed, ranked)
        except EmptySplitError as error:
            reason = reason or error
            continue
        except InvalidInputError:
            if split == validation:
                raise
            continue
        n = len(window.users)
        if best is None or n > len(best[0].users):
            if best is not None or split != validation:
                before = 0 if best is None else len(best[0].users)
                log(
                    f"{before} people can judge by the split {best[1] if best else validation!r}: "
                    f"choosing by {split!r}, with {n:,}"
                )
            best = window, split
        if n >= FEWEST_JUDGES:
            break
    if best is None:
        assert reason is not None
        raise reason
    return best


def describe_judges(window: ValidationWindow, split: str) -> str:
    """A sentence that says by how many people is judged, and whether they are too few."""
    n = len(window.users)
    few = f"; fewer than {FEWEST_JUDGES} can seldom tell models apart" if n < FEWEST_JUDGES else ""
    return f"{'1 person judges' if n == 1 else f'{n:,} people judge'} by what the split {split!r} holds back{few}"


def held_back(data: TrainingData, split: str, seed: int, ranked: Ranked | None) -> ValidationWindow:
    """The window of one split, judged by people with a history.

    Raises:
        EmptySplitError: the split leaves nothing to learn from or to judge by.
        ValueError: it needs what the data does not have.
    """
    return _of_known(
        ValidationWindow.hold_back(data, split, seed=seed, most_users=_most_judges(data), ranked=ranked)
    )


def _most_judges(data: TrainingData) -> int:
    return int(np.clip(JUDGED_CELLS // max(1, len(data.interactions.items)), FEWEST_JUDGES * 5, MOST_JUDGES))


def _of_known(window: ValidationWindow) -> ValidationWindow:
    """The window with the judges who have a history; as it is where nobody has one."""
    has_history = np.diff(window.past.interactions.liked[window.users].indptr) > 0
    if not has_history.any() or has_history.all():
        return window
    return replace(
        window, users=window.users[has_history], relevant=window.relevant[has_history], had=window.had[has_history]
    )
