"""`tessera check` counts raw events a second time, and sees a mart that says something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from typer.testing import CliRunner

from ml.events.log import EventLog
from ml.privacy.erased_ids import ErasedIds
from ml.settings import load_settings
from orchestration.cli import app
from orchestration.upkeep.plain_counts import PlainCounts, count_plainly
from orchestration.warehouse.warehouse import open_duckdb
from tests.dbt_project.built import Built, event, warehouse_in

DAY = 1440.0
EUR = {"currency": "EUR"}
COMPARED = ("sessions", "daily_metrics", "users", "revenue_by_currency")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Four people: ann with an account, two visitors, and a browser whose claims are worth nothing."""
    built = warehouse_in(tmp_path_factory.mktemp("check") / "home", manifest)
    order = {"order_id": "o1", **EUR}
    built.ingest(
        event(0, user_id="ann", anonymous_id="laptop"),
        event(1, "click", user_id="ann", anonymous_id="laptop"),
        # Two lines of one order, an order without a value, one beyond every limit, and a refund.
        event(2, "purchase", user_id="ann", anonymous_id="laptop", value=30.0, item_id="a", properties=order),
        event(2, "purchase", user_id="ann", anonymous_id="laptop", value=20.0, item_id="b", properties=order),
        event(3, "purchase", user_id="ann", anonymous_id="laptop"),
        event(4, "purchase", user_id="ann", anonymous_id="laptop", value=1e12, properties=EUR),
        event(5, "purchase", user_id="ann", anonymous_id="laptop", value=-5.0, properties=EUR),
    )
    built.ingest(
        # A visit of two views, silence of 31 minutes, another visit; the same again on the next day.
        event(0, anonymous_id="phone"),
        event(30, anonymous_id="phone"),
        event(61, anonymous_id="phone"),
        event(DAY, anonymous_id="phone"),
        event(0, "impression", anonymous_id="tablet"),
        # The same event again, in a later part and with the same id.
        event(1, "click", user_id="ann", anonymous_id="laptop"),
        # A claim of a purchase, and of a user.
        event(6, "purchase", anonymous_id="kiosk", authority="browser", value=1000.0, properties=EUR),
        event(7, user_id="ann", anonymous_id="kiosk", authority="browser"),
    )
    built.build(*COMPARED)
    return built


def count(built: Built) -> PlainCounts:
    log = EventLog(built.home)
    files = [log.path(part) for part in log.parts() if part.rows]
    return count_plainly(files, ErasedIds(built.home), load_settings().warehouse)


def check(built: Built) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check", "--home", str(built.home.path)], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_raw_events_are_counted_by_the_rules_of_the_contract(shop: Built) -> None:
    plain = count(shop)
    assert (plain.rows, plain.repeats, plain.erased, plain.events) == (15, 1, 0, 14)
    assert (plain.of_type["page views"], plain.of_type["clicks"], plain.of_type["impressions"]) == (6, 1, 1)
    assert (plain.purchases, plain.scattered_orders) == (3, 0)
    assert plain.amounts == {"EUR": 45.0, "": 0.0}
    assert (plain.known_users, plain.anonymous_devices, plain.shared_devices) == (1, 3, 0)
    # ann on the laptop once, the phone three times, the tablet and the kiosk once each.
    assert (plain.visits.all_devices, plain.visits.visits, plain.visits.returning) == (4, 6, 1)


def test_the_marts_agree_with_the_plain_count(shop: Built) -> None:
    status, output = check(shop)
    assert status == 0, output
    assert "figures agree" in output
    assert "15 rows of the event log were read, 1 of them repeats" in output
    assert "explained" not in output


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("update sessions set clicks = clicks + 1 where clicks = 1", "clicks in sessions"),
        ("delete from sessions where device_id = 'tablet'", "people in sessions"),
        ("update daily_metrics set revenue = revenue + 0.01", "revenue of people in daily_metrics"),
        (
            "alter view users rename to sound_users;"
            "create table users as select * replace (0 as purchases) from sound_users",
            "purchases of people in users",
        ),
        ("update sessions set started_at = started_at - interval 1 day where device_id = 'tablet'", "first event"),
        (
            "update sessions set started_at = started_at - interval 1 day where started_at >= '2026-03-03'",
            "returning visitors",
        ),
    ],
)
def test_a_wrong_mart_is_seen(shop: Built, tmp_path: Path, fault: str, named: str) -> None:
    sound = shutil.copy(shop.home.warehouse, tmp_path / "sound.duckdb")
    with open_duckdb(shop.home.warehouse) as connection:
        connection.execute(fault)
    try:
        status, output = check(shop)
    finally:
        shutil.copy(sound, shop.home.warehouse)
    assert status == 1
    assert named in output.partition("figures differ:")[2]


def test_a_second_view_of_one_load_is_explained(tmp_path: Path, manifest: Manifest) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    page = {"anonymous_id": "phone", "page_url": "https://shop.example/vase"}
    built.ingest(event(0, **page), event(0.05, item_id="vase", **page), event(9, **page))
    built.build(*COMPARED)
    assert count(built).quick_views == 1
    status, output = check(built)
    assert status == 0, output
    assert "explained: 1 views come shortly after one of the same address" in output


def test_events_after_the_last_run_are_not_compared(shop: Built, tmp_path: Path) -> None:
    built = shop.copy(tmp_path / "home")
    built.ingest(event(1, anonymous_id="phone"))
    status, output = check(built)
    assert (status, "1 files of the log came after the last run" in output) == (0, True)


def test_a_home_that_was_never_materialized_says_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--home", str(tmp_path)])
    assert done.exit_code == 1
    assert "run `tessera materialize` first" in done.output


def test_a_home_without_events_agrees(empty: Built) -> None:
    status, output = check(empty)
    assert status == 0, output
    assert "0 rows of the event log were read" in output


def test_orders_without_a_page_view_are_counted(tmp_path: Path, manifest: Manifest) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    built.ingest(event(0, "purchase", user_id="ann", value=30.0, properties=EUR))
    plain = count(built)
    assert (plain.events, plain.purchases, plain.amounts, plain.quick_views) == (1, 1, {"EUR": 30.0}, 0)
