"""Which tests continuous integration may skip.

Where the environment variable CI is "true", whatever can be installed is expected to be installed: a skipped test
fails, unless its reason begins with one of ACCEPTED_REASONS. Elsewhere tests skip as usual.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

NEEDS_SHARED_DATA = "needs shared data"
NEEDS_GPU = "needs a GPU"
Report = TypeVar("Report", pytest.CollectReport, pytest.TestReport)
ACCEPTED_REASONS = (NEEDS_SHARED_DATA, NEEDS_GPU)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Apply the policy to modules that skip themselves while they are imported."""
    return enforce((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Apply the policy to tests, whether a mark, a fixture or the test itself skips."""
    return enforce((yield))


def enforce(report: Report) -> Report:
    """Turn a skip that continuous integration does not accept into a failure; expected failures stay."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return report
    assert isinstance(report.longrepr, tuple)
    file, line, message = report.longrepr
    reason = str(message).removeprefix("Skipped: ")
    if not reason.startswith(ACCEPTED_REASONS):
        report.outcome = "failed"
        accepted = " or ".join(f'"{accepted}"' for accepted in ACCEPTED_REASONS)
        report.longrepr = (
            f"{file}:{line}: skipped with CI=true, because: {reason}\n"
            f"Install what is missing (`make extras`, .ci/run); the reasons accepted begin with {accepted}."
        )
    return report
