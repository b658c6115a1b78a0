"""The trial of a new model on some of the people as an asset: it ends by itself."""

from __future__ import annotations

import datetime as dt
from math import isfinite

import dagster as dg

from ml.experiments.rankers.canary import compare_canary, judge_canary
from ml.monitoring.alerts import read_addresses, send_alerts
from ml.monitoring.journal import Journal
from orchestration.defs.monitoring import GROUP
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.canary_end import promote_canary, roll_back_canary
from orchestration.warehouse.canary_people import read_canary_people

DAY = dt.timedelta(days=1)


@dg.asset(
    deps=["answers"],
    group_name=GROUP,
    kinds={"python", "mlflow"},
    description=(
        "The new model that answers some of the people, against the champion that answers the others, by the share"
        " of answers that were clicked. The interval holds at every look. A model that is worse is rolled back at"
        " once; one that is not becomes the champion."
    ),
)
def canary(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Compare, record the look in MLflow, and end the trial if it is decided."""
    from ml.registry.trials import CanaryTrials  # noqa: PLC0415  MLflow takes seconds to load

    trials = CanaryTrials(registry.get())
    trial = trials.running()
    if trial is None:
        return dg.MaterializeResult(metadata={"decision": "no new model is being tried"})
    settings, now = home.settings(), dt.datetime.now(dt.UTC)
    people = read_canary_people(warehouse.read, trial.started_at)
    comparison = compare_canary(people, trial.planned_people, settings.canary)
    trials.record_look(trial, comparison.figures())
    verdict = judge_canary(comparison, (now - trial.started_at) / DAY, settings.canary)
    if verdict.decision != "go_on":
        end = promote_canary if verdict.decision == "promote" else roll_back_canary
        end(home.home(), settings, registry.get(), trial, verdict.text, now)
        addresses = read_addresses(home.home(), settings.alerts)
        timezone = settings.warehouse.site_timezone
        send_alerts(Journal(home.home()), addresses, settings.alerts, now, timezone)
    return dg.MaterializeResult(
        metadata={
            "decision": verdict.decision.replace("_", " "),
            "reason": verdict.text,
            "version": trial.version,
            **{name: value for name, value in comparison.figures().items() if isfinite(value)},
        }
    )
