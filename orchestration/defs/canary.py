"""The trial of a new model on some of the people as an asset: it ends by itself."""

from __future__ import annotations

import datetime as dt
from math import isfinite

import dagster as dg

from ml.experiments.rankers.canary import compare_canary, judge_canary
from ml.monitoring.alerts import tell_people
from orchestration.defs.monitoring import GROUP
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.canary_end import end_canary
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
        is_promoted = verdict.decision == "promote"
        end_canary(home.home(), settings, registry.get(), trial, verdict.text, now, is_promoted=is_promoted)
        tell_people(home.home(), settings, now)
    return dg.MaterializeResult(
        metadata={
            "decision": verdict.decision.replace("_", " "),
            "reason": verdict.text,
            "version": trial.version,
            **{name: value for name, value in comparison.figures().items() if isfinite(value)},
        }
    )
