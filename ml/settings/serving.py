"""Settings of the section `serving`."""

from typing import Literal

from pydantic import Field

from ml.settings.section import Section


class StateSettings(Section):
    """Bounds of the online state; reasons stand in settings.yaml."""

    engine: Literal["sqlite", "redis"]
    max_changes: int = Field(ge=1)
    max_visitors: int = Field(ge=1)
    max_visits: int = Field(ge=1)


class ChallengerSettings(Section):
    """How much of the traffic a second bundle gets; reasons stand in settings.yaml."""

    version: str
    canary_share: float = Field(ge=0, le=1)
    shadow_share: float = Field(ge=0, le=1)
    interleaved_share: float = Field(ge=0, le=1)


class LogsSettings(Section):
    """What the service tells of its requests; reasons stand in settings.yaml."""

    requests: Literal["all", "slow", "none"]
    slow_ms: float = Field(gt=0)


class TracesSettings(Section):
    """OpenTelemetry; reasons stand in settings.yaml."""

    exporter: Literal["none", "file", "otlp"]
    endpoint: str
    share: float = Field(ge=0, le=1)


class ServingSettings(Section):
    """Knobs of `serving`; their reasons stand in settings.yaml."""

    workers: int = Field(ge=1, le=64)
    max_k: int = Field(ge=1, le=1000)
    default_k: int = Field(ge=1, le=1000)
    bundle_check_seconds: float = Field(gt=0)
    budget_ms: float = Field(gt=0)
    surroundings_file: str
    surroundings_stale_seconds: float = Field(gt=0)
    personal_candidates: int = Field(ge=1)
    approximate_above_items: int = Field(ge=1)
    challenger: ChallengerSettings
    logs: LogsSettings
    traces: TracesSettings
    state: StateSettings
