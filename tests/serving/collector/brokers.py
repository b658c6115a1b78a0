"""Kafka brokers for tests: librdkafka's mock cluster, which lives in a producer and speaks over real sockets."""

from __future__ import annotations

import uuid

from confluent_kafka import Consumer, Message, Producer


class Brokers:
    """A mock cluster of three brokers."""

    def __init__(self) -> None:
        self._cluster: Producer | None = Producer({"test.mock.num.brokers": 3})
        brokers = self._cluster.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def send(self, topic: str, *values: bytes) -> None:
        """Produce messages and wait for their delivery."""
        producer = Producer({"bootstrap.servers": self.address})
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(10) == 0

    def read(self, topic: str, count: int) -> list[Message]:
        """Consume the first messages of a topic."""
        group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
        consumer = Consumer({"bootstrap.servers": self.address, **group})
        consumer.subscribe([topic])
        messages: list[Message] = []
        while len(messages) < count:
            messages += consumer.consume(count - len(messages), 10)
        consumer.close()
        return messages

    def stop(self) -> None:
        """End the cluster, with all that it holds."""
        self._cluster = None
