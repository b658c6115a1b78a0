"""When runs start by themselves."""

import dagster as dg

from orchestration.defs.events import newly_sealed_parts
from orchestration.defs.jobs import EVERYTHING, daily_increment, training
from orchestration.defs.resources import HomeResource


@dg.definitions
def schedules() -> dg.Definitions:
    """The daily increment and the weekly training, at the times of settings.yaml, and the look for new events."""
    times = HomeResource().settings().schedules
    look = dg.sensor(
        target=EVERYTHING,
        minimum_interval_seconds=times.new_events_check_seconds,
        description="Starts a run for what came since the last one: sealed parts of the log, messages in Kafka.",
    )
    return dg.Definitions(
        sensors=[look(newly_sealed_parts)],
        schedules=[
            dg.ScheduleDefinition(
                name="every_day",
                job=daily_increment,
                cron_schedule=times.daily_increment,
                execution_timezone=times.timezone,
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="Takes in the events of the day.",
            ),
            dg.ScheduleDefinition(
                name="every_week",
                job=training,
                cron_schedule=times.training,
                execution_timezone=times.timezone,
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="Trains anew on the tables as they are.",
            ),
        ],
    )
