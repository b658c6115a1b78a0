"""Runs in this process: what they report, and what stays after they are stopped."""

import io
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from ml.home import Home
from orchestration.commands.materialize import print_result
from orchestration.runtime.instance import close_dead_runs, open_instance
from orchestration.runtime.materialization import FailedCheck, FailedStep, RunResult, Stage, list_stages, run_job
from orchestration.runtime.progress import StageProgress


@dg.asset(group_name="events")
def event_log(context: dg.AssetExecutionContext) -> None:
    context.log.warning("3 rows were rejected: see dead_letters")


@dg.asset(group_name="warehouse", deps=[event_log])
def users() -> None: ...


@dg.asset_check(asset=users, blocking=True, description="Every user has an id.")
def users_are_plausible() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset_check(asset=event_log)
def event_log_is_sealed() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset(group_name="recommendation", deps=[users])
def champion_model() -> None:
    raise AssertionError("a blocking check has failed above")


@dg.asset(group_name="segmentation", deps=[event_log])
def user_segments() -> None:
    try:
        _ = {"sessions": 1}["visits"]
    except KeyError as error:
        raise ValueError("no user has 2 sessions: bring more events") from error


@dg.asset(group_name="publishing", deps=[event_log])
def stopped() -> None:
    raise KeyboardInterrupt


ASSETS = [event_log, users, users_are_plausible, event_log_is_sealed, champion_model, user_segments]


def definitions(*parts: object) -> tuple[dg.Definitions, dg.JobDefinition]:
    assets = [part for part in parts if not isinstance(part, dg.AssetChecksDefinition)]
    checks = [part for part in parts if isinstance(part, dg.AssetChecksDefinition)]
    job = dg.define_asset_job("everything", selection=dg.AssetSelection.all())
    built = dg.Definitions(assets=assets, asset_checks=checks, jobs=[job])
    return built, built.resolve_job_def("everything")


def test_an_outcome_names_what_was_made_what_failed_and_what_was_stopped(tmp_path: Path) -> None:
    _, job = definitions(*ASSETS)
    with open_instance(Home(tmp_path)) as instance:
        outcome = run_job(job, instance, lambda event: None)
    assert not outcome.success
    assert sorted(outcome.materialized) == ["event_log", "users"]
    assert outcome.passed_checks == 1
    assert outcome.failed_checks == [FailedCheck("users", "users_are_plausible", "Every user has an id.", True)]
    assert (
        FailedStep("user_segments", "ValueError", "no user has 2 sessions: bring more events")
        in outcome.failed_steps
    )
    assert outcome.warnings == ["3 rows were rejected: see dead_letters"]


def test_stages_follow_the_graph(tmp_path: Path) -> None:
    built, job = definitions(*ASSETS)
    stages = list_stages(built, job)
    assert stages[0] == Stage("events", ["event_log"], {"event_log"})
    assert {stage.name for stage in stages} == {"events", "warehouse", "segmentation", "recommendation"}
    names = [stage.name for stage in stages]
    assert names.index("warehouse") < names.index("recommendation")


def test_progress_prints_when_a_stage_begins_and_ends_where_there_is_no_terminal(tmp_path: Path) -> None:
    built, job = definitions(event_log, users)
    console = Console(file=io.StringIO(), width=100)
    with open_instance(Home(tmp_path)) as instance, StageProgress(console, list_stages(built, job)) as progress:
        run_job(job, instance, progress.update)
    lines = console.file.getvalue().splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        "… events", "✓ events: 1 asset", "… warehouse", "✓ warehouse: 1 asset"
    ]  # fmt: skip


def test_a_stopped_run_keeps_what_it_made_and_is_not_left_open(tmp_path: Path) -> None:
    _, job = definitions(event_log, stopped)
    with open_instance(Home(tmp_path)) as instance:
        with pytest.raises(KeyboardInterrupt):
            run_job(job, instance, lambda event: None)
        assert instance.get_latest_materialization_event(dg.AssetKey("event_log")) is not None
        close_dead_runs(instance)
        assert [run.is_finished for run in instance.get_runs()] == [True]


def test_brackets_in_messages_are_text() -> None:
    run_result = RunResult(
        failed_steps=[FailedStep("users", "ValueError", "no column [name] in [/x]")],
        failed_checks=[FailedCheck("users", "rates", "ctr is [2.5]", blocking=False)],
        warnings=["event_log: see [bold]dead_letters[/]"],
    )
    printed = io.StringIO()
    print_result(run_result, 1.0, Console(file=printed, width=200))
    for text in ("no column [name] in [/x]", "ctr is [2.5]", "! event_log: see [bold]dead_letters[/]"):
        assert text in printed.getvalue()
