"""Settings of the section `kafka`."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from ml.settings.section import Section


class KafkaSettings(Section):
    """Knobs of `kafka`; their reasons stand in settings.yaml."""

    bootstrap_servers: str
    topic: str = Field(min_length=1)
    group: str = Field(min_length=1)
    client_file: Path | None
    timeout_seconds: PositiveFloat
    batch_events: PositiveInt
