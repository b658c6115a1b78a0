"""Settings of the section `warehouse`, all of which reach dbt as variables."""

import re
from difflib import get_close_matches
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from babel.numbers import list_currencies
from pydantic import Field, field_validator, model_validator

from ml.settings.section import Section, knob

Hour = Annotated[int, Field(ge=0, le=24)]


FUNNEL_STEP = re.compile(r"((?:custom:)?[^:@#'\\{}\s]+)(?:([:@#])([^'\\{}\n]+))?")
"""Type, then `@` and a page, `#` and an element, or `:` and a pattern. Quotes would end a text in SQL."""
FunnelStep = Annotated[str, Field(pattern=f"^{FUNNEL_STEP.pattern}$")]
FunnelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]


class FunnelSettings(Section):
    """Ordered steps that a session or a user takes inside a window."""

    per: Literal["session", "user"]
    window_hours: int = Field(ge=1)
    steps: Annotated[list[FunnelStep], Field(min_length=2)]


class WarehouseSettings(Section):
    """How events become sessions, users, items and interactions, and which data is not plausible."""

    duckdb_threads: int = knob(2, "Threads of DuckDB; one per core.", unit="threads", ge=1)
    dbt_threads: int = knob(
        1, "Models that dbt builds at once; DuckDB already uses every core for one.", unit="models", ge=1
    )
    memory_limit: str = knob(
        "8GiB", "Memory of DuckDB; beyond it DuckDB spills into the home.", unit="size with unit"
    )
    site_timezone: str = knob(
        "UTC",
        "Days begin at midnight in this time zone, and it is that of visitors whose own is not known.",
        unit="IANA name",
    )
    session_timeout_minutes: int = knob(
        30, "Silence that ends a session; the web's convention.", unit="minutes", ge=1
    )
    trusted_session_sources: list[str] = knob(
        ["snowplow", "google_analytics_4"],
        "Sources whose own session ids are taken as they are: one id is one session of a person on a device,"
        " whatever the silence and the campaign. Sessions of other sources are derived: with an empty list, all.",
    )
    bucket_seconds: int = knob(
        900,
        "Width of the buckets in which silence is looked for; must be shorter than the timeout.",
        unit="seconds",
        ge=1,
    )
    heartbeat_seconds: int = knob(
        10, "Pings of a page in the same slot of this length are one heartbeat.", unit="seconds", ge=1
    )
    same_view_seconds: float = knob(
        5.0,
        "A page view and the view of a product at the same address within this time count as one view.",
        unit="seconds",
        ge=0,
    )
    rage_click_seconds: float = knob(
        1.0, "Three clicks on one element within this time are rage clicks.", unit="seconds", gt=0
    )
    search_signals: dict[str, list[str]] = knob(
        {"coupon": ["%coupon%"]},
        "Searches that announce a conversion, each name with SQL patterns on the query in lower case: "
        "`signals_before_conversion` of `sessions` counts them as `search:<name>`.",
    )
    referrer_channels: dict[str, list[str]] = knob(
        {
            "search": ["%google.%", "%bing.%", "%duckduckgo.%", "%ecosia.%", "%yahoo.%"],
            "social": [
                *("%facebook.%", "%instagram.%", "%t.co/%", "%twitter.%"),
                *("%x.com/%", "%linkedin.%", "%reddit.%", "%pinterest.%"),
            ],
            "email": ["%mail.%", "%newsletter.%"],
        },
        "Channel of a session whose landing address names none, by SQL patterns on the referrer.",
    )
    dayparts: dict[str, tuple[Hour, Hour]] = knob(
        {"morning": (5, 12), "afternoon": (12, 17), "evening": (17, 22), "night": (22, 5)},
        "First hour of each part of the day and the hour after its last, on the clock of the user's time zone.",
        unit="hours",
    )
    daypart_min_sessions: int = knob(
        4, "Sessions below which a user has no daypart: the evidence is too thin.", unit="sessions", ge=1
    )
    daypart_min_share: float = knob(
        0.4, "Share of the sessions below which a daypart is no habit.", unit="share of sessions", ge=0, le=1
    )
    bot_min_page_views: int = knob(
        50, "A session with fewer is never called a bot for its speed.", unit="page views", ge=1
    )
    bot_page_views_per_minute: int = knob(
        20, "Speed from which a session is a bot's: faster than anybody reads.", unit="page views a minute", ge=1
    )
    bot_min_conversions: int = knob(
        100,
        "A session with fewer conversions is never called a bot for their speed. Only conversions that a browser"
        " sends count: a server may send many at once.",
        unit="conversions",
        ge=1,
    )
    bot_conversions_per_minute: int = knob(
        5, "Speed from which a session is a bot's: faster than anybody orders.", unit="conversions a minute", ge=1
    )
    currency: str | None = knob(
        None,
        "Currency of `revenue`, a code of ISO 4217, in which amounts are that name none. Without it, the one that"
        " most purchases of the log name, else the one of most prices in the catalogue.",
    )
    exchange_rates_file: str = knob(
        "exchange_rates.csv",
        "File of the site with the columns day, currency and rate: what one unit is worth in `currency`. Purchases"
        " without a rate count, and their amounts stand apart, in `revenue_by_currency`.",
    )
    exchange_rate_days: int = knob(
        7,
        "Days for which a rate holds where no newer one is given; banks give none on holidays.",
        unit="days",
        ge=1,
    )
    count_browser_conversions: bool = knob(
        False,
        "Count purchases that only a browser reports in `purchases` and `revenue`, and give conversions of"
        " browsers their weight. Otherwise they are claims, which only `claimed_purchases` and `claimed_revenue`"
        " count.",
    )
    value_limits: dict[str, tuple[float, float]] = knob(
        {
            "page_ping": (0, 3_600),
            "page_exit": (0, 86_400),
            "hover": (0, 3_600_000),
            "scroll": (0, 100),
            "cursor": (0, 10_000_000),
            "video_progress": (0, 100),
            "rating": (0, 100),
            "purchase": (-1_000_000_000, 1_000_000_000),
        },
        "Least and largest plausible `value` of an event type. A value outside counts as missing, and the event"
        " stands in `quarantine`.",
        unit="unit of the type",
    )
    max_quarantined_share: float = knob(
        0.05,
        "Events in quarantine above which training stops.",
        unit="share of events",
        ge=0,
        le=1,
    )
    popularity_views_per_person: int = knob(
        3,
        "Views of an item by one person that its popularity counts; one visitor makes nothing popular.",
        unit="views",
        ge=1,
    )
    leave_out_bots: bool = knob(True, "Bots are flagged in `sessions` and counted nowhere else.")
    leave_out_internal: bool = knob(True, "The same for the site's own people.")
    internal_url_patterns: list[str] = knob(
        ["%//localhost%", "%//127.0.0.1%", "%.internal/%"],
        "SQL patterns on the page's address that tell the site's own people.",
    )
    clock_skew_seconds: int = knob(
        300,
        "An event that claims to have happened this long after it was received has a wrong clock.",
        unit="seconds",
        ge=0,
    )
    max_skewed_share: float = knob(
        0.02, "Events with a wrong clock above which a check warns.", unit="share of events", ge=0, le=1
    )
    max_bot_share: float = knob(
        0.5,
        "Bots among the sessions of the last seven days above which a check warns.",
        unit="share of sessions",
        ge=0,
        le=1,
    )
    max_unknown_device_share: float = knob(
        0.5,
        "Unknown devices among the sessions of the last seven days above which a check warns.",
        unit="share of sessions",
        ge=0,
        le=1,
    )
    min_volume_ratio: float = knob(
        0.5,
        "Sessions of the last whole day, relative to the mean of the same weekday in four weeks, below which a"
        " check warns.",
        unit="ratio",
        ge=0,
        le=1,
    )
    max_negative_share: float = knob(
        0.98,
        "Negative interactions above which there is nothing to learn from and training stops.",
        unit="share of interactions",
        ge=0,
        le=1,
    )
    dwell_cap_seconds: int = knob(
        120, "Engaged time on an item beyond this says no more about interest.", unit="seconds", ge=1
    )
    interaction_weights: dict[str, float] = knob(
        {
            "page_view": 1,
            "click": 1,
            "like": 4,
            "bookmark": 4,
            "share": 5,
            "comment": 4,
            "follow": 4,
            "rating": 2,
            "video_play": 1,
            "add_to_cart": 4,
            "checkout": 4,
            "purchase": 8,
            "dislike": -4,
            "not_interested": -8,
        },
        "What one event of a type says about interest.",
        unit="page views",
    )
    interaction_half_life_days: float = knob(30, "An interaction this old counts half.", unit="days", gt=0)
    affinity_tags: int = knob(12, "Strongest tags that are kept for a user; the rest is noise.", unit="tags", ge=1)
    funnels: dict[FunnelName, FunnelSettings] = knob(
        {
            "purchase": FunnelSettings(
                per="session", window_hours=24, steps=["page_view", "add_to_cart", "checkout", "purchase"]
            ),
            "purchase_by_user": FunnelSettings(
                per="user", window_hours=168, steps=["page_view", "add_to_cart", "checkout", "purchase"]
            ),
            "form": FunnelSettings(per="session", window_hours=24, steps=["form_start", "form_submit"]),
        },
        "Ordered steps, taken per session or per user inside the window: an event type, `type@page` with the"
        " address of a page up to a question mark, `type#element`, or `type:pattern of the page's address`. A step"
        " whose event type the site has never sent is left out.",
        min_length=1,
    )
    outcome_first_day: int = knob(
        -28, "Days before the exposure that experiments may use as covariates.", unit="days", le=0
    )
    outcome_last_day: int = knob(90, "Days after the exposure for which outcomes are kept.", unit="days", ge=0)
    trend_half_life_hours: float = knob(12, "A view this old counts half in the trend.", unit="hours", gt=0)
    freshness_half_life_days: float = knob(7, "An item this old is half as fresh.", unit="days", gt=0)
    conversion_prior_views: float = knob(
        50, "Strength of the shrinkage of an item's conversion rate.", unit="views", gt=0
    )
    conversion_prior_rate: float = knob(
        0.02, "The rate that an item's conversion rate is shrunk to.", unit="share of views", ge=0, le=1
    )
    watched_days: int = knob(
        84,
        "Days that monitoring looks back: four weeks from which it learns what is usual, and eight in which it"
        " looks for changes.",
        unit="days",
        ge=14,
    )
    inactive_days: int = knob(
        90, "A user who came on several days and then not for this long is inactive.", unit="days", ge=1
    )
    new_days: int = knob(7, "A user whose first visit is nearer than this is new.", unit="days", ge=0)
    frequent_active_share: float = knob(
        0.14,
        "A user is frequent who surely comes back on this share of the days since the first visit: once a week.",
        unit="share of days",
        gt=0,
        le=1,
    )
    evidence_standard_errors: float = knob(
        1.645,
        "How sure that is: the lower bound of the share lies this far below it, which holds in 95 of 100 cases.",
        unit="standard errors",
        ge=0,
    )

    @field_validator("site_timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        zones = available_timezones()
        if name not in zones:
            nearest, *_ = [*get_close_matches(name, sorted(zones), n=1), "Europe/Berlin"]
            raise ValueError(f"must be an IANA time zone such as {nearest}")
        return name

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str | None) -> str | None:
        if currency is not None and currency not in list_currencies():
            raise ValueError("must be an ISO 4217 code in capitals, such as EUR")
        return currency

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> Self:
        for event_type, (least, most) in self.value_limits.items():
            if not least <= 0 < most:
                raise ValueError(
                    f"value_limits of {event_type} are {least} to {most}; they must hold zero and more"
                )
        return self

    @model_validator(mode="after")
    def _buckets_are_shorter_than_silence(self) -> Self:
        if self.bucket_seconds >= self.session_timeout_minutes * 60:
            raise ValueError(
                f"bucket_seconds is {self.bucket_seconds}; it must be below session_timeout_minutes"
                f" ({self.session_timeout_minutes} minutes), or silence inside a bucket is overlooked"
            )
        return self
