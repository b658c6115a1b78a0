"""Inputs in a home: the reference that a training leaves in run and bundle, the asset, its table and its alarm."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
from typer.testing import CliRunner

from ml.bundle import current_version
from ml.home import Home
from ml.monitoring.inputs.reference import FOLDER, Reference
from ml.monitoring.journal import Journal
from ml.registry.registry import Registry
from ml.segmentation import load_segmentation
from orchestration.cli import app
from orchestration.defs.inputs import input_drift
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.input_windows import read_before, read_newest
from orchestration.warehouse.warehouse import Warehouse, open_duckdb

USERS, ITEMS = ["device_type", "country", "no_such_column"], ["category", "tags"]


def compare(home: Home) -> dg.ExecuteInProcessResult:
    resource = HomeResource(path=str(home.path))
    result = dg.materialize(
        [input_drift], resources={"home": resource, "warehouse": WarehouseResource(home=resource)}
    )
    assert result.success
    return result


def test_a_training_leaves_a_reference_in_its_run_and_in_the_bundle(
    materialized_home: Home, tmp_path: Path
) -> None:
    version = current_version(materialized_home.published)
    assert version is not None
    folder = materialized_home.published / version / FOLDER
    reference = Reference.load(folder)
    assert reference is not None
    names = {column.name for column in reference.columns}
    assert {"users.device_type", "items.category", "interactions.strength", "clicks.item_cluster"} <= names
    features = load_segmentation(materialized_home.models / "segmentation").preparation["features"]
    assert {f"users.{feature}" for feature in features} <= names
    assert any(":" in feature for feature in features)
    read = Warehouse(materialized_home.warehouse).read
    assert reference.trained_until == read("select max(last_seen_at) as at from users")["at"][0].as_py()
    (device,) = [column for column in reference.columns if column.name == "users.device_type"]
    weeks = [
        read_newest(read, USERS, ITEMS),
        *read_before(read, read_newest(read, USERS, ITEMS), 3, 14, USERS, ITEMS),
    ]
    expected = sum(week.tables["users"].to_pandas()["device_type"].value_counts() for week in weeks)
    assert dict(zip(device.values, device.counts, strict=False)) == {
        value: count for value, count in expected.items() if value in device.values
    }
    people = read("select user_id from users")["user_id"].to_pylist()
    text = (folder / "profile.json").read_text(encoding="utf-8")
    assert [person for person in people if person in text] == []
    assert all(sum(column.counts) or column.missing for column in reference.columns)
    registry = Registry(materialized_home.mlflow_uri)
    champion = registry.champion()
    assert champion is not None
    files = {file.path for file in registry.client.list_artifacts(champion.run_id, FOLDER)}
    assert files == {"reference/profile.json", "reference/items.parquet"}
    figures = {file.path for file in registry.client.list_artifacts(champion.run_id, "figures")}
    assert "figures/reference.png" in figures
    logged = registry.client.download_artifacts(champion.run_id, "reference/profile.json", str(tmp_path))
    assert json.loads(Path(logged).read_text(encoding="utf-8")) == json.loads(text)


def test_weeks_before_the_newest_are_those_that_were_known_then(materialized_home: Home) -> None:
    read = Warehouse(materialized_home.warehouse).read
    newest = read_newest(read, USERS, ITEMS)
    (before,) = read_before(read, newest, 1, 0, USERS, ITEMS)
    assert "no_such_column" not in newest.tables["users"].column_names
    assert before.end == newest.begin
    for window in (newest, before):
        sessions = read(
            "select user_id, max(ended_at) as last_at from sessions where not is_bot and not is_internal and "
            f"ended_at > timestamp '{window.begin}' and ended_at <= timestamp '{window.end}' group by user_id"
        ).to_pandas()
        consenting = set(
            read("select user_id from users where has_personalization_consent")["user_id"].to_pylist()
        )
        users = window.tables["users"].to_pandas()
        active = set(sessions["user_id"]) & consenting
        assert len(set(users["owner"]) ^ active) <= 0.02 * len(active)
        assert users["day"].between(0, 6).all()
        acts = window.tables["interactions"].to_pandas()
        items = window.tables["items"].to_pandas()
        assert (
            dict(zip(items["owner"], items["day"], strict=True)) == acts.groupby("item_id")["day"].max().to_dict()
        )


def test_a_shift_in_the_marts_is_found_told_and_explained(
    changing_home: Home,
) -> None:
    compare(changing_home)
    warehouse = Warehouse(changing_home.warehouse)
    rows = warehouse.read("input_drift").to_pylist()
    assert {"users.country", "items.tags", "users.user_id", "interactions.item_id"} <= {
        f"{row['frame']}.{row['column_name']}" for row in rows
    }
    assert {row["state"] for row in rows} <= {"quiet", "small", "unsure", "unjudged"}
    assert Journal(changing_home).open_alarms() == []
    with open_duckdb(changing_home.warehouse) as connection:
        connection.execute("create table changed_users as select * replace ('tv' as device_type) from users")
        connection.execute("drop view users")
        connection.execute("alter table changed_users rename to users")
    result = compare(changing_home)
    (entry,) = Journal(changing_home).open_alarms()
    assert entry.facts["measure"] == "users.device_type"
    (event,) = result.asset_materializations_for_node("input_drift")
    assert "users | device_type" in str(event.metadata["drift"].value)
    assert "![figure]" in str(event.metadata["plot"].value)
    health = CliRunner().invoke(app, ["health", "--home", str(changing_home.path)])
    assert entry.alarm in health.output
    listed = CliRunner().invoke(app, ["alerts", "list", "--home", str(changing_home.path)])
    assert "users.device_type" in listed.output
    compare(changing_home)
    assert len(Journal(changing_home).open_alarms()) == 1
