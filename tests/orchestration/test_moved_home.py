"""A home can be moved and copied: nothing in it names where it lies, and a copy leaves the original alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from ml.home import Home
from ml.integrity.home_layout import LAYOUT, open_layout, read_layout
from ml.registry.registry import Registry
from orchestration.cli import app
from orchestration.erasure.scan import scan_files
from orchestration.warehouse.warehouse import Warehouse
from tests.orchestration.digests import digests

ADDRESSES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "source",
}


def test_no_file_of_a_finished_home_names_where_it_lies(materialized_home: Home) -> None:
    assert scan_files(materialized_home.path, [str(materialized_home.path)]) == []


def test_a_moved_copy_is_built_on_and_leaves_the_original_as_it_was(
    materialized_home: Home, changing_home: Home, tmp_path: Path
) -> None:
    before = digests(materialized_home.path)
    home = Home(shutil.move(changing_home.path, tmp_path / "moved"), site=changing_home.site)
    person = Warehouse(home.warehouse).read("select user_id from user_segments order by 1 limit 1")["user_id"][0]
    done = CliRunner().invoke(app, ["materialize", "--job", "retention", "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    assert Warehouse(home.warehouse).read("select count(*) as events from staging.stg_events")["events"][0].as_py()
    assert str(person) in str(Warehouse(home.warehouse).read("users")["user_id"].to_pylist())
    assert digests(materialized_home.path) == before
    assert scan_files(home.path, [str(home.path), str(materialized_home.path), str(changing_home.path)]) == []


def test_a_home_of_the_layout_before_is_made_movable(materialized_home: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    shutil.copy(materialized_home.path / "mlflow.db", home.path)
    shutil.copytree(materialized_home.artifacts, home.artifacts)
    with closing(sqlite3.connect(home.path / "mlflow.db")) as database, database:
        new = {name: database.execute(f"select {ADDRESSES[name]} from {name}").fetchall() for name in ADDRESSES}
        for table, column in ADDRESSES.items():
            database.execute(
                f"update {table} set {column} = replace({column}, 'mlflow-artifacts:/', ?)",
                ("file:///former/mlartifacts/home/mlartifacts/",),
            )
    open_layout(home)
    assert read_layout(home) == LAYOUT
    with closing(sqlite3.connect(home.path / "mlflow.db")) as database:
        assert {
            name: database.execute(f"select {ADDRESSES[name]} from {name}").fetchall() for name in ADDRESSES
        } == new
    champion = Registry(home.mlflow_uri).champion()
    assert champion is not None
    assert list(Registry(home.mlflow_uri).download(champion, tmp_path / "champion").iterdir())
