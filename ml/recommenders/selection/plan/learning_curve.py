"""Learning curve: how much better a recipe becomes with more of the interactions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml.evaluation.bootstrap import Interval
from ml.recommenders.selection.plan.recipes import Recipe
from ml.recommenders.selection.plan.trials import Trial, TrialRunner, WorkBudget

SHARES = (0.25, 0.5)


@dataclass(frozen=True)
class CurvePoint:
    """What a recipe reaches on a share of the past.

    Attributes:
        n_pairs: interactions that it was fitted on.
        interval: of the metric, for the same judges at every point.
    """

    n_pairs: int
    interval: Interval


def learning_curve(runner: TrialRunner, recipe: Recipe, whole: Trial) -> tuple[CurvePoint, ...]:
    """Fit the recipe on random shares of the past and judge it each time; the last point is the whole past.

    Args:
        runner: what fits and judges; its budget and trials are left alone.
        recipe: what is fitted.
        whole: the trial of the recipe on the whole past.
    """
    past = runner.window.past
    drawn = np.random.default_rng(runner.seed).random(past.interactions.n_pairs)
    points = []
    for share in SHARES:
        part = past.interactions.select(drawn < share)
        if not part.liked.nnz:
            continue
        window = replace(runner.window, past=replace(past, interactions=part))
        tried = TrialRunner(window, WorkBudget(0.0), runner.seed).run(recipe)
        if tried is not None:
            points.append(CurvePoint(part.n_pairs, tried[0].interval))
    return (*points, CurvePoint(past.interactions.n_pairs, whole.interval))
