"""The page of data quality: what the last run of each check found in the tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from ml.home import replace_file
from ml.pages.templates import page_templates
from orchestration.warehouse.expectations import ExpectationResult, Suite

FOLDER = "quality"
PAGE = "index.html"
TEMPLATE = "quality_page.html.j2"


def record_findings(
    reports: Path, suite: Suite, findings: Sequence[ExpectationResult], now: dt.datetime, names: Sequence[str]
) -> Path:
    """Keep the findings of a check beside those of the others, and write the page anew.

    Args:
        reports: Folder of the home's reports.
        suite: The check.
        findings: What it found.
        now: When.
        names: Names of all checks that there are; findings of others are dropped.

    Returns:
        The page.
    """
    results = reports / FOLDER / "results"
    entry = {
        "name": suite.name,
        "table": suite.mart,
        "description": suite.description,
        "is_blocking": suite.is_blocking,
        "at": now.isoformat(timespec="minutes"),
        "findings": [asdict(finding) for finding in findings],
    }
    replace_file(results / f"{suite.name}.json", orjson.dumps(entry))
    entries = []
    for file in sorted(results.glob("*.json")):
        if file.stem in names:
            entries.append(orjson.loads(file.read_bytes()))
        else:
            file.unlink()
    page = reports / FOLDER / PAGE
    replace_file(page, render_quality(entries).encode())
    return page


def render_quality(entries: Sequence[Mapping[str, Any]]) -> str:
    """Render the page, failed checks first, from what `record_findings` keeps."""
    checks = sorted(entries, key=lambda entry: (_holds(entry), entry["table"], entry["name"]))
    environment = page_templates(Path(__file__).parent)
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:,.6g}"
    return environment.get_template(TEMPLATE).render(
        checks=[{**entry, "holds": _holds(entry)} for entry in checks],
        failed=sum(not _holds(entry) for entry in entries),
    )


def _holds(entry: Mapping[str, Any]) -> bool:
    return all(finding["passed"] for finding in entry["findings"])
