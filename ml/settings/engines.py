"""Settings of the sections `kafka`, `spark` and `storage`: the engines of a site that has outgrown one machine."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from ml.settings.section import Section, knob

Engine = Literal["local", "spark"]
"""Where a stage of the pipeline does its work: in its own process, or on Spark."""


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
    dead_letter_topic: str = knob(
        "",
        "Topic to which messages that are no events are sent, with the fault in their headers; empty for none. The"
        " dead letters of the home keep them in either case.",
    )
    group: str = knob(
        "tessera",
        "Consumer group whose offsets show how far the log has read; the log itself knows it, too.",
        min_length=1,
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
        "Events sealed together, about 150 MB in memory; a killed run goes on after the last batch.",
        unit="events",
        gt=0,
    )


class SparkSettings(Section):
    """Where Spark runs, for the stages whose `engine` is `spark`."""

    master: str = knob(
        "local[*]",
        "Cluster in Spark's own notation, such as spark://host:7077, yarn or k8s://https://host; local[*] is this"
        " machine with all its cores.",
        min_length=1,
    )
    options: dict[str, str] = knob(
        {},
        "Further options of Spark by their names, such as `spark.executor.memory` or `spark.driver.memory`;"
        " `spark.pyspark.python` names the Python of the executors, in which Tessera is installed too.",
    )


class StorageSettings(Section):
    """Where programs on several machines find what they share."""

    bundles: str = knob(
        "",
        "Folder of an object store through which bundles reach services that share no disk with the pipeline, such"
        " as s3://bucket/site, gs://bucket/site or file:///mnt/site; empty for none. It needs one for each site.",
    )

    @field_validator("bundles")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        """Refuse what is no address of a folder, and passwords, since the settings are published."""
        parts = urlsplit(address)
        if address and not (parts.scheme and (parts.netloc or parts.path.strip("/"))):
            raise ValueError("must be an address such as s3://bucket/site or file:///mnt/site")
        if parts.password:
            raise ValueError(
                "must be an address without a password, which belongs in the object store's environment variables"
            )
        return address
