"""Settings of the section `schedules`: what Dagster starts by itself."""

from ml.settings.section import Section, knob


class ScheduleSettings(Section):
    """Times of the scheduled jobs, as cron expressions in one time zone."""

    daily_increment: str = knob(
        "15 3 * * *", "At night, when the site is quiet and yesterday is complete.", unit="cron"
    )
    training: str = knob(
        "45 4 * * 0",
        "Weekly, after that night's increment, because tastes move slower than the log.",
        unit="cron",
    )
    campaigns: str = knob(
        "0 7 * * 1",
        "Monday morning, after the week's training. Off until it is switched on in Dagster, because it logs"
        " contacts.",
        unit="cron",
    )
    timezone: str = knob("UTC", "The zone in which the three are read.", unit="IANA name")
    new_events_check_seconds: int = knob(
        60, "Time between two looks at the event log for newly sealed parts.", unit="seconds", ge=10
    )
