"""A run tells how long it will take from the run before."""

import io
import time

import dagster as dg
import pytest
from rich.console import Console

from orchestration.runtime.durations import describe_seconds, last_step_seconds
from orchestration.runtime.materialization import Stage
from orchestration.runtime.progress import StageProgress


@dg.asset
def slow():
    time.sleep(0.3)


@dg.asset(deps=[slow])
def quick():
    """Done at once."""


def run(job, instance):
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_the_last_successful_run_of_the_job_counts():
    definitions = dg.Definitions(assets=[slow, quick], jobs=[dg.define_asset_job("daily")])
    with dg.instance_for_test() as instance:
        assert last_step_seconds(instance, "daily") == {}
        assert run(definitions.resolve_job_def("daily"), instance).success
        seconds = last_step_seconds(instance, "daily")
        assert set(seconds) == {"slow", "quick"}
        assert seconds["slow"] >= 0.3
        assert last_step_seconds(instance, "training") == {}


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (150, "2 min"), (3600, "60 min")])
def test_durations_are_said_plainly(seconds, text):
    assert describe_seconds(seconds) == text


def test_what_is_no_terminal_is_told_when_a_stage_begins_and_ends():
    out = io.StringIO()
    definitions = dg.Definitions(assets=[slow, quick], jobs=[dg.define_asset_job("daily")])
    stages = [Stage("first", ["slow"], {"slow"}), Stage("second", ["quick"], {"quick"})]
    with (
        dg.instance_for_test() as instance,
        StageProgress(Console(file=out), stages, {"slow": 150.0}) as progress,
    ):
        result = definitions.resolve_job_def("daily").execute_in_process(instance=instance)
        for event in result.all_events:
            progress.update(event)
    lines = out.getvalue().splitlines()
    assert lines[0] == "… first: 2 min the last time"
    assert lines[1].startswith("✓ first: 1 asset")
    assert lines[2] == "… second"
