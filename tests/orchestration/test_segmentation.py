"""What a run leaves behind of its segments."""

import html
import json
import shutil

import dagster as dg
import pytest

from ml.home import Home
from ml.segmentation import load_segmentation
from orchestration.definitions import defs
from orchestration.warehouse.warehouse import Warehouse, open_duckdb


def test_a_run_describes_its_segments_in_the_warehouse_and_in_a_report(materialized_home: Home) -> None:
    profiles = Warehouse(materialized_home.warehouse).read("segment_profiles").to_pylist()
    assert profiles
    report = html.unescape((materialized_home.reports / "segmentation" / "report.html").read_text())
    for profile in profiles:
        assert profile["name"] in report
        assert profile["persona"] in report
        funnel = json.loads(profile["behaviour"])["funnel"]
        assert funnel["view"] >= funnel["cart"] >= funnel["checkout"] >= funnel["purchase"]
    assert "Funnel by segment" in report


def test_every_consenting_user_is_where_the_kept_model_says(materialized_home: Home) -> None:
    warehouse = Warehouse(materialized_home.warehouse)
    segmentation = load_segmentation(materialized_home.models / "segmentation")
    users = warehouse.read("from users where has_personalization_consent order by user_id")
    segments = warehouse.read("select segment, name from user_segments order by user_id")
    assert segmentation.assign(users).select(["segment", "name"]).to_pydict() == segments.to_pydict()


def test_every_column_of_the_warehouse_has_a_comment(materialized_home: Home) -> None:
    rows = Warehouse(materialized_home.warehouse).read(
        "select table_name, column_name from duckdb_columns() "
        "where not internal and schema_name <> 'state' and comment is null"
    )
    assert rows.to_pylist() == []


def test_a_plain_run_contacts_nobody(materialized_home: Home) -> None:
    assert not materialized_home.contacts.exists()
    assert not (materialized_home.reports / "audiences").exists()


def test_what_is_learned_does_not_depend_on_the_order_of_rows(
    changing_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = learned(changing_home)
    shutil.rmtree(changing_home.models / "segmentation")
    with open_duckdb(changing_home.warehouse) as connection:
        tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'main'").fetchall()
        for (table,) in tables:
            connection.execute(f"create or replace table {table} as from {table} order by hash({table}::text)")
    monkeypatch.setenv("TESSERA_HOME", str(changing_home.path))
    chosen = [dg.AssetKey(name) for name in ("segmentation_model", "user_segments", "candidate_models")]
    assert defs().resolve_job_def("training").execute_in_process(asset_selection=chosen).success
    assert learned(changing_home) == before


def learned(home: Home) -> list[str]:
    """What a training leaves, without the seconds that it took; as text, since NaN equals nothing."""
    queries = ("from user_segments order by user_id", "select * exclude (seconds) from candidate_models")
    return [repr(Warehouse(home.warehouse).read(query).to_pylist()) for query in queries]
