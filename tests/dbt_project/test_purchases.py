"""What was bought counts, whatever it cost; what was given back is no purchase."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.sources import ingest, open_source
from tests.dbt_project.built import VARIABLES, Built, event, warehouse_in
from tests.shared_data import SHARED, needs_shared_data

RETAIL_ROCKET = SHARED / "data/retailrocket/sample_events.csv.gz"
MAPPING = """
occurred_at: {column: timestamp, unit: ms}
user_id: visitorid
item_id: itemid
event_type: {column: event, words: {view: page_view, addtocart: add_to_cart, transaction: purchase}}
"""

AMOUNTS: dict[str, list[float | None]] = {
    "paid": [30.0],
    "free": [0.0],
    "unpriced": [None],
    "refunded": [-30.0],
    "huge refund": [-5e9],  # outside `value_limits`: its amount is missing, and it still is a refund
    "huge price": [5e9],
    "returned": [30.0, -10.0],
}
PURCHASES = {
    "paid": 1,
    "free": 1,
    "unpriced": 1,
    "refunded": 0,
    "huge refund": 0,
    "huge price": 1,
    "returned": 1,
}
MARTS_OF_PEOPLE = ("users", "sessions", "user_days", "interactions", "user_items")
REVENUE = {"paid": 30.0, "refunded": -30.0, "returned": 20.0}


def orders(authority: str | None) -> list[dict[str, Any]]:
    """Each person views, fills a cart, checks out and buys; who only gives back does nothing else."""
    events: list[dict[str, Any]] = []
    for name, amounts in AMOUNTS.items():
        who = {"anonymous_id": name} if authority == "browser" else {"user_id": name}
        who |= {"item_id": "boots", "page_url": "/boots", "authority": authority}
        steps = ["page_view", "add_to_cart", "checkout"]
        events += [event(minute, step, **who) for minute, step in enumerate(steps)]
        events += [event(5 + n, "purchase", value=value, **who) for n, value in enumerate(amounts)]
    return events


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    warehouse = warehouse_in(tmp_path_factory.mktemp("purchases") / "home", manifest)
    warehouse.describe(boots={"price": 30.0})
    exposed = [
        event(4, "exposure", user_id=name, experiment_id="e", variant="a")
        for name in ("free", "unpriced", "refunded")
    ]
    warehouse.ingest(*orders(None), *exposed)
    warehouse.build(*MARTS_OF_PEOPLE, "daily_metrics", "items", "funnels", "experiment_outcomes")
    return warehouse


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    warehouse = warehouse_in(tmp_path_factory.mktemp("claims") / "home", manifest)
    warehouse.ingest(*orders("browser"))
    warehouse.build("users", "funnels")
    return warehouse


@pytest.mark.parametrize("mart", MARTS_OF_PEOPLE)
def test_every_purchase_counts_and_money_stands_apart(built: Built, mart: str) -> None:
    rows = built.rows(f"select user_id, purchases, revenue from {mart}")
    assert {user: purchases for user, purchases, _ in rows} == PURCHASES
    assert {user: revenue for user, _, revenue in rows if revenue} == REVENUE


def test_totals_of_days_and_items_count_the_same(built: Built) -> None:
    # five people bought; 30 - 30 + 20
    assert built.rows("select purchases, conversions, revenue from daily_metrics") == [(5, 5, 20.0)]
    assert built.rows("select purchases, revenue from items") == [(5, 20.0)]


def test_a_session_converts_by_its_purchase(built: Built) -> None:
    sessions = built.rows(
        "select user_id, is_converted, funnel_stage, date_part('minute', converted_at) from sessions"
    )
    # the checkout at minute 2 came first for everybody
    assert {user: (bool(converted), stage, minute) for user, converted, stage, minute in sessions} == {
        user: (bool(count), "purchase" if count else "checkout", 2) for user, count in PURCHASES.items()
    }


@pytest.mark.parametrize("funnel", ["purchase", "purchase_by_user"])
def test_a_refund_is_no_step_of_a_funnel(built: Built, funnel: str) -> None:
    steps = f"select step, sum(entered) from funnels where funnel = '{funnel}' group by all"
    assert dict(built.rows(steps)) == {"page_view": 7, "add_to_cart": 7, "checkout": 7, "purchase": 5}


def test_a_refund_says_nothing_of_interest(built: Built) -> None:
    strengths = dict(built.rows("select user_id, strength from user_items"))
    # a view, a cart and a checkout: 1 + 4 + 4; a purchase adds 8
    assert strengths == {user: 9.0 + 8.0 * count for user, count in PURCHASES.items()}


def test_an_experiment_counts_purchases_without_money(built: Built) -> None:
    outcomes = "select user_id, sum(purchases), sum(revenue) from experiment_outcomes where day >= 0 group by all"
    assert sorted(built.rows(outcomes)) == [("free", 1, 0.0), ("refunded", 0, -30.0), ("unpriced", 1, 0.0)]


def test_claims_of_browsers_count_alike(claimed: Built) -> None:
    rows = claimed.rows("select user_id, purchases, claimed_purchases, claimed_revenue from users")
    assert {user: count for user, _, count, _ in rows} == PURCHASES
    assert {user: revenue for user, _, _, revenue in rows if revenue} == REVENUE
    assert {purchases for _, purchases, _, _ in rows} == {0}
    assert claimed.rows("select sum(entered) from funnels where step = 'purchase'") == [(None,)]


@needs_shared_data(RETAIL_ROCKET)
def test_a_real_shop_without_prices_has_purchases_and_a_funnel(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["page_view", "add_to_cart", "purchase"]
    monkeypatch.setitem(VARIABLES, "funnels", {"buy": {"per": "user", "window_hours": 168, "steps": steps}})
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    warehouse = warehouse_in(tmp_path / "home", manifest)
    source = open_source("files", mapping=tmp_path / "mapping.yaml")
    ingest(source, RETAIL_ROCKET, warehouse.home, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    warehouse.build("users", "daily_metrics", "funnels")

    with gzip.open(RETAIL_ROCKET, "rt", encoding="utf-8") as file:
        lines = {tuple(row.values()): row for row in csv.DictReader(file)}.values()  # exact repeats count once
    bought = [line for line in lines if line["event"] == "transaction"]
    assert len(bought) == 46
    times: dict[str, dict[str, list[int]]] = {}
    for line in lines:
        by_event = times.setdefault(line["visitorid"], {"view": [], "addtocart": [], "transaction": []})
        by_event[line["event"]].append(int(line["timestamp"]))
    week = 7 * 24 * 3_600_000
    reached = [set(), set(), set()]  # type: list[set[str]]
    for visitor, by_event in times.items():
        for viewed in by_event["view"]:
            reached[0].add(visitor)
            for cart in (at for at in by_event["addtocart"] if viewed < at <= viewed + week):
                reached[1].add(visitor)
                if any(cart < at <= viewed + week for at in by_event["transaction"]):
                    reached[2].add(visitor)

    assert warehouse.rows("select sum(purchases)::int, sum(revenue) from daily_metrics") == [(46, 0.0)]
    buyers = "select user_id, purchases from users where purchases > 0"
    counts = dict(warehouse.rows(buyers))
    assert counts.keys() == {line["visitorid"] for line in bought}
    assert sum(counts.values()) == 46
    entered = "select sum(entered)::int from funnels group by step_number order by step_number"
    assert [count for (count,) in warehouse.rows(entered)] == [len(people) for people in reached]
    assert len(reached[2]) > 0
