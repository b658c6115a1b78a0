"""The Kafka topic of events: the format of its messages, and the import of the topic into the log.

A message is an event as JSON with the contract's field names. Its key is the person, so that the events of a
person keep their order. Delivery is at least once: a message that is read again yields the same event id as
before, and a repeated id is the same event.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ml.errors import TesseraError
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.normalization.fields import normalize_record
from ml.events.normalization.ids import NOBODY
from ml.events.validation import validate_records
from ml.home import Home
from ml.settings.engines import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

logger = logging.getLogger(__name__)

SOURCE = "kafka"
POLLED_MESSAGES, POLL_SECONDS = 10_000, 0.1  # the client waits for so many messages, and no longer


class TopicError(TesseraError):
    """The topic cannot be reached or read. Events that were imported before stay in the log."""


@dataclass(frozen=True)
class Backlog:
    """The messages that are not in the log yet.

    Attributes:
        first: Offset of the first message by partition.
        end: Offset after the last message by partition.
    """

    first: Mapping[int, int] = field(default_factory=dict)
    end: Mapping[int, int] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """The number of messages."""
        return sum(end - self.first[partition] for partition, end in self.end.items())


@dataclass(frozen=True)
class TopicImport:
    """Numbers of messages that became events and that were rejected."""

    events: int = 0
    rejected: int = 0


def client_options(settings: KafkaSettings, home: Home) -> dict[str, Any]:
    """Return the options of librdkafka for producers and consumers.

    The options in the owner's file replace those of the settings.

    Raises:
        OSError: The file cannot be read.
        TopicError: The client is not installed, or a line of the file is not `name=value`.
    """
    if importlib.util.find_spec("confluent_kafka") is None:
        raise TopicError(
            "Kafka needs the package confluent-kafka: install the extra, `pip install tessera[kafka]`"
        )
    options: dict[str, Any] = {"bootstrap.servers": settings.bootstrap_servers, "client.id": "tessera"}
    return options | (_read_options(home.path / settings.client_file) if settings.client_file else {})


def build_message(event: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the key and the value of the message for an event.

    Args:
        event: The contract's fields, `properties` as JSON text.
    """
    fields = {name: value for name, value in event.items() if value is not None}
    if "properties" in fields:
        fields["properties"] = orjson.Fragment(fields["properties"])
    return str(event["anonymous_id"] or event["user_id"]).encode(), orjson.dumps(fields)


def measure_backlog(home: Home, settings: KafkaSettings) -> Backlog:
    """Return what waits in the topic.

    Raises:
        TopicError: The brokers cannot be reached.
    """
    with _consumer(home, settings) as consumer:
        return _read_backlog(consumer, settings)


def import_topic(
    home: Home, settings: KafkaSettings, default_consent: Sequence[str], now: dt.datetime
) -> TopicImport:
    """Import the messages that the topic holds now into the log, and malformed ones into the dead letters.

    Offsets are committed after the events are sealed. A process that is killed in between imports some events
    twice.

    Args:
        home: The home with the event log.
        settings: The topic and how to read it.
        default_consent: Purposes of an event that names none.
        now: The present time, which is the `received_at` of events without one.

    Raises:
        TopicError: The brokers cannot be reached, or sent nothing for `timeout_seconds`.
    """
    with _consumer(home, settings) as consumer:
        backlog = _read_backlog(consumer, settings)
        total = TopicImport()
        for messages in _batches(consumer, settings, backlog):
            batch = _write(messages, home, default_consent, now)
            consumer.commit(offsets=_next_offsets(messages), asynchronous=False)
            total = TopicImport(total.events + batch.events, total.rejected + batch.rejected)
        return total


def _batches(consumer: Consumer, settings: KafkaSettings, backlog: Backlog) -> Iterator[list[Message]]:
    """Yield the messages of the backlog in batches."""
    from confluent_kafka import KafkaError, TopicPartition  # noqa: PLC0415

    unread = {partition for partition, end in backlog.end.items() if end > backlog.first[partition]}
    consumer.assign([TopicPartition(settings.topic, partition, backlog.first[partition]) for partition in unread])
    messages: list[Message] = []
    last_message_at = time.monotonic()
    while unread:
        polled = consumer.consume(min(POLLED_MESSAGES, settings.batch_events), POLL_SECONDS)
        if polled:
            last_message_at = time.monotonic()
        elif time.monotonic() - last_message_at > settings.timeout_seconds:
            raise TopicError(f"{settings.topic}: nothing came for {settings.timeout_seconds:g} s")
        for message in polled:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is None and offset < backlog.end[partition]:
                messages.append(message)
            elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise TopicError(f"{settings.topic}: {error.str()}")
            if error is not None or offset >= backlog.end[partition] - 1:
                unread.discard(partition)
        if len(messages) >= settings.batch_events:
            yield messages
            messages = []
    if messages:
        yield messages


def _write(
    messages: Sequence[Message], home: Home, default_consent: Sequence[str], now: dt.datetime
) -> TopicImport:
    placeholders: Counter[str] = Counter()
    records = [_record(message, default_consent, now, placeholders) for message in messages]
    for name, count in placeholders.items():
        logger.warning("%s in %d messages of the topic %s %s", name, count, messages[0].topic(), NOBODY)
    valid, _ = validate_records(records, now)
    first = messages[0]
    batch = f"{SOURCE}-{first.topic()}-{first.partition()}-{first.offset()}"
    DeadLetters(home).write(valid.rejected, SOURCE, now, batch_id=batch)
    with EventLog(home).ingest(SOURCE) as writer:
        writer.write(valid.accepted)
    return TopicImport(len(valid.accepted), len(valid.rejected))


def _record(message: Message, default_consent: Sequence[str], now: dt.datetime, placeholders: Counter[str]) -> Any:
    try:
        event = orjson.loads(message.value() or b"")
    except orjson.JSONDecodeError:
        return (message.value() or b"").decode("utf-8", "replace")  # no object, so it will be rejected
    if not isinstance(event, dict):
        return event
    event = {name: value for name, value in event.items() if value is not None}
    placeholders.update(normalize_record(event))
    _, sent_ms = message.timestamp()
    defaults = {
        "event_id": f"{message.topic()}-{message.partition()}-{message.offset()}",
        "occurred_at": dt.datetime.fromtimestamp(sent_ms / 1_000, dt.UTC) if sent_ms > 0 else now,
        "received_at": now,
        "consent": list(default_consent),
        "source": SOURCE,
    }
    return defaults | event


def _read_backlog(consumer: Consumer, settings: KafkaSettings) -> Backlog:
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

    try:
        metadata = consumer.list_topics(settings.topic, settings.timeout_seconds).topics[settings.topic]
        partitions = [TopicPartition(settings.topic, partition) for partition in sorted(metadata.partitions)]
        first, end = {}, {}
        for committed in consumer.committed(partitions, settings.timeout_seconds) if partitions else []:
            low, high = consumer.get_watermark_offsets(committed, settings.timeout_seconds)
            is_valid = low <= committed.offset <= high  # false before the first commit, or if the topic is new
            first[committed.partition] = committed.offset if is_valid else low
            end[committed.partition] = high
        return Backlog(first, end)
    except KafkaException as error:
        raise TopicError(f"{settings.bootstrap_servers}: {error.args[0].str()}") from error


def _next_offsets(messages: Sequence[Message]) -> list[TopicPartition]:
    """Return the offset after the last message of each partition."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    last = {(message.topic(), message.partition()): message.offset() for message in messages}
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in last.items()]


@contextmanager
def _consumer(home: Home, settings: KafkaSettings) -> Iterator[Consumer]:
    options = client_options(settings, home)
    from confluent_kafka import Consumer  # noqa: PLC0415

    required = {"group.id": settings.group, "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(options | required)
    try:
        yield consumer
    finally:
        consumer.close()


def _read_options(file: Path) -> dict[str, str]:
    options = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if not equals and line.strip() and not line.startswith("#"):
            raise TopicError(f"{file}: {line[:40]!r} is not name=value")
        if equals and not line.startswith("#"):
            options[name.strip()] = value.strip()
    return options
