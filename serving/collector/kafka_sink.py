"""A Kafka topic as the place where accepted events go; materializations take them from there into the log."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ml.events.topic import build_message
from ml.settings.engines import KafkaSettings
from serving.collector.submissions import SinkUnavailableError

TOO_LARGE = "has {bytes} bytes, more than the topic takes"


class KafkaSink:
    """Events are durable when all in-sync replicas have them.

    Args:
        settings: topic and timeout.
        options: of librdkafka, which go over those of the sink.
    """

    def __init__(self, settings: KafkaSettings, options: Mapping[str, Any]) -> None:
        self._topic = settings.topic
        defaults = {"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 1}
        defaults["delivery.timeout.ms"] = round(settings.timeout_seconds * 1_000)
        self._producer = Producer(defaults | dict(options))

    def append(self, events: pa.Table) -> Mapping[int, str]:
        """Send events; all but the rows that are too large are durable when it returns.

        Raises:
            SinkUnavailableError: the brokers did not take all events in time; they can be sent again unharmed.
        """
        refused: dict[int, str] = {}
        failures: list[KafkaError] = []

        def delivered(row: int, size: int, error: KafkaError | None, _: Message) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                refused[row] = TOO_LARGE.format(bytes=size)
            elif error is not None:
                failures.append(error)

        for row, event in enumerate(events.to_pylist()):
            key, value = build_message(event)
            on_delivery = partial(delivered, row, len(value))
            try:
                self._produce(key, value, on_delivery)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise SinkUnavailableError(f"Kafka: {error.args[0].str()}") from error
                refused[row] = TOO_LARGE.format(bytes=len(value))
        self._producer.flush()  # every message is delivered or given up within the timeout
        if failures:
            raise SinkUnavailableError(f"Kafka did not take {len(failures)} events: {failures[0].str()}")
        return refused

    def maintain(self) -> None:
        """Let the client serve its delivery reports."""
        self._producer.poll(0)

    def seal(self) -> None:
        """Nothing is open here: events are the topic's, whose own retention removes them."""

    def close(self) -> None:
        """Send what is left."""
        self._producer.flush()

    def _produce(self, key: bytes, value: bytes, on_delivery: partial[None]) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=on_delivery)
                return
            except BufferError:  # the client's queue is full: wait until some are delivered
                self._producer.poll(0.1)
