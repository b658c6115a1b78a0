"""Trials of new models on some of the people, each a run of the experiment `canaries`; at most one is at work."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from mlflow.entities import Run as MlflowRun

from ml.registry.descriptions import SOURCE
from ml.registry.registry import MODEL_NAME, Registry
from ml.registry.run import Run

EXPERIMENT = "canaries"
ALIAS = "canary"


class Outcome(StrEnum):
    """What became of a trial."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class CanaryTrial:
    """A new configuration that answers some people.

    Attributes:
        run_id: The run in MLflow.
        version: The model's version in the registry, the newest if it was fitted again since the start.
        model: Name of the model.
        configuration: The configuration that is tried.
        reasons: Why the gate preferred it.
        metrics: What the gate measured of it.
        started_at: When it was chosen, UTC.
        planned_people: For how many people in both arms the intervals are narrowest.
        looks: How often the difference was measured.
        outcome: What became of it.
        ended_at: When it ended, UTC; None while it is at work.
        text: Why it ended so, a sentence; empty before.
    """

    run_id: str
    version: int
    model: str
    configuration: Mapping[str, Any]
    reasons: tuple[str, ...]
    metrics: Mapping[str, float]
    started_at: dt.datetime
    planned_people: int
    looks: int = 0
    outcome: Outcome = Outcome.RUNNING
    ended_at: dt.datetime | None = None
    text: str = ""


class CanaryTrials:
    """The trials of a registry.

    Args:
        registry: The registry, which has the models.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def start(
        self,
        version: int,
        model: str,
        configuration: Mapping[str, Any],
        reasons: tuple[str, ...],
        metrics: Mapping[str, float],
        planned_people: int,
        now: dt.datetime,
    ) -> CanaryTrial:
        """Begin to try a registered version.

        Raises:
            ValueError: Another one is being tried.
        """
        running = self.running()
        if running is not None:
            raise ValueError(f"version {running.version} is being tried since {running.started_at:%Y-%m-%d}")
        trial = {
            "model": model,
            "configuration": dict(configuration),
            "reasons": list(reasons),
            "metrics": dict(metrics),
            "planned_people": planned_people,
        }
        run = self.registry.client.create_run(
            self.registry.experiment_id(EXPERIMENT),
            run_name=f"{model}, version {version}",
            tags={
                **SOURCE,
                "trial": json.dumps(trial),
                "version": str(version),
                "looks": "0",
                "outcome": Outcome.RUNNING,
                "started_at": now.isoformat(),
            },
        )
        self._name(version)
        return _trial_of(run)

    def running(self) -> CanaryTrial | None:
        """Get the trial that is at work; None for none."""
        trials = self._find(f"tags.outcome = '{Outcome.RUNNING}'")
        return trials[-1] if trials else None

    def ended(self) -> list[CanaryTrial]:
        """List the trials that ended, the oldest first."""
        return self._find(f"tags.outcome != '{Outcome.RUNNING}'")

    def renew(self, trial: CanaryTrial, version: int) -> None:
        """Go on with a version of the same configuration that was fitted on newer data."""
        self._run(trial).set_tags({"version": str(version)})
        self._name(version)

    def record_look(self, trial: CanaryTrial, figures: Mapping[str, float]) -> None:
        """Record what was measured after a run of the pipeline; what has no value yet is left out."""
        looks = trial.looks + 1
        run = self._run(trial)
        run.log_metrics({name: value for name, value in figures.items() if isfinite(value)}, step=looks)
        run.set_tags({"looks": str(looks)})

    def figures(self, trial: CanaryTrial) -> dict[str, float]:
        """What the last look measured, by name; empty before the first one."""
        return dict(self.registry.client.get_run(trial.run_id).data.metrics)

    def end(self, trial: CanaryTrial, outcome: Outcome, text: str, now: dt.datetime) -> None:
        """Record what became of a trial. It does not move the champion."""
        self._run(trial).set_tags({"outcome": outcome, "text": text, "ended_at": now.isoformat()})
        self.registry.client.set_terminated(trial.run_id, "FINISHED")
        self.registry.client.delete_registered_model_alias(MODEL_NAME, ALIAS)

    def _name(self, version: int) -> None:
        self.registry.client.set_registered_model_alias(MODEL_NAME, ALIAS, str(version))

    def _run(self, trial: CanaryTrial) -> Run:
        return Run(self.registry.client, trial.run_id, EXPERIMENT)

    def _find(self, condition: str) -> list[CanaryTrial]:
        runs = self.registry.client.search_runs(
            [self.registry.experiment_id(EXPERIMENT)], condition, order_by=["attributes.start_time ASC"]
        )
        return [_trial_of(run) for run in runs]


def _trial_of(run: MlflowRun) -> CanaryTrial:
    tags = run.data.tags
    fixed = json.loads(tags["trial"])
    return CanaryTrial(
        run_id=run.info.run_id,
        version=int(tags["version"]),
        model=fixed["model"],
        configuration=fixed["configuration"],
        reasons=tuple(fixed["reasons"]),
        metrics=fixed["metrics"],
        started_at=dt.datetime.fromisoformat(tags["started_at"]),
        planned_people=fixed["planned_people"],
        looks=int(tags["looks"]),
        outcome=Outcome(tags["outcome"]),
        ended_at=dt.datetime.fromisoformat(tags["ended_at"]) if "ended_at" in tags else None,
        text=tags.get("text", ""),
    )
