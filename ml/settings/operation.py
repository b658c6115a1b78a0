"""Settings of operation: where programs listen, what Dagster starts by itself, what is an alarm and who is told.

The sections are `ports`, `schedules`, `monitoring` and `alerts`.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from ml.settings.section import Section, knob

DayHour = Annotated[int, Field(ge=0, le=23)]
Severity = Literal["low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class PortSettings(Section):
    """TCP ports on loopback."""

    pages: int = knob(
        8001, "The start page with the reports; beside the service's port.", unit="TCP port", ge=1, le=65535
    )
    dagster: int = knob(3000, "Dagster's pages; Dagster's own default.", unit="TCP port", ge=1, le=65535)
    mlflow: int = knob(5000, "MLflow's pages; MLflow's own default.", unit="TCP port", ge=1, le=65535)
    service: int = knob(
        8000, "The service; not BentoML's 3000, which Dagster has.", unit="TCP port", ge=1, le=65535
    )


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


class MonitoringSettings(Section):
    """What is usual, how large a change has to be, and how sure."""

    reference_days: int = knob(
        28, "Days from which the usual weekday and hour are learned: each weekday four times.", unit="days", ge=14
    )
    lag_days: int = knob(
        7,
        "Days between those and the day that is judged, so that a slow change does not become the usual at once.",
        unit="days",
        ge=0,
    )
    grace_days: int = knob(
        14, "Days of history without which nothing is judged, after the first event.", unit="days", ge=7
    )
    days_between_false_alarms: float = knob(
        60,
        "Expected days until the first false alarm of the whole site, at the least, as long as nothing changes by"
        " more than half of what matters; all series share it, and every threshold follows from it. A longer time"
        " makes alarms later: with 365, a model that loses half of its clicks is found four hours later. On ten"
        " quiet simulated sites there was one false alarm in 1,000 days either way.",
        unit="days",
        gt=1,
    )
    day_share: float = knob(
        0.5,
        "Largest part of the evidence for an alarm that a single day may bring, so that one day of"
        " a campaign raises none. Lost fields and quality are judged without it: strangers of a campaign change"
        " neither.",
        unit="share of the evidence",
        gt=0,
        le=1,
    )
    smallest_odds_ratio: float = knob(
        1.5,
        "Smallest change of a share that matters, as the ratio of odds: from .20 to .27, say.",
        unit="ratio of odds",
        gt=1,
    )
    smallest_volume_ratio: float = knob(1.3, "Smallest change of a volume that matters.", unit="ratio", gt=1)
    smallest_loss: float = knob(
        0.25, "Smallest part of a field's values whose loss matters.", unit="share of the usual", gt=0, lt=1
    )
    least_trials_a_day: float = knob(
        10, "Slices with fewer events or answers on a usual day are watched as part of the whole only.",
        unit="events a day", ge=1,
    )  # fmt: skip
    same_cause_days: float = knob(
        3, "Changes that begin within so many days are one alarm, named by the first cause.", unit="days", ge=0
    )
    input_weeks: int = knob(
        4,
        "Weeks before a training that are its reference: what models read later is compared with them.",
        unit="weeks",
        ge=1,
    )
    smallest_psi: float = knob(
        0.2,
        "Smallest change of a column that matters, by the population stability index; .2 is customary.",
        unit="PSI",
        gt=0,
    )
    smallest_divergence: float = knob(
        0.03,
        "The same by the Jensen-Shannon divergence, so that values which hardly anybody has raise no alarm.",
        unit="bits",
        gt=0,
    )
    input_false_discovery_rate: float = knob(
        0.01,
        "Expected share of columns that did not change among those whose change counts as certain.",
        unit="share of columns",
        gt=0,
        lt=1,
    )
    most_unknown_clicks: float = knob(
        0.5,
        "Share of a week's interactions with items that the model does not know from which it is out of date.",
        unit="share of interactions",
        gt=0,
        le=1,
    )
    least_people: int = knob(5, "A value that fewer people share is named in no reference.", unit="people", ge=2)


class AlertSettings(Section):
    """Where alarms are sent, how urgent they have to be, and what they start."""

    addresses_file: Path | None = knob(
        None,
        "File in the home with the addresses of Apprise that are notified of alarms, one per line, such as"
        " mailto://user:password@example.org or slack://…; nobody by default. They hold passwords, so they do not"
        " stand in this file, which is published.",
    )
    least_severity: Severity = knob("medium", "Alarms below it stand in the journal only.")
    quiet_hours: tuple[DayHour, DayHour] = knob(
        (22, 7),
        "From the first hour to the second, in the time zone of the site, only alarms of high severity are sent;"
        " the others wait. The same hour twice means that there is none.",
        unit="hours of the day",
    )
    training_least_days: float = knob(
        2, "Shortest time from one training to the next that alarms start.", unit="days", gt=0
    )
    training_most_days: float = knob(
        14, "Time after which a training is started even without an alarm.", unit="days", gt=0
    )
