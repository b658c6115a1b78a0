"""The topic for messages that are no events, from which the teams that sent them can read what was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ml.errors import TesseraError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

FIELD, REASON, TOPIC, PARTITION, OFFSET = "field", "reason", "topic", "partition", "offset"


class DeadLetterTopicError(TesseraError):
    """The topic did not take a message, which is sent when the topic of the events is read again."""


class DeadLetterTopic:
    """Sends rejected messages as they came, with the fault in their headers.

    The headers `field` and `reason` say what was wrong; `topic`, `partition` and `offset` name the message. After
    a kill a message may be sent again, with the same three.

    Args:
        name: The topic.
        options: Options of librdkafka for the producer.
        timeout_seconds: Time for the delivery.
    """

    def __init__(self, name: str, options: Mapping[str, Any], timeout_seconds: float) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415

        self._name, self._failures = name, list[str]()
        timeout = {"delivery.timeout.ms": round(timeout_seconds * 1_000)}
        self._producer: Producer = Producer({**options, "enable.idempotence": True, **timeout})

    def send(self, rejected: Iterable[tuple[Message, str, str]]) -> None:
        """Send messages with the field at fault and the reason, and wait until all are delivered.

        Raises:
            DeadLetterTopicError: The brokers did not take all of them.
        """
        for message, field, reason in rejected:
            place = {TOPIC: message.topic(), PARTITION: message.partition(), OFFSET: message.offset()}
            headers = {FIELD: field, REASON: reason, **{name: str(value) for name, value in place.items()}}
            while True:
                try:
                    self._producer.produce(
                        self._name, message.value(), message.key(), headers=headers, on_delivery=self._delivered
                    )
                    break
                except BufferError:  # the client's queue is full: wait until some are delivered
                    self._producer.poll(0.1)
        self._producer.flush()
        if self._failures:
            count, first = len(self._failures), self._failures[0]
            self._failures.clear()
            raise DeadLetterTopicError(f"{self._name} did not take {count} rejected messages: {first}")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(error.str())
