"""How often a person comes, by evidence of the days since the first visit: by hand and by the planted truth."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from ml.settings.simulator import SimulatorSettings
from ml.sources import ingest, open_source
from tests.dbt_project.built import Built, event, warehouse_in
from tests.dbt_project.simulated_engagement import engagement, share_right, simulate
from tests.shared_data import SHARED, needs_shared_data

DAY = 24 * 60
ORDERS = SHARED / "data/online_retail/online_retail.parquet"

# Days on which each person came; the newest event of the log is on day 100.
VISITS: dict[str, list[int]] = {
    "passer-by yesterday": [99],
    "passer-by of the week before": [90],
    "passer-by of long ago": [5],
    "twice in two days": [80, 81],
    "every other day": list(range(0, 101, 2)),
    "every week": list(range(2, 101, 7)),
    "every month": [10, 40, 70, 100],
    "daily since Monday": list(range(95, 101)),
    "daily for two weeks": list(range(87, 101)),
    "left after a month": list(range(0, 9)),
    "many visits on one day": [50, 50, 50],
}
CLASSES = {
    "passer-by yesterday": "new",
    "passer-by of the week before": "one-time",
    "passer-by of long ago": "one-time",
    "twice in two days": "occasional",
    "every other day": "frequent",
    "every week": "occasional",  # 14 returns in 98 days are evidence of 9% of the days, not of 14%
    "every month": "occasional",
    "daily since Monday": "new",
    "daily for two weeks": "frequent",
    "left after a month": "inactive",
    "many visits on one day": "one-time",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    warehouse = warehouse_in(tmp_path_factory.mktemp("engagement") / "home", manifest)
    warehouse.ingest(
        *[
            event(day * DAY + 5 * place, user_id=name, page_url="/")
            for name, days in VISITS.items()
            for place, day in enumerate(days)
        ]
    )
    warehouse.build("users")
    return warehouse


def test_a_class_goes_by_the_days_since_the_first_visit(built: Built) -> None:
    assert dict(built.rows("select user_id, engagement_class from users")) == CLASSES


def test_the_share_of_days_comes_with_its_bounds(built: Built) -> None:
    columns = "active_days, observed_days, frequency, frequency_low, frequency_high"
    active, observed, share, low, high = built.rows(f"select {columns} from users where user_id = 'every month'")[
        0
    ]
    assert (active, observed, share) == (4, 90, pytest.approx(3 / 90, abs=1e-6))
    # Wilson's bounds are the shares of which 3 in 90 lies 1.645 standard errors away
    for bound in (low, high):
        assert abs(3 / 90 - bound) / math.sqrt(bound * (1 - bound) / 90) == pytest.approx(norm.ppf(0.95), abs=1e-3)
    assert 0 < low < share < high < 1


def test_who_came_once_is_no_evidence_of_coming_back(built: Built) -> None:
    rows = built.rows("select frequency, frequency_low from users where active_days = 1")
    assert set(rows) == {(0.0, 0.0)}


def test_the_mart_finds_the_planted_classes_of_everybody(tmp_path: Path, manifest: Manifest) -> None:
    knobs = SimulatorSettings().model_dump() | {"users": 120, "days": 120, "items": 100, "new_items_per_day": 1}
    settings = SimulatorSettings.model_validate(knobs)
    warehouse = warehouse_in(tmp_path / "home", manifest)
    site = simulate(warehouse, settings, seed=3)
    pairs = engagement(warehouse, site, settings.days)
    planted = Counter(truth for truth, _ in pairs)
    assert planted["one-time"] > 100
    assert min(planted[name] for name in ("frequent", "occasional", "inactive", "new")) >= 5
    assert share_right(pairs) >= 0.95
    for name in planted:  # no class stands or falls with the large ones
        assert share_right([pair for pair in pairs if pair[1] == name]) >= 0.9, name


@needs_shared_data(ORDERS)
def test_the_classes_of_a_real_shop_follow_from_the_days_of_its_orders(tmp_path: Path, manifest: Manifest) -> None:
    # every 16th customer, and one of those who order about twice a week
    sample = tmp_path / "online_retail.parquet"
    lines = f"""from '{ORDERS}' where CustomerID is not null and UnitPrice > 0 and Quantity <> 0
        and (CustomerID::bigint % 16 = 0 or CustomerID = 14911)"""
    duckdb.sql(f"copy ({lines}) to '{sample}'")
    warehouse = warehouse_in(tmp_path / "home", manifest)
    ingest(open_source("online_retail"), sample, warehouse.home, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    warehouse.build("users")

    customers = duckdb.sql(
        f"""select CustomerID::bigint::text, list(distinct InvoiceDate::date order by InvoiceDate::date),
            (select max(InvoiceDate) from '{sample}') - min(InvoiceDate) as tenure,
            (select max(InvoiceDate) from '{sample}') - max(InvoiceDate) as silence,
            (select max(InvoiceDate)::date from '{sample}') as last_day
        from '{sample}' group by CustomerID"""
    ).fetchall()
    expected = {}
    for customer, days, tenure, silence, last_day in customers:
        returns, observed = len(days) - 1, max((last_day - days[0]).days, 1)
        least, _ = proportion_confint(returns, observed, alpha=0.1, method="wilson")
        expected[customer] = (
            "new" if tenure < dt.timedelta(days=7)
            else "one-time" if returns == 0
            else "inactive" if silence >= dt.timedelta(days=90)
            else "frequent" if least >= 0.14
            else "occasional"
        )  # fmt: skip
    classes = dict(warehouse.rows("select user_id, engagement_class from users"))
    assert classes == expected
    counts = Counter(classes.values())
    assert counts["one-time"] > 60
    assert counts["occasional"] > 100
    assert counts["inactive"] > 20
    assert classes["14911"] == "frequent"
