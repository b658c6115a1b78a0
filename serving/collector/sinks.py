"""Where accepted events go: the event log of this home, or a Kafka topic that materializations take them from."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

import pyarrow as pa

from ml.events.log import EventLog
from ml.events.topic import client_options
from ml.home import Home
from ml.settings import Settings
from serving.collector.local_log_sink import LocalLogSink


class Sink(Protocol):
    """Stores events durably; only the writer's thread calls it."""

    def append(self, events: pa.Table) -> Mapping[int, str]:
        """Store events (EVENT_SCHEMA); all but the returned rows are durable when it returns.

        Returns:
            Rows that can never be stored here, each with the reason.

        Raises:
            OSError: the disk refused, and nothing was stored.
            SinkUnavailableError: the broker is away; some events may have been stored.
        """
        ...

    def maintain(self) -> None:
        """Do periodic work; called between groups, at least once a second.

        Raises:
            OSError: the disk refused; it is tried again at the next call.
        """
        ...

    def seal(self) -> Future[None] | None:
        """Bring open files into their final form, as an erasure needs it; None if no file is open."""
        ...

    def close(self) -> None:
        """Finish what is open."""
        ...


def open_sink(home: Home, settings: Settings) -> Sink:
    """The sink that the settings name.

    Raises:
        TopicError: The client of Kafka is not installed, or the file of client options is wrong.
    """
    limits = settings.collector
    if limits.sink == "kafka":
        options = client_options(settings.kafka, home)
        from serving.collector.kafka_sink import KafkaSink  # noqa: PLC0415  (the client is an extra)

        return KafkaSink(settings.kafka, options)
    return LocalLogSink(EventLog(home), limits.part_rows, limits.part_age_seconds)
