"""The sources that dbt reads are the contract, column by column, and each mart says who reads it."""

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import yaml
from dbt.contracts.graph.manifest import Manifest

from ml.events.contract import FIELDS
from ml.sources.catalogue import ITEM_SCHEMA
from orchestration.product_files import DBT_PROJECT_FOLDER
from tests.dbt_project.built import event, warehouse_in

MARTS = ("marts", "segmented", "training")
DUCKDB_TYPES = {
    pa.string(): "varchar",
    pa.float64(): "double",
    pa.int32(): "integer",
    pa.list_(pa.string()): "varchar[]",
    pa.timestamp("us", tz="UTC"): "timestamp with time zone",
}


def columns_of(source: str) -> list[tuple[str, str, str]]:
    sources = yaml.safe_load((DBT_PROJECT_FOLDER / "models/staging/_sources.yml").read_text(encoding="utf-8"))
    (table,) = next(group["tables"] for group in sources["sources"] if group["name"] == source)
    return [(column["name"], column["data_type"], column["description"]) for column in table["columns"]]


def test_the_event_source_has_the_fields_of_the_contract() -> None:
    assert columns_of("event_log") == [(f.name, DUCKDB_TYPES[f.type], f.description) for f in FIELDS]


def test_the_item_source_has_the_fields_of_the_catalogue() -> None:
    assert columns_of("catalogue") == [
        (f.name, DUCKDB_TYPES[f.type], f.metadata[b"description"].decode()) for f in ITEM_SCHEMA
    ]


def test_every_mart_says_who_reads_it_and_what_its_columns_are(manifest: Manifest) -> None:
    read = {unique_id for exposure in manifest.exposures.values() for unique_id in exposure.depends_on.nodes}
    marts = [node for node in manifest.nodes.values() if node.resource_type == "model" and node.fqn[1] in MARTS]
    assert marts
    assert [mart.name for mart in marts if mart.unique_id not in read] == []
    bare = [
        f"{mart.name}.{name}" for mart in marts for name, column in mart.columns.items() if not column.description
    ]
    assert bare == []


def test_an_exposure_names_only_readers_that_exist_and_marts_that_they_read(manifest: Manifest) -> None:
    exposures = list(manifest.exposures.values())
    assert exposures
    unread = [
        f"{exposure.name}: {mart}"
        for exposure in exposures
        if exposure.config.meta["readers"]
        for mart in (node.rpartition(".")[2] for node in exposure.depends_on.nodes)
        if not any(mart in words_of(reader) for reader in exposure.config.meta["readers"])
    ]
    assert unread == []


def words_of(file: str) -> set[str]:
    """Names in a file of the checkout. A reader that is gone raises FileNotFoundError."""
    return set(re.findall(r"\w+", (DBT_PROJECT_FOLDER.parent / file).read_text(encoding="utf-8")))


def test_a_moved_home_opens_from_another_folder(manifest: Manifest, tmp_path: Path) -> None:
    """As the page about the tables says: no table names the folder of the home."""
    built = warehouse_in(tmp_path / "first", manifest)
    built.ingest(event(0, user_id="ann", item_id="lamp"))
    built.build("stg_events")
    moved = built.home.path.rename(tmp_path / "moved")
    with duckdb.connect(moved / "warehouse.duckdb", read_only=True) as connection:
        connection.execute(f"set file_search_path = '{moved}'")
        assert connection.execute("select user_id, item_id from staging.stg_events").fetchall() == [
            ("ann", "lamp")
        ]
