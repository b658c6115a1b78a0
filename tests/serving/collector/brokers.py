"""Kafka brokers for tests: librdkafka's mock cluster, which lives in a producer and speaks over real sockets."""

from __future__ import annotations

from confluent_kafka import Producer


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

    def stop(self) -> None:
        """End the cluster, with all that it holds."""
        self._cluster = None
