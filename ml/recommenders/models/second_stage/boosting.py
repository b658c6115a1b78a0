"""Gradient boosting of candidates (LightGBM), reproducible and in one thread."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np
import numpy.typing as npt

from ml.arrays import F32


def boosted(
    x: F32,
    y: F32,
    groups: Sequence[int],
    start: npt.NDArray[np.floating] | None,
    *,
    objective: str,
    trees: int,
    leaves: int,
    learning_rate: float,
    min_leaf: int,
    seed: int,
) -> str:
    """LightGBM's model as text.

    Args:
        x: features of the pairs, (n_rows, d).
        y: (n_rows,), confidence of what was taken, 1 on average, and 0 for the rest, which weighs 1.
        groups: rows of each user, which lambdarank compares.
        start: (n_rows,), scores that boosting begins from; None: the mean.
        objective: LightGBM's name of the objective.
        trees: number of trees.
        leaves: largest number of leaves of a tree.
        learning_rate: factor on the output of each tree.
        min_leaf: least number of rows in a leaf, on small data at most a twentieth of the rows.
        seed: seed of the sampling of rows and features.
    """
    taken = (y > 0).astype(np.float32)
    weight = np.where(y > 0, y, 1).astype(np.float32)
    begin = None if start is None else start + _log_odds(float(np.average(taken, weights=weight)))
    data = lightgbm.Dataset(
        x,
        taken,
        weight=None if (weight == 1).all() else weight,
        group=groups if objective == "lambdarank" else None,
        init_score=begin,
    )
    params = {
        "objective": objective,
        "learning_rate": learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": min(min_leaf, max(1, len(y) // 20)),
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "lambdarank_truncation_level": 20,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,  # its threads spin while they wait: two on a busy machine are far slower
        "seed": seed,
        "verbose": -1,
    }
    return str(lightgbm.train(params, data, trees).model_to_string())


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share))) if 0 < share < 1 else 0.0
