"""The approximate index on 100,000 items: what it finds of the top 50, and a query's time against all products.

The vectors are those of a hybrid: a spectrum that falls, and a popularity bias that goes into every product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from figure import Figure

from ml.decisions.items.factor_index import FactorIndex

N_FACTORS, PLACES, QUERIES = 64, 50, 300


def measure(size: float) -> Iterator[Figure]:
    random = np.random.default_rng(0)
    n_items = max(1_000, int(100_000 * size))
    spectrum = (1 / np.sqrt(np.arange(1, N_FACTORS + 1))).astype(np.float32)
    items = random.normal(size=(n_items, N_FACTORS)).astype(np.float32) * spectrum
    items = np.column_stack([items, random.exponential(1, n_items).astype(np.float32)])
    queries = random.normal(size=(QUERIES, N_FACTORS)).astype(np.float32) * spectrum
    queries = np.column_stack([queries, np.ones(QUERIES, np.float32)])
    start = time.perf_counter()
    graph, exact = FactorIndex(items, approximate_above=0), FactorIndex(items, approximate_above=n_items)
    built = time.perf_counter() - start
    asked = random.choice(n_items, QUERIES, replace=False).tolist()
    for name, search, all_items, questions in (
        ("product", graph.by_product, exact.by_product, list(queries)),
        ("cosine", graph.by_cosine, exact.by_cosine, asked),
    ):
        (found, seconds), (truth, rival) = (one_by_one(ask, questions) for ask in (search, all_items))
        recall = np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth, strict=True)])
        yield Figure(f"nearest {name} recall", float(recall), f"of the top {PLACES}", rows=n_items, seconds=built)
        yield Figure(
            f"nearest {name} query",
            seconds * 1e3,
            "ms",
            "all products",
            rival * 1e3,
            rival / seconds,
            n_items,
            built,
        )


def one_by_one(search: Callable[[Any, int], np.ndarray], questions: list[Any]) -> tuple[list[np.ndarray], float]:
    """Answers, and seconds of a question, asked alone as a service asks."""
    start = time.perf_counter()
    answers = [search(question, PLACES) for question in questions]
    return answers, (time.perf_counter() - start) / len(questions)
