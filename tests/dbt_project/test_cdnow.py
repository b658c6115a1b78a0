"""A file in the shape of CDNOW's: classes, orders and money of every customer are those of a plain count."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from dbt.contracts.graph.manifest import Manifest
from statsmodels.stats.proportion import proportion_confint

from ml.sources import ingest, open_source
from tests.dbt_project.built import Built, warehouse_in

CUSTOMERS = 400
START, END = dt.date(1997, 1, 1), dt.date(1998, 6, 30)
MAPPING = """
file: {delimiter: whitespace, columns: [customer, date, discs, dollars]}
event_type: {value: purchase}
occurred_at: date
user_id: customer
value: dollars
properties: {quantity: discs}
"""


def draw_orders(seed: int = 5) -> pd.DataFrame:
    """Orders of customers who begin within twelve weeks, buy at rates of their own, and stop after some order.

    That is the process of the BG/NBD model (Fader, Hardie, Lee 2005), at about CDNOW's estimates.
    """
    random = np.random.default_rng(seed)
    days = (END - START).days
    rows = []
    for customer in range(1, CUSTOMERS + 1):
        rate, stop = random.gamma(0.35, 1 / 4.4) / 7, random.beta(0.79, 2.43)
        at = float(random.integers(0, 84))
        while at <= days:
            discs = 1 + random.poisson(1.2)
            rows.append((f"{customer:05d}", int(at), discs, round(discs * random.uniform(8, 18), 2)))
            if random.random() < stop:
                break
            at += random.exponential(1 / max(rate, 1e-9))
    orders = pd.DataFrame(rows, columns=["customer", "day", "discs", "dollars"]).drop_duplicates()
    orders["date"] = pd.Timestamp(START) + pd.to_timedelta(orders["day"], unit="D")
    return orders


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    return draw_orders()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest, orders: pd.DataFrame) -> Built:
    folder = tmp_path_factory.mktemp("cdnow")
    lines = [
        f" {row.customer} {row.date:%Y%m%d} {row.discs:2d} {row.dollars:7.2f}\n" for row in orders.itertuples()
    ]
    (folder / "CDNOW_master.txt").write_text("".join(lines), encoding="ascii")
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    warehouse = warehouse_in(folder / "home", manifest)
    source = open_source("files", mapping=folder / "mapping.yaml")
    report = ingest(source, folder / "CDNOW_master.txt", warehouse.home, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert report.accepted == len(orders)
    warehouse.build("users")
    return warehouse


def judge(days: pd.Series, as_of: pd.Timestamp) -> str:
    """The class of a customer by the days of their orders: new, one-time, inactive, frequent or occasional."""
    first, last, returns = days.min(), days.max(), days.nunique() - 1
    if (as_of - first).days < 7:
        return "new"
    if returns == 0:
        return "one-time"
    if (as_of - last).days >= 90:
        return "inactive"
    low, _ = proportion_confint(returns, max((as_of - first).days, returns), alpha=0.1, method="wilson")
    return "frequent" if low >= 0.14 else "occasional"


def test_about_half_of_the_customers_bought_once_and_every_class_is_that_of_the_orders(
    built: Built, orders: pd.DataFrame
) -> None:
    as_of = orders["date"].max()
    plain = {customer: judge(days, as_of) for customer, days in orders.groupby("customer")["date"]}
    assert dict(built.rows("select user_id, engagement_class from users")) == plain
    classes = pd.Series(plain).value_counts(normalize=True)
    assert 0.4 < classes["one-time"] < 0.65
    assert classes["inactive"] > 0.2
    assert classes.get("frequent", 0.0) < 0.01


def test_orders_and_money_of_every_customer_are_those_of_the_file(built: Built, orders: pd.DataFrame) -> None:
    plain = orders.groupby("customer").agg(orders=("dollars", "size"), dollars=("dollars", "sum"))
    found = {
        user: (n, float(money)) for user, n, money in built.rows("select user_id, purchases, revenue from users")
    }
    assert {user: n for user, (n, _) in found.items()} == plain["orders"].to_dict()
    assert {user: money for user, (_, money) in found.items()} == pytest.approx(plain["dollars"].to_dict())
