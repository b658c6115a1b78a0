"""Settings of the section `schedules`."""

from pydantic import Field

from ml.settings.section import Section


class ScheduleSettings(Section):
    """Knobs of `schedules`; their reasons stand in settings.yaml."""

    daily_increment: str
    training: str
    campaigns: str
    timezone: str
    new_events_check_seconds: int = Field(ge=10)
