"""Settings of the section `simulator`, which stand in a file of their own, simulator.yaml.

They describe a site that does not exist. A real site needs none of them.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ml.settings.section import Section, knob

# Share of clicks by local hour 0 to 23 in percent, measured on the Globo log (UTC-3).
GLOBO_HOUR_WEIGHTS = (
    *(2.07, 1.1, 0.62, 0.49, 0.56, 1.07, 2.44, 4.33, 6.17, 5.42, 5.65, 6.11),
    *(6.29, 6.75, 6.41, 6.37, 6.43, 6.02, 5.1, 4.72, 4.45, 4.24, 4.04, 3.16),
)


class EngagementSettings(Section):
    """Who comes how often. Shares are of the users at the start."""

    frequent_share: float = knob(0.10, "Users who come daily.", unit="share of users", ge=0, le=1)
    lapsed_share: float = knob(
        0.15,
        "Users without a visit for `lapsed_silence_days` at the planned end; nobody where `days` is too short for"
        " it.",
        unit="share of users",
        ge=0,
        le=1,
    )
    frequent_visit_probability: tuple[float, float] = knob(
        (0.6, 0.95), "Chance that a frequent user comes on a day, uniform over the users.", unit="probability"
    )
    occasional_period_days: tuple[float, float] = knob(
        (8.0, 28.0), "About monthly: one visit at a random moment of every such period.", unit="days"
    )
    lapsed_period_days: tuple[float, float] = knob(
        (2.5, 4.0), "The same for lapsed users before they left.", unit="days"
    )
    lapsed_silence_days: int = knob(90, "Silence that makes a user a lapsed one: three months.", unit="days", ge=1)
    second_visit_probability: float = knob(
        0.3, "Chance of a second session on the same day.", unit="probability", ge=0, le=1
    )
    weekend_factor: float = knob(
        0.85, "Frequent users come less at weekends.", unit="factor of the probability", gt=0, le=1
    )
    favourite_daypart_share: float = knob(
        0.78, "Visits that fall into the user's favourite daypart.", unit="share of visits", ge=0, le=1
    )
    hour_weights: tuple[float, ...] = knob(
        GLOBO_HOUR_WEIGHTS,
        "Clicks by local hour, 0 to 23, measured on the Globo log.",
        unit="percent",
        min_length=24,
        max_length=24,
    )


class IdentitySettings(Section):
    """Who is known, on which devices, and what they consented to."""

    known_at_once_share: float = knob(
        0.55, "Users who identify themselves on the first visit.", unit="share of users", ge=0, le=1
    )
    never_known_share: float = knob(0.10, "Users who stay anonymous.", unit="share of users", ge=0, le=1)
    known_after_days: float = knob(
        12.0, "Mean delay until the others identify themselves, exponential.", unit="days", gt=0
    )
    logged_in_share: float = knob(
        0.9, "Sessions of a known user that are logged in.", unit="share of sessions", ge=0, le=1
    )
    second_device_share: float = knob(
        0.35, "Known users with a second device.", unit="share of known users", ge=0, le=1
    )
    third_device_share: float = knob(
        0.06, "Known users with a third device.", unit="share of known users", ge=0, le=1
    )
    main_device_use: float = knob(
        0.8, "Sessions on the main device of users with several.", unit="share of sessions", gt=0, le=1
    )
    shared_device_share: float = knob(
        0.04,
        "Known users whose second device is the main device of somebody else.",
        unit="share of known users",
        ge=0,
        le=1,
    )
    consent_shares: tuple[float, float, float, float] = knob(
        (0.02, 0.06, 0.30, 0.62),
        "Users who grant nothing; analytics; personalization as well; and location as well.",
        unit="shares of users",
    )
    withdrawal_share: float = knob(
        0.02, "Users who withdraw personalization and location at some time.", unit="share of users", ge=0, le=1
    )
    late_grant_share: float = knob(
        0.03, "Users who grant personalization only later.", unit="share of users", ge=0, le=1
    )


class BrowsingSettings(Section):
    """How a session unfolds."""

    bounce_share: float = knob(
        0.22,
        "Sessions of one page. The Globo log holds none, so this is an assumption.",
        unit="share of sessions",
        ge=0,
        lt=1,
    )
    stop_alpha: float = knob(
        4.85,
        "From two pages on, the chance to stop is Beta(stop_alpha, stop_beta) a session, which fits the Globo"
        " session lengths .601 .213 .089 .042 .022 to the third decimal.",
        unit="parameter",
        gt=0,
    )
    stop_beta: float = knob(3.22, "The second parameter of that distribution.", unit="parameter", gt=0)
    front_page_share: float = knob(
        0.3,
        "Shown items that come from the site's front page; the others come from the user's sections.",
        unit="share of shown items",
        ge=0,
        le=1,
    )
    focus_share: float = knob(
        0.45,
        "Of the others, those that stay on the topic with which the session began.",
        unit="share of shown items",
        ge=0,
        le=1,
    )
    shown_items: int = knob(4, "Candidates that a page shows; one of them is clicked.", unit="items", ge=2, le=8)
    position_exponent: float = knob(
        0.6, "The chance of a click falls with position to the power of minus this.", unit="exponent", ge=0
    )
    interest_exponent: float = knob(
        0.8, "How strongly interest decides among the shown items.", unit="exponent", ge=0
    )
    foreign_language_factor: float = knob(
        0.2,
        "Chance of an item in another language than the user's.",
        unit="factor of the probability",
        gt=0,
        le=1,
    )
    appeal_sigma: float = knob(
        2.8,
        "Log-normal spread of an item's appeal, cut at +1.6 sigma; set on the popularity curve of a Globo day.",
        unit="log standard deviation",
        ge=0,
    )
    recency_floor: float = knob(
        0.0005, "What is left of the appeal of a very old item.", unit="factor of the appeal", ge=0
    )
    dwell_median_seconds: float = knob(
        26.0, "Median dwell on a page; an assumption, because Globo has no dwell.", unit="seconds", gt=0
    )
    tired_share: float = knob(
        0.35,
        "Planted: sessions that grow tired, which shows before the end of those of three pages and more.",
        unit="share of sessions",
        ge=0,
        le=1,
    )
    fatigue_factor: float = knob(
        0.5,
        "Planted: what is left of the dwell on the last page but one of a tired session, and again on the last.",
        unit="factor of the dwell",
        gt=0,
        le=1,
    )
    dwell_sigma: float = knob(0.8, "Log-normal spread of the dwell.", unit="log standard deviation", gt=0)
    heartbeat_seconds: float = knob(20.0, "Time between two page pings.", unit="seconds", gt=0)
    slot_share: float = knob(
        0.12, "Pages that show a logged recommendation slot.", unit="share of pages", ge=0, le=1
    )


class ConversionSettings(Section):
    """The funnel, and the micro-interactions that do or do not move it."""

    add_to_cart: float = knob(
        0.06,
        "Chance of a cart in a session that sees a product, for a user of usual habits and intent.",
        unit="probability",
        gt=0,
        le=1,
    )
    checkout: float = knob(0.6, "Carts that are checked out.", unit="share of carts", gt=0, le=1)
    purchase: float = knob(0.65, "Checkouts that end in a purchase.", unit="share of checkouts", gt=0, le=1)
    remove_from_cart: float = knob(
        0.1,
        "Carts that are emptied, of those that are not checked out.",
        unit="share of carts",
        ge=0,
        le=1,
    )
    intent_sigma: float = knob(
        0.5, "Log-normal spread of the hidden intent of a session.", unit="log standard deviation", ge=0
    )
    gallery_zoom_lift: float = knob(
        0.5, "Planted: how much zooming into the gallery raises the session's conversion.", unit="relative", ge=0
    )
    review_read_lift: float = knob(0.3, "Planted: how much opening the reviews raises it.", unit="relative", ge=0)
    order_lift: float = knob(
        1.0,
        "Planted: how much a look at the size guide raises it where one at the terms of delivery follows; the"
        " other way round does nothing.",
        unit="relative",
        ge=0,
    )


class PlantedChangeSettings(Section):
    """Experiments and the change of taste; times as shares of the planned days."""

    experiment_start: float = knob(
        0.5,
        "When the experiments start, so that there is a period before.",
        unit="share of the days",
        ge=0,
        le=1,
    )
    experiment_length: float = knob(0.25, "How long they run.", unit="share of the days", ge=0, le=1)
    running_start: float = knob(
        0.85,
        "When a third experiment starts, which outlasts the planned days.",
        unit="share of the days",
        ge=0,
        le=1,
    )
    checkout_lift: float = knob(0.2, "Planted lift of purchases by the new checkout.", unit="relative", gt=-1)
    newsletter_rate: float = knob(
        0.2, "Subscriptions per exposed user of the control group.", unit="share of users", gt=0, le=1
    )
    newsletter_lift: float = knob(
        0.6,
        "Planted lift of that rate; large enough to be seen in the 1,700 users of the demo.",
        unit="relative",
        gt=-1,
    )
    taste_change: float = knob(0.7, "When tastes change.", unit="share of the days", ge=0, le=1)
    taste_change_users: float = knob(0.5, "Users whose taste changes then.", unit="share of users", ge=0, le=1)


class FaultSettings(Section):
    """What real logs suffer from."""

    bot_share: float = knob(0.004, "Bots.", unit="bots per user", ge=0, le=1)
    duplicate_share: float = knob(0.004, "Events that are sent twice.", unit="share of events", ge=0, le=1)
    late_session_share: float = knob(
        0.01, "Sessions that arrive late, whole.", unit="share of sessions", ge=0, le=1
    )
    late_hours_max: float = knob(72.0, "The longest delay; delays are uniform from one hour.", unit="hours", ge=1)
    malformed_share: float = knob(0.001, "Events that break the contract.", unit="share of events", ge=0, le=1)


class SimulatorSettings(Section):
    """The simulated site: its size, its items and the people who visit it."""

    users: int = knob(
        2000,
        "Users at the start; with 120 days about 800,000 events, which the demo digests in a minute.",
        unit="users",
        ge=10,
    )
    days: int = knob(
        120,
        "Planned length; lapsed users need more than 90 days of silence at its end.",
        unit="days",
        ge=1,
    )
    seed: int = knob(7, "The same seed gives the same site, event for event.", unit="any integer", ge=0)
    items: int = knob(1200, "Articles and products at the start.", unit="items", ge=24)
    new_items_per_day: int = knob(40, "New items, so that there are always cold ones.", unit="items a day", ge=1)
    new_users_per_week: float = knob(
        0.01,
        "New users, so that there are always cold ones.",
        unit="share of the users at the start, a week",
        ge=0,
        le=1,
    )
    passers_by: float = knob(
        0.15,
        "Sessions of one-time anonymous visitors. Globo has many more, as the calibration shows.",
        unit="per session of a user",
        ge=0,
    )
    personas: int = knob(
        6, "Planted kinds of users, 2 to 8, described in ml/sources/simulator/personas.py.", unit="personas", ge=2
    )
    blend: tuple[float, float] = knob(
        (0.15, 1.57),
        "Beta(a, b) of the part of a user that follows a second persona, which sets how far kinds are apart."
        " Frozen: over the seeds 7, 1, 2 and 3 a classifier trained on the truth is right for .942 to .946 of the"
        " users, and k-means reaches an adjusted Rand index of .860 to .870.",
        unit="parameters",
    )
    interest_concentration: float = knob(
        60.0, "Dirichlet concentration of a user's interests about the persona's.", unit="parameter", gt=0
    )
    habit_sigma: float = knob(
        0.25, "Log-normal spread of a user's habits about the persona's.", unit="log standard deviation", ge=0
    )
    language_shares: tuple[float, float, float] = knob(
        (0.86, 0.08, 0.06), "Items in English, Spanish and German.", unit="shares of items"
    )
    engagement: EngagementSettings = EngagementSettings()
    identity: IdentitySettings = IdentitySettings()
    browsing: BrowsingSettings = BrowsingSettings()
    conversion: ConversionSettings = ConversionSettings()
    planted: PlantedChangeSettings = PlantedChangeSettings()
    faults: FaultSettings = FaultSettings()

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        shares = self.engagement.frequent_share + self.engagement.lapsed_share
        if shares > 1:
            raise ValueError(f"frequent_share + lapsed_share must be at most 1, not {shares}")
        if self.engagement.occasional_period_days[1] * 2 >= self.engagement.lapsed_silence_days:
            raise ValueError("occasional_period_days: two periods must be shorter than lapsed_silence_days")
        return self
