import datetime as dt

import pyarrow as pa
import pytest

from ml.home import Home
from ml.sources.catalogue import ITEM_SCHEMA, Catalogue

MONDAY = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


def items(*rows: tuple[str, str, dt.datetime]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"item_id": item, "title": title, "updated_at": updated} for item, title, updated in rows],
        schema=ITEM_SCHEMA,
    )


def test_the_newest_row_of_an_item_counts(tmp_path):
    catalogue = Catalogue(Home(tmp_path))
    catalogue.append(items(("b", "old", MONDAY), ("a", "only", MONDAY)))
    catalogue.append(items(("b", "new", MONDAY + dt.timedelta(days=1))))
    assert catalogue.read().select(["item_id", "title"]).to_pylist() == [
        {"item_id": "a", "title": "only"},
        {"item_id": "b", "title": "new"},
    ]


def test_an_empty_catalogue_has_the_schema_and_no_rows(tmp_path):
    assert Catalogue(Home(tmp_path)).read().schema.equals(ITEM_SCHEMA)


def test_a_wrong_column_is_an_error_that_names_it(tmp_path):
    table = items(("a", "x", MONDAY)).rename_columns(["id", *ITEM_SCHEMA.names[1:]])
    with pytest.raises(ValueError, match="off: id, item_id"):
        Catalogue(Home(tmp_path)).append(table)


def test_an_item_without_id_is_refused_and_nothing_is_written(tmp_path):
    nullable = pa.schema([field.with_nullable(True) for field in ITEM_SCHEMA])
    table = pa.Table.from_pylist([{"updated_at": MONDAY}], schema=nullable)
    with pytest.raises(ValueError, match="item_id"):
        Catalogue(Home(tmp_path)).append(table)
    assert list(tmp_path.rglob("*.parquet")) == []
