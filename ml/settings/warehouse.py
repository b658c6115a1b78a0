"""Settings of the section `warehouse`."""

from pydantic import Field

from ml.settings.section import Section


class WarehouseSettings(Section):
    """Knobs of `warehouse`; their reasons stand in settings.yaml. All of them reach dbt as variables."""

    duckdb_threads: int = Field(ge=1)
    dbt_threads: int = Field(ge=1)
    memory_limit: str
    session_timeout_minutes: int = Field(ge=1)
    bucket_seconds: int = Field(ge=1)
    heartbeat_seconds: int = Field(ge=1)
    dwell_cap_seconds: int = Field(ge=1)
    interaction_weights: dict[str, float]
    interaction_half_life_days: float = Field(gt=0)
    trend_half_life_hours: float = Field(gt=0)
    conversion_prior_views: float = Field(gt=0)
    conversion_prior_rate: float = Field(ge=0, le=1)
    inactive_days: int = Field(ge=1)
    new_days: int = Field(ge=0)
    frequent_active_share: float = Field(gt=0, le=1)
    daypart_min_sessions: int = Field(ge=1)
