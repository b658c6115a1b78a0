"""Measures one worker now and then: its memory, the age of its bundle, and what the scorer's cache answered."""

from __future__ import annotations

import datetime as dt

import psutil

from serving.bundles.served_bundle import ServedBundle
from serving.observability.metrics import CACHE, MODEL_AGE_SECONDS, RESIDENT_BYTES


class WorkerGauges:
    """Sets the metrics that no request sets."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def measure(self, champion: ServedBundle) -> None:
        """Measure the process and the bundle that answers."""
        _count_lookups(champion)
        RESIDENT_BYTES.set(self._process.memory_info().rss)
        if champion.index is not None:
            age = dt.datetime.now(dt.UTC) - champion.index.bundle.as_of
            MODEL_AGE_SECONDS.set(age.total_seconds())


def _count_lookups(champion: ServedBundle) -> None:
    scorer = champion.scorer
    hits, misses = scorer.hits, scorer.misses
    scorer.hits = scorer.misses = 0
    CACHE.labels("hit").inc(hits)
    CACHE.labels("miss").inc(misses)
