"""Two readings of explicit ratings: low ones are rejections, or every rated item is one that the person chose.

Whoever rates a film one star has watched it all the same, and often people with the same taste watched it too.
Which reading teaches a model more depends on the data; people judge both by what they liked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from ml.recommenders.selection.plan.families import ITEM_NEIGHBOURS
from ml.recommenders.selection.plan.trials import TrialRunner, WorkBudget
from ml.recommenders.training_data import TrainingData


def has_two_readings(data: TrainingData) -> bool:
    """Whether there are ratings, some of which are rejections."""
    return data.interactions.ratings is not None and bool((data.interactions.weights < 0).any())


def all_liked(data: TrainingData) -> TrainingData:
    """The data with every interaction as a liked one of the same weight."""
    matrix = data.interactions.matrix
    ones = sparse.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), matrix.shape)
    return replace(data, interactions=replace(data.interactions, matrix=ones))


def prefers_all_liked(runner: TrialRunner) -> bool:
    """Whether a cheap model ranks what people liked better if it learns from all that they rated.

    Args:
        runner: its past has rejections; its judges' held-back interactions are those that they liked.
    """
    window = replace(runner.window, past=all_liked(runner.window.past))
    values = []
    for judged in (runner.window, window):
        tried = TrialRunner(judged, WorkBudget(0.0), runner.seed).run(ITEM_NEIGHBOURS)
        values.append(float("-inf") if tried is None else tried[0].value)
    return values[1] > values[0]
