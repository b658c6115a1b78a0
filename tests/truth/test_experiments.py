"""Exposures are those of the log, and the intervals of the analyses hold the planted lifts."""

from __future__ import annotations

import pandas as pd
import pytest

from ml.experiments.analysis.analysis import analyse_experiment
from ml.home import Home
from ml.settings import load_site_settings
from orchestration.warehouse.experiment_tables import load_definitions, read_tables
from orchestration.warehouse.warehouse import Warehouse

METRICS = {
    "new_checkout": ("purchases_per_user", "purchases_until_the_end"),
    "newsletter_prompt": ("subscription_rate", "subscribed"),
    "new_font": ("page_views_per_user", "page_views_until_the_end"),
}
"""By experiment: the planted lift, and the metric that measures it."""


def test_exposed_units_by_variant_are_those_of_the_log(events: pd.DataFrame, mart) -> None:
    exposures = events[(events["event_type"] == "exposure") & ~events["is_doubtful"]]
    plain = exposures.groupby(["experiment_id", "variant"])["person"].nunique()
    people = set(exposures["person"])
    rows = mart("select experiment_id, variant, user_id from exposures")
    found = rows[rows["user_id"].isin(people)].groupby(["experiment_id", "variant"])["user_id"].nunique()
    assert plain.sum() > 100
    assert found.to_dict() == plain.to_dict()


@pytest.mark.parametrize("experiment_id", METRICS)
def test_the_interval_holds_the_planted_lift_beside_its_units(
    materialized_home: Home, truth, experiment_id: str
) -> None:
    lift, metric = METRICS[experiment_id]
    planted = truth("experiments").set_index(["experiment_id", "metric"])["true_lift"][experiment_id, lift]
    settings = load_site_settings(materialized_home).settings
    tables = read_tables(Warehouse(materialized_home.warehouse), experiment_id)
    analysis = analyse_experiment(
        load_definitions(materialized_home, settings),
        experiment_id,
        tables.exposures,
        tables.outcomes,
        tables.as_of,
        settings.experiments,
    )
    result = analysis.result(metric, "treatment")
    assert result.estimate.control_units + result.estimate.treatment_units > 0
    relative = result.decisive.relative
    assert not relative.low > planted
    assert not relative.high < planted
