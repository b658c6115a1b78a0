"""Settings of the section `collector`."""

import re
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from ml.settings.section import Section


class CollectorSettings(Section):
    """Knobs of `collector`; their reasons stand in settings.yaml."""

    sink: Literal["log", "kafka"]
    max_body_bytes: PositiveInt
    max_decompressed_bytes: PositiveInt
    max_batch_events: PositiveInt
    max_depth: PositiveInt
    max_string_chars: PositiveInt
    max_queued_events: PositiveInt
    group_events: PositiveInt
    group_wait_ms: NonNegativeFloat
    part_rows: PositiveInt
    part_age_seconds: PositiveFloat
    max_future_seconds: PositiveFloat
    retry_after_seconds: PositiveInt
    browser_events_per_second: PositiveFloat
    browser_burst_events: PositiveInt
    secret_events_per_second: NonNegativeInt
    cors_origins: tuple[str, ...]
    trusted_proxies: NonNegativeInt
    country_database: Path | None
    page_ping_seconds: PositiveFloat
    item_url_pattern: str

    @field_validator("item_url_pattern")
    @classmethod
    def _names_the_item(cls, pattern: str) -> str:
        if pattern and "item_id" not in re.compile(pattern).groupindex:
            raise ValueError("needs a group (?P<item_id>…), or is empty")
        return pattern
