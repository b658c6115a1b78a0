"""The report of how the site is used."""

from __future__ import annotations

import dagster as dg

from ml.home import replace_file
from ml.usage.figures import collect_figures
from ml.usage.report import render_report
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.runtime.addresses import report_address
from orchestration.warehouse.usage_tables import read_usage_tables

GROUP = "usage"
ROWS_SHOWN = 15


@dg.asset(
    deps=["daily_metrics", "sessions", "page_views", "funnels", "funnel_steps", "retention"],
    group_name=GROUP,
    kinds={"duckdb", "html"},
    description=(
        "The page about the use of the site: pages, entries, exits, paths, dwell, funnels, retention and sources, "
        "with 95% intervals over people. Pages of few people are left out."
    ),
)
def usage_report(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Read the marts and write `reports/usage/report.html`."""
    settings = home.settings()
    tables = read_usage_tables(warehouse.get(), settings.warehouse, ROWS_SHOWN, settings.sequences.minimum_people)
    figures = collect_figures(tables)
    report = home.home().reports / "usage" / "report.html"
    replace_file(report, render_report(figures).encode())
    measures = (
        {
            "people": figures.people,
            "visits": figures.visits,
            "page_views": figures.page_views,
            "conversion_rate": figures.conversion.value or 0.0,
            "bounce_rate": figures.bounce.value or 0.0,
        }
        if figures
        else {}
    )
    address = dg.MetadataValue.url(report_address(home.home(), settings.ports, report))
    return dg.MaterializeResult(metadata={**measures, "report": address})
