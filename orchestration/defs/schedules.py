"""When runs start by themselves."""

import dagster as dg

from orchestration.defs.events import newly_sealed_parts
from orchestration.defs.jobs import EVERYTHING, campaigns, daily_increment, training
from orchestration.defs.monitoring import training_after_alarms
from orchestration.defs.resources import HomeResource

ON, OFF = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
AUDIENCES = "Writes the audiences of the campaigns; switch it on once something sends them."


@dg.definitions
def schedules() -> dg.Definitions:
    """Schedule the daily increment, the weekly training and the campaigns, and look for new events.

    The times are those of settings.yaml. Campaigns contact people: they are off until a person switches them on.
    """
    times = HomeResource().settings().schedules
    look = dg.sensor(
        target=EVERYTHING,
        minimum_interval_seconds=times.new_events_check_seconds,
        description="Starts a run for what came since the last one: sealed parts of the log, messages in Kafka.",
    )
    answer_alarms = dg.sensor(
        job=training,
        minimum_interval_seconds=300,
        description=(
            "Starts a training when the audience, its tastes or the quality of answers changed, at most as often"
            " as the settings allow, and in any case once the last training is too old."
        ),
    )
    return dg.Definitions(
        sensors=[look(newly_sealed_parts), answer_alarms(training_after_alarms)],
        schedules=[
            dg.ScheduleDefinition(
                name=name,
                job=job,
                cron_schedule=cron,
                execution_timezone=times.timezone,
                default_status=status,
                description=description,
            )
            for name, job, cron, status, description in (
                ("every_day", daily_increment, times.daily_increment, ON, "Takes in the events of the day."),
                ("every_week", training, times.training, ON, "Trains again on the tables as they are."),
                ("every_campaign_day", campaigns, times.campaigns, OFF, AUDIENCES),
            )
        ],
    )
