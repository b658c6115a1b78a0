"""Settings of the section `collector`: what the service accepts as events, and how fast."""

import re
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from ml.settings.section import Section, knob


class CollectorSettings(Section):
    """Limits of the endpoints that take events, and how events become durable."""

    sink: Literal["log", "kafka"] = knob(
        "log", "Where accepted events go: `log`, the event log of the home; `kafka`, the topic of section `kafka`."
    )
    max_body_bytes: int = knob(
        1_000_000,
        "Largest request as it arrives. A browser's beacon ends at 64 KiB, batches of SDKs at 500 KB.",
        unit="bytes",
        gt=0,
    )
    max_decompressed_bytes: int = knob(
        8_000_000,
        "Largest gzipped request once unpacked; a decompression bomb is refused here, unread.",
        unit="bytes",
        gt=0,
    )
    max_batch_events: int = knob(
        2_000, "Most events in one request, which keeps a single answer short.", unit="events", gt=0
    )
    max_depth: int = knob(32, "Deepest nesting of the JSON; trackers stay below 10.", unit="levels", gt=0)
    max_string_chars: int = knob(
        16_384, "Longest single text; longer than any address that a browser sends.", unit="characters", gt=0
    )
    max_values: int = knob(
        200_000,
        "Most values in one request, those in lists and objects counted; 100 for each event of a full batch.",
        unit="values",
        gt=0,
    )
    browser_visitors_per_hour: int = knob(
        1_000,
        "Visitors that one network (/24 or /48) may bring with a browser key to each worker. The events of more"
        " are kept, marked as suspected, and enter no figure and no model; 0 means no limit.",
        unit="visitors per hour",
        ge=0,
    )
    max_queued_events: int = knob(
        20_000,
        "Events that may wait for the disk, about 2 seconds of work; beyond it the answer is 429.",
        unit="events",
        gt=0,
    )
    group_events: int = knob(
        5_000,
        "Events made durable by one fsync; bounds how long the first event of a group waits for the last.",
        unit="events",
        gt=0,
    )
    group_wait_ms: float = knob(
        4,
        "How long the first event of a group waits for more; a group costs about as much as 50 events.",
        unit="milliseconds",
        ge=0,
    )
    own_group_wait_ms: float = knob(
        50,
        "The same for events of the service itself, such as its answers: nobody waits for them, and a kill loses "
        "as much of them.",
        unit="milliseconds",
        ge=0,
    )
    part_rows: int = knob(500_000, "An open part with so many events is sealed as Parquet.", unit="events", gt=0)
    part_age_seconds: float = knob(
        60, "An open part this old is sealed, so that the next materialization sees it.", unit="seconds", gt=0
    )
    max_future_seconds: float = knob(
        3_600, "A client's clock ahead by more than this is wrong, not early.", unit="seconds", gt=0
    )
    retry_after_seconds: int = knob(1, "How long 429 and 503 ask the client to wait.", unit="seconds", gt=0)
    browser_events_per_second: float = knob(
        50, "Events per browser key and address; a person makes a few.", unit="events per second", gt=0
    )
    browser_burst_events: int = knob(
        1_000, "Events that may arrive at once, as after a time without network.", unit="events", gt=0
    )
    secret_events_per_second: int = knob(
        0,
        "Events per secret key; 0 means no limit, because the bounded queue protects the service.",
        unit="events per second",
        ge=0,
    )
    max_browser_value: float = knob(
        1_000_000,
        "Largest `value` of an event with a browser key, on either side of zero; no order and no dwell is larger.",
        unit="units of the event's value",
        gt=0,
    )
    cors_origins: tuple[str, ...] = knob(
        (), "Sites whose pages may post, such as https://shop.example; empty for the service's own pages only."
    )
    trusted_proxies: int = knob(
        0,
        "Proxies of the site in front of the service, which count from the right of X-Forwarded-For; 0 ignores the"
        " header.",
        unit="hops",
        ge=0,
    )
    country_database: Path | None = knob(
        None, "A .mmdb file to use instead of the registries' table; needs the package maxminddb."
    )
    page_ping_seconds: float = knob(
        10,
        "Heartbeat of the trackers: the engaged time that one Snowplow page ping stands for.",
        unit="seconds",
        gt=0,
    )
    item_url_pattern: str = knob(
        "/(?:items|articles|products)/(?P<item_id>[A-Za-z0-9_.~-]+)",
        "Regular expression that finds the item in a page's address; empty where no address names an item.",
    )

    @field_validator("item_url_pattern")
    @classmethod
    def _names_the_item(cls, pattern: str) -> str:
        if pattern and "item_id" not in re.compile(pattern).groupindex:
            raise ValueError("must contain the group (?P<item_id>…) or be empty")
        return pattern
