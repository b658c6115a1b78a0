"""[kafka_kills] two readers of one topic, kill -9 of either again and again: each message is in the log once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from ml.home import Home
from tests.serving.collector.brokers import Brokers
from tests.serving.collector.topic_readers import TopicReaders

KILLS, MESSAGES, ROUNDS = 20, 20_000, 3


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the kills and the messages of each round; a tenth of the messages are no events."""
    kills, messages = max(1, round(KILLS * size)), max(100, round(MESSAGES * size))
    brokers, began = Brokers(), time.perf_counter()
    lost = doubled = letters_lost = letters_doubled = 0
    for seed in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            read = TopicReaders(brokers, Home(Path(folder) / "home"), f"round-{seed}", seed).run(kills, messages)
        lost, doubled = lost + read.lost, doubled + read.doubled
        letters_lost, letters_doubled = letters_lost + read.letters_lost, letters_doubled + read.letters_doubled
    rows, seconds = ROUNDS * messages, time.perf_counter() - began
    name = f"kafka.{{}}_in_{ROUNDS * kills}_kills"
    yield Figure(name.format("lost"), lost, "events", rows=rows, seconds=seconds)
    yield Figure(name.format("doubled"), doubled, "events", rows=rows)
    yield Figure(name.format("letters_lost"), letters_lost, "dead letters", rows=rows)
    yield Figure(name.format("letters_doubled"), letters_doubled, "dead letters", rows=rows)
