"""A real randomized e-mail test, compared with formulas written out here and with statsmodels."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import t as student
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.metrics import MeanMetric, ProportionMetric
from tests.shared_data import SHARED, needs_shared_data

FILE = SHARED / "data/hillstrom/hillstrom.csv.gz"
START = datetime(2008, 3, 1, tzinfo=UTC)
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
COLUMNS = {"visit": "page_views", "conversion": "purchases", "spend": "revenue"}

pytestmark = needs_shared_data(FILE)


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FILE)


@pytest.fixture(scope="module")
def analysis(table, settings):
    ids = table.index.astype(str)
    exposures = pa.table(
        {
            "unit_id": ids,
            "user_id": ids,
            "variant": table["segment"],
            "first_exposed_at": pa.array([START] * len(table), pa.timestamp("us", tz="UTC")),
        }
    )
    outcomes = pa.table({"user_id": ids, "day": [0] * len(table), **{c: table[n] for n, c in COLUMNS.items()}})
    common = {"window_days": 14, "covariate_days": 0}
    experiment = Experiment(
        id="hillstrom",
        hypothesis="E-mails bring visits and purchases",
        unit="user",
        control=ARMS[0],
        variants={arm: {"share": 1 / 3} for arm in ARMS},
        primary_metric="visit",
        secondary_metrics=("conversion", "spend"),
        minimum_detectable_effect=0.05,
        starts_at=START,
        ends_at=START + timedelta(days=14),
    )
    metrics = {
        "visit": ProportionMetric(kind="proportion", measure="page_views", **common),
        "conversion": ProportionMetric(kind="proportion", measure="purchases", **common),
        "spend": MeanMetric(kind="mean", measure="revenue", **common),
    }
    definitions = ExperimentDefinitions(metrics=metrics, experiments={"hillstrom": experiment})
    return analyse_experiment(definitions, "hillstrom", exposures, outcomes, START + timedelta(days=40), settings)


@pytest.mark.parametrize("metric", COLUMNS)
@pytest.mark.parametrize("arm", ARMS[1:])
def test_effects_and_intervals_equal_an_independent_computation(analysis, table, metric, arm):
    control, treatment = (table.loc[table["segment"] == name, metric].to_numpy(float) for name in (ARMS[0], arm))
    effect = treatment.mean() - control.mean()
    parts = [values.var(ddof=1) / len(values) for values in (control, treatment)]
    degrees = sum(parts) ** 2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (control, treatment), strict=True))
    width = student.ppf(0.975, degrees) * np.sqrt(sum(parts))
    inference = analysis.result(metric, arm).plain
    assert inference.absolute.value == pytest.approx(effect, abs=1e-9)
    assert [inference.absolute.low, inference.absolute.high] == pytest.approx(
        [effect - width, effect + width], abs=1e-9
    )
    assert inference.relative.value == pytest.approx(treatment.mean() / control.mean() - 1, abs=1e-9)
    test = CompareMeans(DescrStatsW(treatment), DescrStatsW(control))
    assert inference.p_value == pytest.approx(test.ttest_ind(usevar="unequal")[1], abs=1e-9)


def test_the_visit_rates_are_the_published_ones(analysis):
    rates = [
        analysis.result("visit", ARMS[1]).estimate.control,
        *(analysis.result("visit", a).estimate.treatment for a in ARMS[1:]),
    ]
    assert rates == pytest.approx([0.10617, 0.18276, 0.15140], abs=5e-6)


def test_the_arms_were_split_as_planned(analysis):
    assert analysis.ratio.observed == (21_306, 21_307, 21_387)
    assert not analysis.ratio.alarm


def test_the_better_mail_is_shipped(analysis):
    assert (analysis.decision.verdict, analysis.decision.variant) == ("ship", "Mens E-Mail")
