"""The Kafka topic of events: what a message is, and how what the topic holds comes into the log.

A message is an event as JSON, the contract's fields by name; its key is the person, so that one person's events
keep their order. Delivery is at least once: a message read again has the id that it had before, and a repeat of an
id is the same event.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ml.errors import TesseraError
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.validation import validate_records
from ml.home import Home
from ml.settings.kafka import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

SOURCE = "kafka"
POLLED_MESSAGES, POLL_SECONDS = 10_000, 0.1  # the client waits so long for so many


class TopicError(TesseraError):
    """The topic cannot be reached or read; what was taken in before stays."""


@dataclass(frozen=True)
class Backlog:
    """Messages that are not in the log yet, by partition: the offset of the first, and that behind the last."""

    first: Mapping[int, int] = field(default_factory=dict)
    end: Mapping[int, int] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """How many they are."""
        return sum(end - self.first[partition] for partition, end in self.end.items())


@dataclass(frozen=True)
class TakenIn:
    """What came of the topic's messages."""

    events: int = 0
    rejected: int = 0


def client_options(settings: KafkaSettings, home: Home) -> dict[str, Any]:
    """Options of librdkafka for both ends; those in the owner's file win.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line of it is not `name=value`.
        TopicError: the client is not installed.
    """
    if importlib.util.find_spec("confluent_kafka") is None:
        raise TopicError("Kafka needs the package confluent-kafka, which the extra `kafka` brings")
    options: dict[str, Any] = {"bootstrap.servers": settings.bootstrap_servers, "client.id": "tessera"}
    return options | (_options_of(home.path / settings.client_file) if settings.client_file else {})


def message_of(event: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Key and value for an event (the contract's fields, `properties` as JSON text)."""
    fields = {name: value for name, value in event.items() if value is not None}
    if "properties" in fields:
        fields["properties"] = orjson.Fragment(fields["properties"])
    return str(event["anonymous_id"] or event["user_id"]).encode(), orjson.dumps(fields)


def backlog(home: Home, settings: KafkaSettings) -> Backlog:
    """What waits in the topic.

    Raises:
        TopicError: the brokers cannot be reached.
    """
    with _consumer(home, settings) as consumer:
        return _backlog(consumer, settings)


def take_in(home: Home, settings: KafkaSettings, default_consent: Sequence[str], now: dt.datetime) -> TakenIn:
    """Take what the topic holds at this moment into the log, and its malformed messages into the dead letters.

    Offsets are committed when the events are sealed: whoever is killed in between takes some events in twice.

    Args:
        home: where the log is.
        settings: the topic and how to read it.
        default_consent: purposes of an event that names none.
        now: the clock; `received_at` of events that bring none.

    Raises:
        TopicError: the brokers cannot be reached, or sent nothing for `timeout_seconds`.
    """
    with _consumer(home, settings) as consumer:
        waiting = _backlog(consumer, settings)
        done = TakenIn()
        for messages in _batches(consumer, settings, waiting):
            taken = _write(messages, home, default_consent, now)
            consumer.commit(offsets=_behind(messages), asynchronous=False)
            done = TakenIn(done.events + taken.events, done.rejected + taken.rejected)
        return done


def _batches(consumer: Consumer, settings: KafkaSettings, waiting: Backlog) -> Iterator[list[Message]]:
    """Messages up to the ends of the partitions as they were when `waiting` was asked."""
    from confluent_kafka import KafkaError, TopicPartition  # noqa: PLC0415

    unread = {partition for partition, end in waiting.end.items() if end > waiting.first[partition]}
    consumer.assign([TopicPartition(settings.topic, partition, waiting.first[partition]) for partition in unread])
    messages: list[Message] = []
    heard = time.monotonic()
    while unread:
        found = consumer.consume(min(POLLED_MESSAGES, settings.batch_events), POLL_SECONDS)
        if found:
            heard = time.monotonic()
        elif time.monotonic() - heard > settings.timeout_seconds:
            raise TopicError(f"{settings.topic}: nothing came for {settings.timeout_seconds:g} s")
        for message in found:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is None and offset < waiting.end[partition]:
                messages.append(message)
            elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise TopicError(f"{settings.topic}: {error.str()}")
            if error is not None or offset >= waiting.end[partition] - 1:
                unread.discard(partition)
        if len(messages) >= settings.batch_events:
            yield messages
            messages = []
    if messages:
        yield messages


def _write(messages: Sequence[Message], home: Home, default_consent: Sequence[str], now: dt.datetime) -> TakenIn:
    records = [_record(message, default_consent, now) for message in messages]
    valid, _ = validate_records(records, now)
    first = messages[0]
    batch = f"{SOURCE}-{first.topic()}-{first.partition()}-{first.offset()}"
    DeadLetters(home).write(valid.rejected, SOURCE, now, batch_id=batch)
    with EventLog(home).ingest(SOURCE) as writer:
        writer.write(valid.accepted)
    return TakenIn(len(valid.accepted), len(valid.rejected))


def _record(message: Message, default_consent: Sequence[str], now: dt.datetime) -> Any:
    try:
        event = orjson.loads(message.value() or b"")
    except orjson.JSONDecodeError:
        return (message.value() or b"").decode("utf-8", "replace")  # no object: rejected, with what it says
    if not isinstance(event, dict):
        return event
    _, sent_ms = message.timestamp()
    defaults = {
        "event_id": f"{message.topic()}-{message.partition()}-{message.offset()}",
        "occurred_at": dt.datetime.fromtimestamp(sent_ms / 1_000, dt.UTC) if sent_ms > 0 else now,
        "received_at": now,
        "consent": list(default_consent),
        "source": SOURCE,
    }
    return defaults | {name: value for name, value in event.items() if value is not None}


def _backlog(consumer: Consumer, settings: KafkaSettings) -> Backlog:
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

    try:
        found = consumer.list_topics(settings.topic, settings.timeout_seconds).topics[settings.topic].partitions
        asked = [TopicPartition(settings.topic, partition) for partition in sorted(found)]
        first, end = {}, {}
        for place in consumer.committed(asked, settings.timeout_seconds) if asked else []:
            low, high = consumer.get_watermark_offsets(place, settings.timeout_seconds)
            known = low <= place.offset <= high  # not so without a commit, or where the topic was made anew
            first[place.partition] = place.offset if known else low
            end[place.partition] = high
        return Backlog(first, end)
    except KafkaException as error:
        raise TopicError(f"{settings.bootstrap_servers}: {error.args[0].str()}") from error


def _behind(messages: Sequence[Message]) -> list[TopicPartition]:
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    last = {(message.topic(), message.partition()): message.offset() for message in messages}
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in last.items()]


@contextmanager
def _consumer(home: Home, settings: KafkaSettings) -> Iterator[Consumer]:
    options = client_options(settings, home)
    from confluent_kafka import Consumer  # noqa: PLC0415

    own = {"group.id": settings.group, "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(options | own)
    try:
        yield consumer
    finally:
        consumer.close()


def _options_of(file: Path) -> dict[str, str]:
    options = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if not equals and line.strip() and not line.startswith("#"):
            raise ValueError(f"{file}: {line[:40]!r} is not name=value")
        if equals and not line.startswith("#"):
            options[name.strip()] = value.strip()
    return options
