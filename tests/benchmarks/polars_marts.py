"""Sessions, users and interactions of an event log by Polars, lazily: the warehouse's rival.

It follows the same rules and computes the columns that stand here; the marts have three times as many.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ml.settings.warehouse import WarehouseSettings

COLUMNS = [
    "event_id", "event_type", "occurred_at", "user_id", "anonymous_id", "item_id", "page_url", "value",
    "properties", "device_type", "country", "consent",
]  # fmt: skip
SESSION = ["device_id", "person_id", "started_at"]
LIKES = ["like", "bookmark", "share", "comment", "follow"]


def write_marts(parts: list[Path], settings: WarehouseSettings, folder: Path) -> None:
    """Write `sessions.parquet`, `users.parquet` and `interactions.parquet` of the log's parts into the folder."""
    events = sessionized(read(parts), settings)
    events.sink_parquet(folder / "events.parquet")  # what three results need is computed once
    events = pl.scan_parquet(folder / "events.parquet")
    views = engagement(events, settings)
    views.sink_parquet(folder / "views.parquet")
    views = pl.scan_parquet(folder / "views.parquet")
    sessions(events, views, settings).sink_parquet(folder / "sessions.parquet")
    found = pl.scan_parquet(folder / "sessions.parquet")
    users(found).sink_parquet(folder / "users.parquet")
    people = pl.scan_parquet(folder / "users.parquet")
    interactions(events, views, found, people, settings).sink_parquet(folder / "interactions.parquet")


def read(parts: list[Path]) -> pl.LazyFrame:
    """Events once each, with device and page."""
    events = pl.scan_parquet(parts, hive_partitioning=False).select(COLUMNS).unique("event_id", keep="any")
    return events.with_columns(
        pl.col("event_type").cast(pl.String),
        pl.col("occurred_at").dt.replace_time_zone(None),
        device_id=pl.coalesce("anonymous_id", "user_id"),
        page_key=pl.coalesce("page_url", "item_id", pl.lit("")),
    )


def sessionized(events: pl.LazyFrame, settings: WarehouseSettings) -> pl.LazyFrame:
    """Events with person_id and the start of their session: silence or another campaign begins a new one."""
    owners = (
        events.filter(pl.col("user_id").is_not_null() & pl.col("anonymous_id").is_not_null())
        .group_by("anonymous_id")
        .agg(owner=pl.col("user_id").min(), owners=pl.col("user_id").n_unique())
        .filter(pl.col("owners") == 1)
        .select("anonymous_id", "owner")
    )
    who = ["device_id", "person_id"]
    at = pl.col("occurred_at")
    silence = pl.duration(minutes=settings.session_timeout_minutes)
    campaign = pl.when(pl.col("event_type") == "page_view").then(
        pl.col("page_url").str.extract(r"[?&]utm_campaign=([^&#]+)", 1)
    )
    return (
        events.join(owners, on="anonymous_id", how="left")
        .with_columns(person_id=pl.coalesce("user_id", "owner", "anonymous_id"), campaign=campaign)
        .drop("owner")
        # what happened in the same microsecond as the click on a campaign belongs to the session that it begins
        .sort(*who, "occurred_at", pl.col("campaign").is_null(), "event_id")
        .with_columns(visit=(at - at.shift() > silence).fill_null(True).cum_sum().over(who))
        .with_columns(before=pl.col("campaign").shift().forward_fill().over(*who, "visit"))
        .with_columns(
            starts=(pl.col("visit") != pl.col("visit").shift()).fill_null(True).over(who)
            | (pl.col("campaign").is_not_null() & pl.col("campaign").ne_missing(pl.col("before")))
        )
        .with_columns(started_at=pl.when("starts").then("occurred_at").forward_fill().over(who))
        .drop("visit", "before", "starts", "campaign")
    )


def engagement(events: pl.LazyFrame, settings: WarehouseSettings) -> pl.LazyFrame:
    """Page views with the heartbeats of each."""
    page = [*SESSION, "page_key"]
    views = events.filter(pl.col("event_type") == "page_view").sort("occurred_at", "event_id")
    views = views.with_columns(view_id="event_id", first_id=pl.col("event_id").first().over(page))
    pings = events.filter(pl.col("event_type").is_in(["page_ping", "scroll"])).select(
        *page,
        "occurred_at",
        slot=pl.when(pl.col("event_type") == "page_ping").then(
            pl.col("occurred_at").dt.epoch("us") // (settings.heartbeat_seconds * 1_000_000)
        ),
        engaged_seconds=pl.when(pl.col("event_type") == "page_ping").then(
            pl.col("value").fill_null(settings.heartbeat_seconds)
        ),
        scroll_depth=pl.when(pl.col("event_type") == "scroll")
        .then("value")
        .otherwise(pl.col("properties").str.json_path_match("$.scroll_depth").cast(pl.Float64, strict=False)),
    )
    firsts = views.group_by(page).agg(pl.col("first_id").first())
    found = (
        pings.sort("occurred_at")
        .join_asof(views.select(*page, "occurred_at", "view_id"), on="occurred_at", by=page, strategy="backward")
        .join(firsts, on=page, how="inner")
        .with_columns(view_id=pl.coalesce("view_id", "first_id"))
        .group_by("view_id", "slot")
        .agg(pl.col("engaged_seconds").max(), pl.col("scroll_depth").max())
        .group_by("view_id")
        .agg(pl.col("engaged_seconds").sum(), pl.col("scroll_depth").max())
    )
    return views.join(found, on="view_id", how="left").select(
        *SESSION,
        "page_key",
        "item_id",
        "occurred_at",
        "view_id",
        pl.col("engaged_seconds").fill_null(0.0),
        "scroll_depth",
    )


def sessions(events: pl.LazyFrame, views: pl.LazyFrame, settings: WarehouseSettings) -> pl.LazyFrame:
    """One row per session."""
    kind = pl.col("event_type")
    measured = events.group_by(SESSION).agg(
        ended_at=pl.col("occurred_at").max(),
        events=pl.len(),
        page_views=(kind == "page_view").sum(),
        impressions=(kind == "impression").sum(),
        clicks=(kind == "click").sum(),
        likes=kind.is_in(LIKES).sum(),
        purchases=((kind == "purchase") & (pl.col("value").fill_null(0.0) >= 0)).sum(),
        revenue=pl.col("value").filter(kind == "purchase").sum(),
        is_robot=(pl.col("device_type") == "bot").any(),
        is_internal=(
            (kind == "page_view") & pl.col("page_url").str.contains(r"//localhost|//127\.0\.0\.1|\.internal/")
        ).any(),
        device_type=pl.col("device_type").sort_by("occurred_at").drop_nulls().first(),
        country=pl.col("country").sort_by("occurred_at").drop_nulls().first(),
        consents=pl.col("consent").sort_by("occurred_at").drop_nulls().last(),
        decision=pl.when(kind == "consent_granted")
        .then(pl.col("consent").list.contains("personalization"))
        .when(
            (kind == "consent_withdrawn")
            & pl.col("properties").fill_null("personalization").str.contains("personal")
        )
        .then(False)
        .sort_by("occurred_at")
        .drop_nulls()
        .last(),
    )
    pages = (
        views.sort("occurred_at", "view_id")
        .group_by(SESSION, maintain_order=True)
        .agg(
            pages=pl.col("page_key").n_unique(),
            engaged_seconds=pl.col("engaged_seconds").sum(),
            scroll_depth=pl.col("scroll_depth").max(),
            landing_page=pl.col("page_key").first(),
            exit_page=pl.col("page_key").last(),
        )
    )
    seconds = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6
    fast = (pl.col("page_views") >= settings.bot_min_page_views) & (
        pl.col("page_views") * 60 >= settings.bot_page_views_per_minute * pl.max_horizontal(seconds, 1.0)
    )
    return (
        measured.join(pages, on=SESSION, how="left")
        .with_columns(
            pl.col("pages", "engaged_seconds").fill_null(0), is_bot=pl.col("is_robot").fill_null(False) | fast
        )
        .drop("is_robot")
    )


def users(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per person, bots and internal traffic left out."""
    decided = pl.col("decision").sort_by("ended_at").drop_nulls().last()
    newest = pl.col("consents").sort_by("ended_at").drop_nulls().last()
    return (
        sessions.filter(~pl.col("is_bot") & ~pl.col("is_internal").fill_null(False))
        .group_by("person_id")
        .agg(
            first_seen_at=pl.col("started_at").min(),
            last_seen_at=pl.col("ended_at").max(),
            sessions=pl.len(),
            active_days=pl.col("started_at").dt.date().n_unique(),
            devices=pl.col("device_id").n_unique(),
            events=pl.col("events").sum(),
            page_views=pl.col("page_views").sum(),
            clicks=pl.col("clicks").sum(),
            purchases=pl.col("purchases").sum(),
            monetary=pl.col("revenue").sum(),
            engaged_seconds=pl.col("engaged_seconds").sum(),
            has_personalization_consent=pl.coalesce(decided, newest.list.contains("personalization")),
        )
        .with_columns(pl.col("has_personalization_consent").fill_null(False))
    )


def interactions(
    events: pl.LazyFrame,
    views: pl.LazyFrame,
    sessions: pl.LazyFrame,
    users: pl.LazyFrame,
    settings: WarehouseSettings,
) -> pl.LazyFrame:
    """One row per consenting person and item: what was done, and its decayed strength."""
    kind, half_life = pl.col("event_type"), settings.interaction_half_life_days * 86_400e6
    weights = settings.interaction_weights
    item = [*SESSION, "item_id"]
    counted = sessions.filter(~pl.col("is_bot") & ~pl.col("is_internal").fill_null(False)).select(SESSION)
    dwells = views.filter(pl.col("item_id").is_not_null()).group_by(item).agg(pl.col("engaged_seconds").sum())
    dwell = pl.col("engaged_seconds").clip(0, settings.dwell_cap_seconds) / settings.dwell_cap_seconds
    in_sessions = (
        events.filter(pl.col("item_id").is_not_null() & kind.is_in(["impression", *weights]))
        .group_by(item)
        .agg(
            first_at=pl.col("occurred_at").min(),
            last_at=pl.col("occurred_at").max(),
            events=pl.len(),
            views=(kind == "page_view").sum(),
            clicks=(kind == "click").sum(),
            weight=kind.replace_strict(weights, default=0.0, return_dtype=pl.Float64).sum(),
        )
        .join(counted, on=SESSION, how="semi")
        .join(dwells, on=item, how="left")
        .with_columns(pl.col("engaged_seconds").fill_null(0.0))
        .with_columns(strength=pl.col("weight") * (1 + dwell))
    )
    newest = events.select(pl.col("occurred_at").max().alias("as_of"))
    age = (pl.col("as_of") - pl.col("last_at")).dt.total_microseconds()
    return (
        in_sessions.join(newest, how="cross")
        .group_by("person_id", "item_id")
        .agg(
            first_at=pl.col("first_at").min(),
            last_at=pl.col("last_at").max(),
            events=pl.col("events").sum(),
            sessions=pl.len(),
            views=pl.col("views").sum(),
            clicks=pl.col("clicks").sum(),
            engaged_seconds=pl.col("engaged_seconds").sum(),
            strength=(pl.col("strength") * (0.5 ** (age / half_life))).sum(),
        )
        .join(users.filter("has_personalization_consent"), on="person_id", how="semi")
    )
