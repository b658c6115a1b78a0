"""Measures one worker now and then: its memory, the age of its bundle, the cache of its scorer, open alarms."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import psutil

from ml.home import FileVersion, Home, file_version
from ml.monitoring.journal import Journal
from ml.settings.operation import SEVERITIES
from serving.bundles.served_bundle import ServedBundle
from serving.observability.metrics import (
    BUNDLE_AGE_SECONDS,
    CACHE,
    MODEL_AGE_SECONDS,
    OPEN_ALARMS,
    RESIDENT_BYTES,
)


class WorkerGauges:
    """Sets the metrics that no request sets."""

    def __init__(self, home: Home) -> None:
        self._process = psutil.Process()
        self._journal = Journal(home)
        self._journal_version: FileVersion | None = None
        for severity in SEVERITIES:
            OPEN_ALARMS.labels(severity).set(0)

    def measure(self, champion: ServedBundle) -> None:
        """Measure the process and the bundle that answers."""
        _count_lookups(champion)
        RESIDENT_BYTES.set(self._process.memory_info().rss)
        if champion.index is not None:
            bundle, now = champion.index.bundle, dt.datetime.now(dt.UTC)
            MODEL_AGE_SECONDS.set((now - bundle.as_of).total_seconds())
            BUNDLE_AGE_SECONDS.set((now - bundle.written_at).total_seconds())
        self._count_alarms()

    def _count_alarms(self) -> None:
        """Read the journal again if it has changed."""
        version = file_version(self._journal.file)
        if version == self._journal_version:
            return
        self._journal_version = version  # first, so that a damaged journal is reported once
        severities = Counter(entry.facts["severity"] for entry in self._journal.unacknowledged())
        for severity in SEVERITIES:
            OPEN_ALARMS.labels(severity).set(severities[severity])


def _count_lookups(champion: ServedBundle) -> None:
    scorer = champion.scorer
    hits, misses = scorer.hits, scorer.misses
    scorer.hits = scorer.misses = 0
    CACHE.labels("hit").inc(hits)
    CACHE.labels("miss").inc(misses)
