"""Settings of the section `collector`."""

from pydantic import PositiveFloat, PositiveInt

from ml.settings.section import Section


class CollectorSettings(Section):
    """Knobs of `collector`; their reasons stand in settings.yaml."""

    max_body_bytes: PositiveInt
    max_decompressed_bytes: PositiveInt
    max_batch_events: PositiveInt
    max_depth: PositiveInt
    max_string_chars: PositiveInt
    max_queued_events: PositiveInt
    group_events: PositiveInt
    part_rows: PositiveInt
    part_age_seconds: PositiveFloat
    max_future_seconds: PositiveFloat
    retry_after_seconds: PositiveInt
