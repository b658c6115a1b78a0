"""How long the steps of a job took in its last successful run, from which the time left is told."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg


def last_step_seconds(instance: dg.DagsterInstance, job_name: str) -> Mapping[str, float]:
    """Return the seconds of each step of the last successful run of a job; nothing before the first one."""
    finished = dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
    records = instance.get_run_records(finished, limit=1)
    if not records:
        return {}
    stats = instance.get_run_step_stats(records[0].dagster_run.run_id)
    return {
        step.step_key: step.end_time - step.start_time
        for step in stats
        if step.start_time is not None and step.end_time is not None
    }


def describe_seconds(seconds: float) -> str:
    """Write a duration as one would say it: `20 s`, `3 min`."""
    return f"{max(seconds, 1):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
