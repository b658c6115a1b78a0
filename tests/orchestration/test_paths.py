"""What a run writes of its paths, against sums over the marts that share no code with it."""

from __future__ import annotations

import pytest
import yaml

from ml.home import Home
from ml.sequences.attribution.credits import METHODS
from ml.sequences.attribution.table import PATH_ATTRIBUTION
from ml.sequences.paths.table import PATHS
from ml.settings import load_site_settings
from orchestration.product_files import DBT_PROJECT_FOLDER
from orchestration.warehouse.expectations import validate
from orchestration.warehouse.path_expectations import PATH_SUITES
from orchestration.warehouse.warehouse import Warehouse

COUNTED = """
    with goals as (
        select session_key, min(occurred_at) as reached_at from visit_events where is_purchase group by all
    ),
    views as (
        select
            page_views.session_key, user_id, reached_at, viewed_at, items.category,
            row_number() over (partition by page_views.session_key order by path_position desc) as place_from_end
        from page_views
        left join goals using (session_key)
        left join items using (item_id)
        where reached_at is null or viewed_at < reached_at
    )
    select
        category as state, count(distinct session_key) as visits, count(distinct user_id) as people,
        count(*) as views, count(*) filter (place_from_end = 1 and reached_at is null) as exits
    from views where category is not null group by category
"""
DUCKDB_TYPES = {"string": "varchar", "int64": "bigint", "double": "double"}


@pytest.fixture
def warehouse(materialized_home: Home) -> Warehouse:
    return Warehouse(materialized_home.warehouse)


def test_the_visits_views_and_exits_of_a_category_are_those_of_the_marts(warehouse: Warehouse) -> None:
    counted = {row.pop("state"): row for row in warehouse.read(COUNTED).to_pylist()}
    rows = warehouse.read("from paths where level = 'category' and grouping = 'all'").to_pylist()
    written = {row["state"]: {name: row[name] for name in ("visits", "people", "views", "exits")} for row in rows}
    assert len(counted) > 5
    assert {state: row for state, row in written.items() if state in counted} == {
        state: row for state, row in counted.items() if row["people"] >= 20
    }


def test_every_method_credits_the_purchases_of_all_people(warehouse: Warehouse) -> None:
    counted = warehouse.read(
        "select sum(purchases)::double as purchases, sum(case when purchases > 0 then revenue end) as revenue"
        " from sessions where not is_bot and not is_internal"
    ).to_pylist()[0]
    rows = warehouse.read(
        "select dimension, method, sum(conversions) as conversions, sum(revenue) as revenue"
        " from path_attribution group by all"
    ).to_pylist()
    assert {(row["dimension"], row["method"]) for row in rows} == {
        (dimension, method) for dimension in ("channel", "campaign") for method in METHODS
    }
    for row in rows:
        assert row["conversions"] == pytest.approx(counted["purchases"])
        assert row["revenue"] == pytest.approx(counted["revenue"])


def test_the_last_touch_is_the_channel_of_the_visit_with_the_purchase(warehouse: Warehouse) -> None:
    counted = warehouse.read(
        "select channel, sum(purchases)::double as purchases from sessions"
        " where purchases > 0 and not is_bot group by all"
    ).to_pylist()
    rows = warehouse.read(
        "select touch, conversions from path_attribution where dimension = 'channel' and method = 'last'"
    ).to_pylist()
    written = {row["touch"]: row["conversions"] for row in rows}
    compared = {row["channel"]: row["purchases"] for row in counted if row["channel"] in written}
    assert compared
    assert {channel: written[channel] for channel in compared} == pytest.approx(compared)


@pytest.mark.parametrize("name", [suite.name for suite in PATH_SUITES])
def test_the_tables_meet_the_expectations(warehouse: Warehouse, materialized_home: Home, name: str) -> None:
    suite = next(suite for suite in PATH_SUITES if suite.name == name)
    settings = load_site_settings(materialized_home).settings.warehouse
    assert [
        result for result in validate(suite, warehouse.read(suite.figures), settings) if not result.passed
    ] == []


@pytest.mark.parametrize(
    ("change", "suite", "figure"),
    [
        (
            "update paths set removal_effect = 1.2 where level = 'category'",
            "paths_are_plausible",
            "impossible_chances",
        ),
        (
            "update paths set conversion_chance_low = 1, conversion_chance_high = 0",
            "paths_are_plausible",
            "reversed_intervals",
        ),
        ("update paths set people = 1", "paths_are_plausible", "fewest_people"),
        ("update paths set views = views + 100000", "paths_are_plausible", "views_beyond_moves"),
        ("update paths set exits = exits + 100000", "paths_are_plausible", "exits_beyond_moves"),
        (
            "update path_attribution set conversions = conversions + 1 where method = 'markov'",
            "credited_conversions_add_up",
            "different_conversions",
        ),
        (
            "update path_attribution set revenue = revenue + 1 where method = 'last'",
            "credited_conversions_add_up",
            "different_revenue",
        ),
        ("update path_attribution set share = share * 2", "credited_conversions_add_up", "shares_beside_one"),
        (
            "update path_attribution set conversions = -1 where method = 'first'",
            "credited_conversions_add_up",
            "negative_credits",
        ),
    ],
)
def test_a_table_that_is_wrong_fails_the_expectation(
    changing_home: Home, change: str, suite: str, figure: str
) -> None:
    warehouse = Warehouse(changing_home.warehouse)
    with warehouse.connect(read_only=False) as connection:
        connection.execute(change)
    chosen = next(other for other in PATH_SUITES if other.name == suite)
    settings = load_site_settings(changing_home).settings.warehouse
    failed = [r.figure for r in validate(chosen, warehouse.read(chosen.figures), settings) if not r.passed]
    assert figure in failed


def test_the_tables_have_the_columns_that_the_reference_describes() -> None:
    document = yaml.safe_load((DBT_PROJECT_FOLDER / "models/sequences/_sources.yml").read_text(encoding="utf-8"))
    tables = {table["name"]: table for source in document["sources"] for table in source["tables"]}
    for name, schema in {"paths": PATHS, "path_attribution": PATH_ATTRIBUTION}.items():
        described = [(column["name"], column["data_type"]) for column in tables[name]["columns"]]
        assert described == [(field.name, DUCKDB_TYPES[str(field.type)]) for field in schema]
