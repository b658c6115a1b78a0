"""Materialize assets in this process and pass each of Dagster's events to a listener."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster_shared.error import SerializableErrorInfo

from orchestration.runtime.instance import COMMAND_LINE, STARTED_BY, close_dead_runs
from orchestration.warehouse.dbt_project import MARTS_GROUP, WAREHOUSE_GROUPS

_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")

Listener = Callable[[dg.DagsterEvent], None]


@dataclass(frozen=True)
class Stage:
    """One group of the graph: its assets in order, and the steps that make them."""

    name: str
    assets: list[str] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class FailedStep:
    """A step that raised, with the class and message of the innermost error."""

    step: str
    error: str
    message: str


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass; a blocking one stopped what reads the asset."""

    asset: str
    check: str
    description: str
    blocking: bool


@dataclass
class RunResult:
    """Result of a run: its assets, checks, failures and warnings."""

    run_id: str = ""
    success: bool = False
    materialized: list[str] = field(default_factory=list)
    passed_checks: int = 0
    failed_steps: list[FailedStep] = field(default_factory=list)
    failed_checks: list[FailedCheck] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def record(self, entry: dg.EventLogEntry, graph: AssetGraph) -> None:
        """Record an event of the run."""
        event = entry.dagster_event
        if event is None:
            if entry.level == logging.WARNING:
                self.warnings.append(entry.user_message)
        elif event.is_step_materialization and event.asset_key:
            self.materialized.append(event.asset_key.to_user_string())
        elif event.is_step_failure:
            failed = _unwrap_failure(event.step_key or "", event.step_failure_data.error)
            if failed.error != "DagsterAssetCheckFailedError":  # the check reports it itself
                self.failed_steps.append(failed)
        elif event.is_run_failure and not self.failed_steps:
            self.failed_steps.append(_unwrap_failure("the run", event.job_failure_data.error))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if evaluation.passed:
                self.passed_checks += 1
            else:
                self.failed_checks.append(_describe_failed_check(evaluation, graph))


def run_job(job: dg.JobDefinition, instance: dg.DagsterInstance, listener: Listener) -> RunResult:
    """Run every step of `job` here, one after the other. A failed step is part of the outcome, not an exception.

    Raises `KeyboardInterrupt` when the user stops it; what was materialized until then stays.
    """
    close_dead_runs(instance)
    run_result = RunResult(run_id=str(uuid.uuid4()))

    def record(entry: dg.EventLogEntry) -> None:
        run_result.record(entry, job.asset_layer.asset_graph)
        if entry.dagster_event is not None:
            listener(entry.dagster_event)

    instance.add_event_listener(run_result.run_id, record)
    result = job.execute_in_process(
        instance=instance,
        run_id=run_result.run_id,
        raise_on_error=False,
        tags={STARTED_BY: COMMAND_LINE},
        run_config={"loggers": {"console": {"config": {"log_level": "INFO"}}}},
    )
    if any(failed.error in _INTERRUPTS for failed in run_result.failed_steps):
        raise KeyboardInterrupt
    run_result.success = result.success
    return run_result


def list_stages(definitions: dg.Definitions, job: dg.JobDefinition) -> list[Stage]:
    """The groups of the job's part of the asset graph, upstream first, with the assets and steps of each.

    The layers of the warehouse are one stage, since dbt builds them in one step.
    """
    graph = definitions.resolve_asset_graph()
    chosen = job.asset_layer.selected_asset_keys
    stages: dict[str, Stage] = {}
    for key in graph.toposorted_asset_keys:
        if key in chosen and key in graph.materializable_asset_keys:
            node = graph.get(key)
            name = MARTS_GROUP if node.group_name in WAREHOUSE_GROUPS else node.group_name
            stage = stages.setdefault(name, Stage(name))
            stage.assets.append(key.to_user_string())
            stage.steps.add(definitions.resolve_assets_def(key).op.name)
    return list(stages.values())


def _describe_failed_check(evaluation: dg.AssetCheckEvaluation, graph: AssetGraph) -> FailedCheck:
    spec = graph.get_check_spec(evaluation.asset_check_key)
    return FailedCheck(
        asset=evaluation.asset_key.to_user_string(),
        check=evaluation.check_name,
        description=evaluation.description or spec.description or "",
        blocking=spec.blocking and evaluation.severity == dg.AssetCheckSeverity.ERROR,
    )


def _unwrap_failure(step: str, error: SerializableErrorInfo | None) -> FailedStep:
    """The error that the step raised, out of Dagster's wrapping."""
    while error is not None and error.cause is not None and error.cls_name == "DagsterExecutionStepExecutionError":
        error = error.cause
    if error is None:
        return FailedStep(step, "Error", "no message")
    name = error.cls_name or "Error"
    message = error.message.strip().split(f"{name}: ", 1)[-1]
    return FailedStep(step, name, message.strip())
