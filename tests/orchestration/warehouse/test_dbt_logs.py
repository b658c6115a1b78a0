"""What dagster-dbt logs about its commands, shortened."""

import logging

from dagster_dbt.core.dbt_cli_invocation import logger

from orchestration.warehouse.dbt_logs import leave_variables_out_of_logs


def shortened(message: str) -> str | None:
    record = logging.LogRecord("dagster", logging.INFO, "file", 1, message, None, None)
    return record.getMessage() if all(entry.filter(record) for entry in logger.filters) else None


def test_commands_are_logged_without_variables_and_long_selections() -> None:
    leave_variables_out_of_logs()
    leave_variables_out_of_logs()
    assert len(logger.filters) == 1
    variables = '--vars {"a": {"b": [1, "c -- d"]}, "e": "`"}'
    assert (
        shortened(f"Running dbt command: `dbt build {variables} --select fqn:* --exclude tag:x`.")
        == "Running dbt command: `dbt build --select fqn:* --exclude tag:x`."
    )
    assert shortened(f"Finished dbt command: `dbt build {variables}`.") == "Finished dbt command: `dbt build`."
    models = " ".join(f"tessera.marts.m{number}" for number in range(40))
    assert (
        shortened(f"Running dbt command: `dbt build {variables} --select {models}`.")
        == "Running dbt command: `dbt build --select … 40 models …`."
    )
    assert shortened("A dbt subsetted execution is not being performed. Using …") is None
