"""Finalists judged on further random shares: one share of a few items a person hardly tells near equals apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ml.arrays import F64
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.selection.plan.finalists import Finalist
from ml.recommenders.selection.plan.trials import TrialRunner, WorkBudget
from ml.recommenders.validation import ValidationWindow

MOST_SHARES = 2


def judged_again(
    finalists: Sequence[Finalist],
    hold_back: Callable[[int], ValidationWindow],
    runner: TrialRunner,
    allowance: float,
) -> list[Finalist]:
    """The finalists with the values of the judges of further shares in `again`, as many as the work allows.

    Each share is held back anew, and everything is fitted to what it leaves.

    Args:
        finalists: what competes.
        hold_back: takes a seed, returns the window of a random share of the same data.
        runner: its seed is that of the first share, its log receives a line; its budget and trials are left alone.
        allowance: units of work.
    """
    cost = sum(runner.work(finalist.recipe) for finalist in finalists)
    values: list[list[F64]] = [[] for _ in finalists]
    for number in range(1, min(MOST_SHARES, int(allowance / cost)) + 1):
        try:
            window = hold_back(runner.seed + number)
        except EmptySplitError:
            break
        judged = TrialRunner(window, WorkBudget(0.0), runner.seed)
        results = [judged.run(finalist.recipe) for finalist in finalists]
        tried = [result[0].per_user for result in results if result is not None]
        if len(tried) < len(finalists):
            break  # one of them cannot be fitted to this share
        for of_finalist, per_user in zip(values, tried, strict=True):
            of_finalist.append(per_user)
    if not values[0]:
        return list(finalists)
    judged_finalists = [
        replace(finalist, again=np.concatenate(parts)) for finalist, parts in zip(finalists, values, strict=True)
    ]
    figures = ", ".join(
        f"{finalist.trial.configuration.model} {np.nanmean(finalist.again):.4f}" for finalist in judged_finalists
    )
    runner.log(f"on {len(values[0])} further random share{'s' * (len(values[0]) > 1)}: {figures}")
    return judged_finalists
