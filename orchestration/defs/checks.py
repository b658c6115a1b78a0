"""Great Expectations on the marts as asset checks: the blocking ones stop training, and the page shows why."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.pages.quality_page import record_findings
from orchestration.runtime.addresses import report_address
from orchestration.warehouse.expectations import SUITES, ExpectationResult, Suite, validate
from orchestration.warehouse.monitoring_expectations import MONITORING_SUITES
from orchestration.warehouse.path_expectations import PATH_SUITES

ALL_SUITES = (*SUITES, *PATH_SUITES, *MONITORING_SUITES)


def result_of(findings: list[ExpectationResult], suite: Suite, page: str) -> dg.AssetCheckResult:
    """What Dagster shows: each figure with its range, and a sentence that names those outside."""
    outside = [finding for finding in findings if not finding.passed]
    table = [
        dg.TableRecord(
            {
                "figure": finding.figure,
                "value": "none" if finding.value is None else f"{finding.value:g}",
                "least": "" if finding.least is None else f"{finding.least:g}",
                "most": "" if finding.most is None else f"{finding.most:g}",
                "holds": finding.passed,
            }
        )
        for finding in findings
    ]
    return dg.AssetCheckResult(
        passed=not outside,
        severity=dg.AssetCheckSeverity.ERROR if suite.is_blocking else dg.AssetCheckSeverity.WARN,
        description="; ".join(_sentence(finding) for finding in outside) or suite.description,
        metadata={"figures": dg.MetadataValue.table(table), "page": dg.MetadataValue.url(page)},
    )


def _sentence(finding: ExpectationResult) -> str:
    value = "has no value" if finding.value is None else f"is {finding.value:g}"
    bounds = [f"at least {finding.least:g}"] if finding.least is not None else []
    bounds += [f"at most {finding.most:g}"] if finding.most is not None else []
    return f"{finding.figure} {value}, expected {' and '.join(bounds)}"


def _check(suite: Suite) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(suite.mart), name=suite.name, description=suite.description, blocking=suite.is_blocking
    )
    def check(home: HomeResource, warehouse: WarehouseResource) -> dg.AssetCheckResult:
        settings = home.settings()
        findings = validate(suite, warehouse.read(suite.figures), settings.warehouse)
        names = [other.name for other in ALL_SUITES]
        page = record_findings(home.home().reports, suite, findings, dt.datetime.now(dt.UTC), names)
        return result_of(findings, suite, report_address(home.home(), settings.ports, page))

    return check


@dg.definitions
def mart_expectations() -> dg.Definitions:
    """One asset check a suite."""
    return dg.Definitions(asset_checks=[_check(suite) for suite in ALL_SUITES])
