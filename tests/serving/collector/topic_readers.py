"""Processes that read a topic into one log at the same time and are killed again and again, and what is left."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import Producer

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.topic import import_topic
from ml.home import Home
from ml.settings import load_settings
from tests.serving.collector.brokers import Brokers

READER = """
import datetime as dt, sys
from pathlib import Path
from ml.events.topic import import_topic
from ml.home import Home
from ml.settings import load_settings
home, servers, topic = sys.argv[1:]
kafka = {"bootstrap_servers": servers, "topic": topic, "batch_events": 150, "timeout_seconds": 10.0}
settings = load_settings().kafka.model_copy(update=kafka)
print("ready", flush=True)
while True:
    import_topic(Home(Path(home)), settings, [], dt.datetime.now(dt.UTC))
"""
WRONG_EVERY = 10  # each tenth message is no event
READERS = 2


@dataclass(frozen=True)
class Read:
    """What is in the log and in the dead letters, against what was sent."""

    kills: int
    events: int
    letters: int
    lost: int
    doubled: int
    letters_lost: int
    letters_doubled: int


class TopicReaders:
    """Two processes that read one topic into one home.

    Args:
        brokers: The mock cluster.
        home: The home of the log.
        topic: The topic.
        seed: Seed of the moments of the kills.
    """

    def __init__(self, brokers: Brokers, home: Home, topic: str, seed: int) -> None:
        self.brokers, self.home, self.topic = brokers, home, topic
        self._random = random.Random(seed)

    def run(self, kills: int, messages: int) -> Read:
        """Send messages while the readers are killed, then let them read to the end, and count."""
        readers = [self._start() for _ in range(READERS)]
        each = -(-messages // (kills + 1))
        sent = 0
        for _ in range(kills):
            self._send(range(sent, min(sent + each, messages)))
            sent = min(sent + each, messages)
            time.sleep(self._random.uniform(0.0, 0.4))
            victim = self._random.randrange(READERS)
            readers[victim].kill()
            readers[victim].wait()
            readers[victim] = self._start()
        self._send(range(sent, messages))
        for reader in readers:
            reader.kill()
            reader.wait()
        settings = load_settings().kafka.model_copy(
            update={"bootstrap_servers": self.brokers.address, "topic": self.topic}
        )
        import_topic(self.home, settings, [], dt.datetime.now(dt.UTC))
        return self._count(messages, kills)

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", READER, str(self.home.path), self.brokers.address, self.topic]
        reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        return reader

    def _send(self, numbers: range) -> None:
        producer = Producer({"bootstrap.servers": self.brokers.address})
        for number in numbers:
            kind = "nonsense" if number % WRONG_EVERY == 0 else "click"
            event = {"event_id": f"e{number}", "event_type": kind, "user_id": f"u{number % 40}"}
            producer.produce(self.topic, json.dumps(event), f"u{number % 40}")
        assert producer.flush(20) == 0

    def _count(self, messages: int, kills: int) -> Read:
        events = Counter(
            one
            for batch in EventLog(self.home).read(columns=["event_id"])
            for one in batch["event_id"].to_pylist()
        )
        payloads = DeadLetters(self.home).read()["payload"].to_pylist()
        letters = Counter(json.loads(payload)["event_id"] for payload in payloads)
        wrong = {f"e{number}" for number in range(0, messages, WRONG_EVERY)}
        right = {f"e{number}" for number in range(messages)} - wrong
        return Read(
            kills=kills,
            events=events.total(),
            letters=letters.total(),
            lost=len(right - events.keys()),
            doubled=events.total() - len(events),
            letters_lost=len(wrong - letters.keys()),
            letters_doubled=letters.total() - len(letters),
        )
