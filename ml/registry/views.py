"""The view in which MLflow's pages open: chosen columns and charts instead of all of them.

A view is a tag of the experiment, as the button "Share" of the pages writes it, and is opened by its key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from ml.home import Home

CANDIDATES = "candidates"
TAG = "mlflow.sharedViewState."
RUNS_IN_CHART = 50


def candidates_view(metric: str, columns: Sequence[str], configurations: Sequence[Mapping[str, Any]]) -> str:
    """Return the view that compares candidates: by the metric, and by what sets their configurations apart.

    Args:
        metric: Name of the metric that decides.
        columns: Names of the other metrics to show as columns.
        configurations: The parameters of each candidate or trial.
    """
    section = {"uuid": CANDIDATES, "name": "Candidates", "display": True}
    common = {"metricSectionId": CANDIDATES, "runsCountToCompare": RUNS_IN_CHART}
    charts: list[dict[str, Any]] = [
        {"uuid": "intervals", "type": "IMAGE", "imageKeys": [CANDIDATES], "step": 0},
        {"uuid": "metric", "type": "BAR", "metricKey": metric},
        {
            "uuid": "configurations",
            "type": "PARALLEL",
            "selectedParams": varying_parameters(configurations),
            "selectedMetrics": [metric],
            "showAllRuns": True,
        },
    ]
    state = {
        "searchFilter": "",
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"metrics.`{name}`" for name in (metric, *columns)] + ["params.`model`"],
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsHiddenMode": "SHOWALL",
        "runsVisibilityMap": {},
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "groupBy": None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "chartsSearchFilter": "",
        "autoRefreshEnabled": False,
        "compareRunCharts": [{**common, "deleted": False, "isGenerated": False, **chart} for chart in charts],
        "compareRunSections": [{**section, "isReordered": False, "deleted": False, "isGenerated": False}],
    }
    return json.dumps(state)


def find_candidates_view(home: Home) -> str:
    """Return the part of MLflow's address that opens the view of the candidates; empty before there are any."""
    if home.mlflow_database is None and not (home.path / "mlflow.db").exists():
        return ""
    engine = create_engine(home.mlflow_uri)
    try:
        with engine.connect() as store:
            if not inspect(store).has_table("experiment_tags"):
                return ""
            query = text("select experiment_id from experiment_tags where key = :key")
            ids: list[int] = list(store.execute(query, {"key": f"{TAG}{CANDIDATES}"}).scalars())
    except OperationalError:  # the database is away; the page has other links
        return ""
    finally:
        engine.dispose()
    if not ids:
        return ""
    # the last parameter chooses the menu of trained models: that of language models comes first otherwise
    chosen = f"viewStateShareKey={CANDIDATES}&compareRunsMode=CHART&workflowType=machine_learning"
    return f"#/experiments/{ids[0]}/runs?{chosen}"


def varying_parameters(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the parameters that differ between the configurations, the model first.

    A parameter that some of them do not have differs, unless only one of them has it.
    """
    names = list(dict.fromkeys(["model", *(name for configuration in configurations for name in configuration)]))
    varying = []
    for name in names:
        values = [
            json.dumps(configuration[name], default=str)
            for configuration in configurations
            if name in configuration
        ]
        if len(values) > 1 and (len(set(values)) > 1 or len(values) < len(configurations)):
            varying.append(name)
    return varying
