"""Settings of the section `kafka`: events through a broker instead of the local log."""

from pathlib import Path

from ml.settings.section import Section, knob


class KafkaSettings(Section):
    """Where the brokers are and how events are read from them."""

    bootstrap_servers: str = knob(
        "", "Brokers as host:port,…; where it is set, materializations first take in what the topic holds."
    )
    topic: str = knob(
        "tessera-events",
        "Topic of the events, one JSON object a message; how long brokers keep them is the topic's own setting.",
        min_length=1,
    )
    group: str = knob(
        "tessera", "Consumer group whose offsets say which events are in the log already.", min_length=1
    )
    client_file: Path | None = knob(
        None, "File in the home with more options of librdkafka, name=value a line, such as sasl.password."
    )
    timeout_seconds: float = knob(
        10,
        "Time for delivery, after which the answer is 503, and for each answer of the brokers.",
        unit="seconds",
        gt=0,
    )
    batch_events: int = knob(
        50_000,
        "Events sealed together, about 150 MB in memory; offsets are committed with each batch.",
        unit="events",
        gt=0,
    )
