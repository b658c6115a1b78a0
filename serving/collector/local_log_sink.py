"""The local event log as a sink: a full part becomes Parquet in the background while the next takes events."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from ml.events.live_log import OpenPartWriter
from ml.events.log import EventLog

logger = logging.getLogger(__name__)
NOTHING_REFUSED: Mapping[int, str] = {}
SEALER_NICENESS = 10  # a seal takes a core for most of a second, which requests would wait for


def _give_way() -> None:
    """Let this thread run when nobody else wants the processor; on Linux a thread has a niceness of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), SEALER_NICENESS)


class LocalLogSink:
    """Stores events durably; another thread seals a part with `max_rows` rows or an age of `max_age_seconds`.

    A part that cannot be sealed, for example because the disk is full, stays as it is and is sealed with the next.
    """

    def __init__(self, event_log: EventLog, max_rows: int, max_age_seconds: float) -> None:
        self._log = event_log
        self._max_rows = max_rows
        self._max_age_seconds = max_age_seconds
        self._sealer = ThreadPoolExecutor(1, thread_name_prefix="collector-sealer", initializer=_give_way)
        self._unsealed: list[OpenPartWriter] = []  # of the sealer's thread
        self._open_new()

    def append(self, events: pa.Table) -> Mapping[int, str]:
        """Durable when it returns, every row.

        Raises:
            OSError: the disk refused; nothing was stored.
        """
        if not self._rows:
            self._opened = dt.datetime.now(dt.UTC)
        self._writer.append(events)
        self._rows += len(events)
        if self._rows >= self._max_rows:
            self._rotate()
        return NOTHING_REFUSED

    def maintain(self) -> None:
        """Hand the open part to the sealing thread once it is old enough."""
        age = dt.datetime.now(dt.UTC) - self._opened
        if age.total_seconds() >= self._max_age_seconds and (self._rows or self._unsealed):
            self._rotate()

    def seal(self) -> Future[None]:
        """Hand the open part to the sealing thread, whatever its age.

        Returns:
            A future that is done after the part is sealed.
        """
        return self._rotate()

    def close(self) -> None:
        """Seal everything."""
        self._rotate()
        self._sealer.shutdown(wait=True)

    def _rotate(self) -> Future[None]:
        sealed = self._sealer.submit(self._seal, self._writer)
        self._open_new()
        return sealed

    def _seal(self, writer: OpenPartWriter) -> None:
        self._unsealed.append(writer)
        while self._unsealed:
            try:
                self._unsealed[0].seal()
            except OSError:
                logger.exception("a part could not be sealed; it is complete on disk and is retried")
                return
            del self._unsealed[0]

    def _open_new(self) -> None:
        never = float("inf")
        self._writer = OpenPartWriter(self._log, "collector", max_rows=2**62, max_age_seconds=never)
        self._rows = 0
        self._opened = dt.datetime.now(dt.UTC)
