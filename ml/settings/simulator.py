"""Settings of the section `simulator`."""

from __future__ import annotations

from pydantic import Field, model_validator

from ml.settings.section import Section


class EngagementSettings(Section):
    """Who comes how often. Shares are of the users at the start."""

    frequent_share: float = Field(ge=0, le=1)
    lapsed_share: float = Field(ge=0, le=1)
    frequent_visit_probability: tuple[float, float]
    occasional_period_days: tuple[float, float]
    lapsed_period_days: tuple[float, float]
    lapsed_silence_days: int = Field(ge=1)
    second_visit_probability: float = Field(ge=0, le=1)
    weekend_factor: float = Field(gt=0, le=1)
    favourite_daypart_share: float = Field(ge=0, le=1)
    hour_weights: tuple[float, ...] = Field(min_length=24, max_length=24)


class IdentitySettings(Section):
    """Who is known, on which devices, and what they consented to."""

    known_at_once_share: float = Field(ge=0, le=1)
    never_known_share: float = Field(ge=0, le=1)
    known_after_days: float = Field(gt=0)
    logged_in_share: float = Field(ge=0, le=1)
    second_device_share: float = Field(ge=0, le=1)
    third_device_share: float = Field(ge=0, le=1)
    main_device_use: float = Field(gt=0, le=1)
    shared_device_share: float = Field(ge=0, le=1)
    consent_shares: tuple[float, float, float, float]
    withdrawal_share: float = Field(ge=0, le=1)
    late_grant_share: float = Field(ge=0, le=1)


class BrowsingSettings(Section):
    """How a session unfolds."""

    bounce_share: float = Field(ge=0, lt=1)
    stop_alpha: float = Field(gt=0)
    stop_beta: float = Field(gt=0)
    front_page_share: float = Field(ge=0, le=1)
    focus_share: float = Field(ge=0, le=1)
    shown_items: int = Field(ge=2, le=8)
    position_exponent: float = Field(ge=0)
    interest_exponent: float = Field(ge=0)
    foreign_language_factor: float = Field(gt=0, le=1)
    appeal_sigma: float = Field(ge=0)
    recency_floor: float = Field(ge=0)
    dwell_median_seconds: float = Field(gt=0)
    dwell_sigma: float = Field(gt=0)
    heartbeat_seconds: float = Field(gt=0)
    slot_share: float = Field(ge=0, le=1)


class ConversionSettings(Section):
    """The funnel, and the micro-interactions that do or do not move it."""

    add_to_cart: float = Field(gt=0, le=1)
    checkout: float = Field(gt=0, le=1)
    purchase: float = Field(gt=0, le=1)
    remove_from_cart: float = Field(ge=0, le=1)
    intent_sigma: float = Field(ge=0)
    gallery_zoom_lift: float = Field(ge=0)
    review_read_lift: float = Field(ge=0)


class PlantedChangeSettings(Section):
    """Experiments and the change of taste; times as shares of the planned days."""

    experiment_start: float = Field(ge=0, le=1)
    experiment_length: float = Field(ge=0, le=1)
    running_start: float = Field(ge=0, le=1)
    checkout_lift: float = Field(gt=-1)
    newsletter_rate: float = Field(gt=0, le=1)
    newsletter_lift: float = Field(gt=-1)
    taste_change: float = Field(ge=0, le=1)
    taste_change_users: float = Field(ge=0, le=1)


class FaultSettings(Section):
    """What real logs suffer from; shares of events unless said otherwise."""

    bot_share: float = Field(ge=0, le=1)
    duplicate_share: float = Field(ge=0, le=1)
    late_session_share: float = Field(ge=0, le=1)
    late_hours_max: float = Field(ge=1)
    malformed_share: float = Field(ge=0, le=1)


class SimulatorSettings(Section):
    """Knobs of `simulator`; their reasons stand in settings.yaml."""

    users: int = Field(ge=10)
    days: int = Field(ge=1)
    seed: int = Field(ge=0)
    items: int = Field(ge=24)
    new_items_per_day: int = Field(ge=1)
    new_users_per_week: float = Field(ge=0, le=1)
    passers_by: float = Field(ge=0)
    personas: int = Field(ge=2)
    blend: tuple[float, float]
    interest_concentration: float = Field(gt=0)
    habit_sigma: float = Field(ge=0)
    language_shares: tuple[float, float, float]
    engagement: EngagementSettings
    identity: IdentitySettings
    browsing: BrowsingSettings
    conversion: ConversionSettings
    planted: PlantedChangeSettings
    faults: FaultSettings

    @model_validator(mode="after")
    def _shares_fit(self) -> SimulatorSettings:
        shares = self.engagement.frequent_share + self.engagement.lapsed_share
        if shares > 1:
            raise ValueError(f"frequent_share + lapsed_share is {shares}, more than 1")
        if self.engagement.occasional_period_days[1] * 2 >= self.engagement.lapsed_silence_days:
            raise ValueError("occasional_period_days: two periods must be shorter than lapsed_silence_days")
        return self
