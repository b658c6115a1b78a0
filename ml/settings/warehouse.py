"""Settings of the section `warehouse`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ml.settings.section import Section

Hour = Annotated[int, Field(ge=0, le=24)]
Share = Annotated[float, Field(ge=0, le=1)]


class FunnelSettings(Section):
    """Ordered steps that a session or a user takes inside a window."""

    per: Literal["session", "user"]
    window_hours: int = Field(ge=1)
    steps: Annotated[list[str], Field(min_length=2)]


class WarehouseSettings(Section):
    """Knobs of `warehouse`; their reasons stand in settings.yaml. All of them reach dbt as variables."""

    duckdb_threads: int = Field(ge=1)
    dbt_threads: int = Field(ge=1)
    memory_limit: str
    session_timeout_minutes: int = Field(ge=1)
    bucket_seconds: int = Field(ge=1)
    heartbeat_seconds: int = Field(ge=1)
    rage_click_seconds: float = Field(gt=0)
    referrer_channels: dict[str, list[str]]
    dayparts: dict[str, tuple[Hour, Hour]]
    daypart_min_sessions: int = Field(ge=1)
    daypart_min_share: float = Field(ge=0, le=1)
    bot_min_page_views: int = Field(ge=1)
    bot_page_views_per_minute: int = Field(ge=1)
    leave_out_bots: bool
    leave_out_internal: bool
    internal_url_patterns: list[str]
    clock_skew_seconds: int = Field(ge=0)
    max_skewed_share: Share
    max_bot_share: Share
    max_unknown_device_share: Share
    min_volume_ratio: Share
    max_negative_share: Share
    dwell_cap_seconds: int = Field(ge=1)
    interaction_weights: dict[str, float]
    interaction_half_life_days: float = Field(gt=0)
    affinity_tags: int = Field(ge=1)
    funnels: Annotated[dict[str, FunnelSettings], Field(min_length=1)]
    outcome_first_day: int = Field(le=0)
    outcome_last_day: int = Field(ge=0)
    trend_half_life_hours: float = Field(gt=0)
    freshness_half_life_days: float = Field(gt=0)
    conversion_prior_views: float = Field(gt=0)
    conversion_prior_rate: float = Field(ge=0, le=1)
    inactive_days: int = Field(ge=1)
    new_days: int = Field(ge=0)
    frequent_active_share: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _buckets_are_shorter_than_silence(self) -> Self:
        if self.bucket_seconds >= self.session_timeout_minutes * 60:
            raise ValueError(
                f"bucket_seconds is {self.bucket_seconds}; it must be below session_timeout_minutes"
                f" ({self.session_timeout_minutes} minutes), or silence inside a bucket is overlooked"
            )
        return self
