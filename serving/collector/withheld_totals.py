"""Daily counts by event type of the events withheld for want of consent; nothing else of them is stored."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections import Counter
from pathlib import Path

import orjson

from ml.events.contract import EVENT_TYPES
from ml.home import Home, make_folder, open_private

FLUSH_SECONDS = 60.0


class WithheldTotals:
    """Counts since the last `flush`; the file below the home gets one line a day, type and flush."""

    def __init__(self, home: Home) -> None:
        self.path: Path = home.path / "withheld_totals.jsonl"
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()
        self._flushed_at = time.monotonic()

    def count(self, day: dt.date, event_type: object) -> None:
        """One event that is not kept. Types of the site's own count as `custom`: a name can tell too much."""
        name = event_type if isinstance(event_type, str) and event_type in EVENT_TYPES else "custom"
        with self._counting:
            self._counts[day.isoformat(), name] += 1

    def flush_if_old(self) -> None:
        """Flush counts of a minute or more."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Append the counts to the file.

        Raises:
            OSError: the disk refused; the counts stay for the next flush.
        """
        self._flushed_at = time.monotonic()
        with self._counting:
            counts, self._counts = self._counts, Counter()
        try:
            self._append(counts)
        except OSError:
            with self._counting:
                self._counts += counts
            raise

    def _append(self, counts: Counter[tuple[str, str]]) -> None:
        if not counts:
            return
        lines = b"".join(
            orjson.dumps({"date": date, "event_type": name, "events": events}) + b"\n"
            for (date, name), events in sorted(counts.items())
        )
        make_folder(self.path.parent)
        with open(self.path, "ab", opener=open_private) as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
