"""Keeps the variables and the selections of dbt, which fill pages, out of the logs of runs."""

from __future__ import annotations

import logging
import re

from dagster_dbt.core.dbt_cli_invocation import logger

_VARIABLES = re.compile(r" --vars \{.*\}(?=`| --)")
_LONG_SELECTION = re.compile(r"(?<= --select )\S+(?: (?!--)[^\s`]+){3,}")
_SELECTION = "A dbt subsetted execution is not being performed"


class _WithoutVariables(logging.Filter):
    """Shortens the command that dagster-dbt logs, and drops what it says about the selection."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):
            message = _VARIABLES.sub("", record.msg)
            record.msg = _LONG_SELECTION.sub(lambda match: f"… {len(match[0].split())} models …", message)
        return not str(record.msg).startswith(_SELECTION)


def leave_variables_out_of_logs() -> None:
    """Shorten what dagster-dbt logs from now on. Calling it again changes nothing."""
    if not any(isinstance(entry, _WithoutVariables) for entry in logger.filters):
        logger.addFilter(_WithoutVariables())
