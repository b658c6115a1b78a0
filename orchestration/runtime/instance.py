"""Dagster's own folder in the home: run history, schedules and what it may do at once."""

from __future__ import annotations

import dagster as dg

from ml.errors import InvalidInputError
from ml.home import Home, make_folder, replace_file
from ml.site.databases import DAGSTER_VARIABLE

STARTED_BY = "tessera/started_by"
COMMAND_LINE = "command line"
FULL_REFRESH = "tessera/full_refresh"
FROM_SCRATCH = "tessera/from_scratch"  # tag of runs whose models do not go on from those before
_CONFIGURATION = """\
# Written by Tessera when it was absent; yours to change.
nux:
  enabled: false  # the form that asks for an address for a newsletter
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1  # the warehouse has one writer
code_servers:
  local_startup_timeout: 600  # seconds; a busy or slow machine needs more than the usual 180
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: {skipped: 2, failure: 30, success: -1}
"""


_POSTGRESQL = f"""\
storage:
  postgres:
    postgres_url: {{env: {DAGSTER_VARIABLE}}}
"""


def prepare_dagster_home(home: Home) -> None:
    """Make DAGSTER_HOME with its dagster.yaml, where they are absent; a file that was changed stays as it is.

    Raises:
        InvalidInputError: The file was changed and keeps Dagster's records elsewhere than the environment says.
    """
    make_folder(home.dagster)
    file = home.dagster / "dagster.yaml"
    right = _CONFIGURATION + (_POSTGRESQL if home.dagster_database else "")
    present = file.read_text(encoding="utf-8") if file.exists() else None
    if present in (None, _CONFIGURATION, _CONFIGURATION + _POSTGRESQL):
        if present != right:
            replace_file(file, right.encode())
    elif home.dagster_database and "storage:" not in present:
        raise InvalidInputError(
            f"{DAGSTER_VARIABLE} is set, and {file}, which was changed by hand, keeps Dagster's records in files:"
            f" add to it\n{_POSTGRESQL}"
        )


def open_instance(home: Home) -> dg.DagsterInstance:
    """The instance of this home; use it as a context manager."""
    prepare_dagster_home(home)
    return dg.DagsterInstance.from_config(str(home.dagster))


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of the command line that never ended as failed, and return their ids.

    The caller holds the writer's lock, so no such run can be alive. Left as they are they would fill the queue.
    """
    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING],
        tags={STARTED_BY: COMMAND_LINE},
    )
    dead = instance.get_runs(filters=unfinished)
    for run in dead:
        instance.report_run_failed(run, "The process ended before the run did.")
    return [run.run_id for run in dead]
