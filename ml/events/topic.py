"""The Kafka topic of events: the format of its messages, and the import of the topic into the log.

A message is an event as JSON with the contract's field names. Its key is the person, so that the events of a
person keep their order. Each message is in the log exactly once: how far the topic was read is part of the line
that seals the events. The offsets of the consumer group say the same to those who watch it, a moment later.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from ml.errors import TesseraError
from ml.events.dead_letter_topic import DeadLetterTopic
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog, ReadUntil
from ml.events.normalization.fields import normalize_record
from ml.events.normalization.ids import NOBODY
from ml.events.validation import validate_records
from ml.home import Home, locked
from ml.settings.engines import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

logger = logging.getLogger(__name__)

SOURCE, LOCK = "kafka", ".kafka.lock"
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
    """Numbers of messages that became events, that were rejected, and that came in the meantime and wait."""

    events: int = 0
    rejected: int = 0
    waiting: int = 0


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
        return _read_backlog(consumer, settings, home)


def import_topic(
    home: Home, settings: KafkaSettings, default_consent: Sequence[str], now: dt.datetime
) -> TopicImport:
    """Import the messages that the topic holds now into the log, and malformed ones into the dead letters.

    A process that is killed leaves whole batches, and the next one goes on after them. A second process waits.

    Args:
        home: The home with the event log.
        settings: The topic and how to read it.
        default_consent: Purposes of an event that names none.
        now: The present time, which is the `received_at` of events without one.

    Raises:
        TopicError: The brokers cannot be reached, or sent nothing for `timeout_seconds`.
        DeadLetterTopicError: The topic of the dead letters did not take a message.
    """
    with locked(home.events / LOCK), _consumer(home, settings) as consumer:
        backlog = _read_backlog(consumer, settings, home)
        total, letters = TopicImport(), _dead_letter_topic(settings, home)
        for messages in _batches(consumer, settings, backlog):
            batch = _write(messages, home, default_consent, now, letters)
            _commit(consumer, messages)
            total = TopicImport(total.events + batch.events, total.rejected + batch.rejected)
        return replace(total, waiting=_read_backlog(consumer, settings, home).messages)


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


def _dead_letter_topic(settings: KafkaSettings, home: Home) -> DeadLetterTopic | None:
    if not settings.dead_letter_topic:
        return None
    return DeadLetterTopic(settings.dead_letter_topic, client_options(settings, home), settings.timeout_seconds)


def _write(
    messages: Sequence[Message],
    home: Home,
    default_consent: Sequence[str],
    now: dt.datetime,
    letters: DeadLetterTopic | None,
) -> TopicImport:
    placeholders: Counter[str] = Counter()
    records = [_record(message, default_consent, now, placeholders) for message in messages]
    for name, count in placeholders.items():
        logger.warning("%s in %d messages of the topic %s %s", name, count, messages[0].topic(), NOBODY)
    valid, _ = validate_records(records, now)
    _keep_rejected(messages, valid.rejected, home, now)
    if letters is not None:
        rejected = valid.rejected.select(["row", "field", "reason"]).to_pylist()
        letters.send((messages[letter["row"]], letter["field"], letter["reason"]) for letter in rejected)
    with EventLog(home).ingest(SOURCE, read_until=_read_until(messages)) as writer:
        writer.write(valid.accepted)
    return TopicImport(len(valid.accepted), len(valid.rejected))


def _keep_rejected(messages: Sequence[Message], rejected: pa.Table, home: Home, now: dt.datetime) -> None:
    """Write the dead letters of each partition under the offset from which the log goes on.

    They are written before the log says that the messages were read, and replaced where they are read again.
    """
    partitions = np.array([message.partition() for message in messages])
    offsets = np.array([message.offset() for message in messages])
    of_letter = partitions[np.asarray(rejected["row"], dtype=np.int64)]
    for partition in np.unique(of_letter):
        batch = f"{SOURCE}-{messages[0].topic()}-{partition}-{offsets[partitions == partition].min()}"
        DeadLetters(home).write(rejected.filter(pa.array(of_letter == partition)), SOURCE, now, batch_id=batch)


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


def _read_backlog(consumer: Consumer, settings: KafkaSettings, home: Home) -> Backlog:
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

    try:
        metadata = consumer.list_topics(settings.topic, settings.timeout_seconds).topics[settings.topic]
        partitions = [TopicPartition(settings.topic, partition) for partition in sorted(metadata.partitions)]
        first, end = {}, {}
        in_log = EventLog(home).read_until(settings.topic)
        for committed in consumer.committed(partitions, settings.timeout_seconds) if partitions else []:
            low, high = consumer.get_watermark_offsets(committed, settings.timeout_seconds)
            position = in_log.get(committed.partition, committed.offset)  # of a log from before it knew positions
            first[committed.partition] = _start_at(position, low, high, committed)
            end[committed.partition] = high
        return Backlog(first, end)
    except KafkaException as error:
        raise TopicError(f"{settings.bootstrap_servers}: {error.args[0].str()}") from error


def _start_at(position: int, low: int, high: int, partition: TopicPartition) -> int:
    """Return the offset to read from, and warn where messages are gone or the topic was made anew."""
    if low <= position <= high:
        return position
    name = f"{partition.topic}, partition {partition.partition}"
    if 0 <= position < low:
        logger.warning(
            "%s: the brokers removed %d messages before they were read; their retention is too short for the"
            " time between two runs",
            name,
            low - position,
        )
    elif position > high:
        logger.warning("%s: ends at %d, before %d that was read: it was made anew", name, high, position)
    return low


def _read_until(messages: Sequence[Message]) -> ReadUntil:
    """Return the offset after the last message of each partition."""
    last = {(message.topic(), message.partition()): message.offset() + 1 for message in messages}
    return tuple((topic, partition, end) for (topic, partition), end in last.items())


def _commit(consumer: Consumer, messages: Sequence[Message]) -> None:
    """Tell the brokers how far the group has read, for those who watch it; the log knows it already."""
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

    offsets = [TopicPartition(*read) for read in _read_until(messages)]
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        logger.warning("the offsets of the group are behind the log: %s", error.args[0].str())


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
