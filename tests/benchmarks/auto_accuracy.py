"""NDCG@10 of `auto` against the best of EASE, implicit's ALS, LightFM and neighbours, tuned in the same run.

Every data set gives one figure: `value` is `auto`'s NDCG@10 on the test, `rival_value` that of the rival that is
best on the test, `seconds` the processor time of `auto`. The last figures are the mean of the ratios and the mean
over the seeds of the films. SIZE below 1 takes fewer seeds and draws fewer people.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
from accuracy.data_sets import data_sets
from accuracy.rivals import best_rivals, test_ndcg
from figure import Figure

from ml.recommenders.selection.auto import choose

ONLY = "AUTO_ACCURACY_ONLY"  # names of data sets, by comma: a quick look at some of them


def measure(size: float) -> Iterator[Figure]:
    only = os.environ.get(ONLY, "")
    ratios, films = [], []
    for data in data_sets(size):
        if only and not any(data.name.startswith(name) for name in only.split(",")):
            continue
        start = time.process_time()
        chosen = choose(data.train, data.validation, ranked=data.ranked)
        seconds = time.process_time() - start
        value = test_ndcg(chosen.recommender, data)
        rivals = {name: figure for name, _, figure in best_rivals(data)}
        best = max(rivals, key=rivals.__getitem__)
        ratios.append(value / rivals[best])
        if data.name.startswith("films"):
            films.append(value)
        rows = data.train.interactions.n_pairs
        yield Figure(f"auto_{data.name}", value, "NDCG@10", best, rivals[best], ratios[-1], rows, seconds)
    yield Figure(
        "auto_mean_ratio", float(np.mean(ratios)), "ratio", "best rival of each", 1.0, float(np.mean(ratios))
    )
    if films:
        yield Figure("auto_films", float(np.mean(films)), "NDCG@10")
