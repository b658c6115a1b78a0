"""Assets of monitoring: what differs from the usual, who is told, and the training that answers it."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from ml.monitoring.alarm_table import alarm_table
from ml.monitoring.alarms import find_alarms
from ml.monitoring.alerts import tell_people
from ml.monitoring.journal import TRAINED, Entry, Journal
from ml.monitoring.plots import plot_watched
from ml.monitoring.training_decision import decide_on_training
from ml.monitoring.watched_tables import watched_site
from orchestration.defs.metadata import figures_metadata, table_metadata
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.watched import read_watched

GROUP = "monitoring"


@dg.asset(
    deps=["event_hours", "answer_hours", "category_days"],
    group_name=GROUP,
    kinds={"python", "duckdb"},
    description=(
        "What differs from the same weekday and hour in the weeks before: lost fields, volume, devices and"
        " countries, tastes, clicks on answers. Only a large and certain change raises an alarm, which names the"
        " slice that causes it. New alarms are written to the journal and sent to the addresses in the settings."
    ),
)
def alarms(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Find alarms, write the table, note what is new and tell people."""
    settings = home.settings()
    site = watched_site(*read_watched(warehouse.read), settings.monitoring)
    current = find_alarms(site, settings.monitoring)
    table = alarm_table(current)
    warehouse.write("alarms", table)
    journal = Journal(home.home())
    now = dt.datetime.now(dt.UTC)
    fresh = journal.record(current, now, settings.monitoring)
    sent = tell_people(home.home(), settings, now)
    plots = plot_watched(site, current, settings.monitoring)
    return dg.MaterializeResult(
        metadata={
            "series": len(site.series),
            "days": site.days,
            "alarms": table_metadata(table.select(["headline", "since", "severity", "certainty"])),
            "new_alarms": len(fresh),
            "alerts_sent": len(sent),
            **figures_metadata(plots),
        }
    )


@dg.asset_check(asset=alarms, description="Every open alarm is acknowledged.")
def no_alarm_is_open(home: HomeResource) -> dg.AssetCheckResult:
    """Name the open alarms."""
    waiting = Journal(home.home()).unacknowledged()
    return dg.AssetCheckResult(
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(entry.text for entry in waiting) or "No alarm is open.",
        metadata={"open_alarms": len(waiting)},
    )


def training_after_alarms(
    context: dg.SensorEvaluationContext, home: HomeResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask for one training for all alarms that came since the last one."""
    last = _last_training(context.instance)
    if last is None:
        return dg.SkipReason("nothing has been trained yet: start the first training yourself")
    journal = Journal(home.home())
    now = dt.datetime.now(dt.UTC)
    decision = decide_on_training(journal, last, now, home.settings().alerts)
    if not decision.starts:
        return dg.SkipReason(decision.reason)
    journal.append([Entry(now.isoformat(), TRAINED, "", f"A training is started: {decision.reason}.")])
    return dg.RunRequest(run_key=now.isoformat(), tags={"tessera/reason": decision.reason})


def _last_training(instance: dg.DagsterInstance) -> dt.datetime | None:
    """When `champion_model` was last trained; None before the first time."""
    event = instance.get_latest_materialization_event(dg.AssetKey("champion_model"))
    return dt.datetime.fromtimestamp(event.timestamp, dt.UTC) if event else None
