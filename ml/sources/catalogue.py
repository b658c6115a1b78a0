"""What the site knows of its items: appended snapshots, of which the newest row of an item counts."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from ml.events.contract import TIMESTAMP
from ml.home import Home, make_folder
from ml.integrity.checked_tables import write_named_by_content
from ml.integrity.digests import check_content_name

ITEM_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False, metadata={"description": "The item's id."}),
        pa.field("title", pa.string(), metadata={"description": "Title, as shown."}),
        pa.field("text", pa.string(), metadata={"description": "Body or summary, for content models."}),
        pa.field("category", pa.string(), metadata={"description": "The one category of the item."}),
        pa.field("tags", pa.list_(pa.string()), metadata={"description": "Topics of the item."}),
        pa.field("price", pa.float64(), metadata={"description": "Price in `currency`; null for content."}),
        pa.field("currency", pa.string(), metadata={"description": "ISO 4217 code of the price."}),
        pa.field("language", pa.string(), metadata={"description": "BCP 47 tag of the item's language."}),
        pa.field("published_at", TIMESTAMP, metadata={"description": "When the item went online."}),
        pa.field("features", pa.list_(pa.string()), metadata={"description": "More facts, as `name:value`."}),
        pa.field("updated_at", TIMESTAMP, nullable=False, metadata={"description": "When this row was true."}),
    ]
)


class Catalogue:
    """Snapshots of items below `TESSERA_HOME/catalogue/items`."""

    def __init__(self, home: Home) -> None:
        self.folder: Path = home.catalogue / "items"

    def append(self, items: pa.Table) -> Path:
        """Write one snapshot, whole or not at all. `items` has ITEM_SCHEMA's columns, in any order.

        Raises:
            ValueError: a column is missing or outside ITEM_SCHEMA, or item_id is null.
        """
        missing = set(ITEM_SCHEMA.names) ^ set(items.column_names)
        if missing:
            raise ValueError(
                f"items need exactly the columns {', '.join(ITEM_SCHEMA.names)}; off: {', '.join(sorted(missing))}"
            )
        table = items.select(ITEM_SCHEMA.names).cast(ITEM_SCHEMA)
        if table["item_id"].null_count:
            raise ValueError("item_id is null in at least one row of the items")
        return write_named_by_content(table, make_folder(self.folder), uuid.uuid4().hex)

    def read(self) -> pa.Table:
        """Newest row of every item, ITEM_SCHEMA, ordered by item_id; empty where nothing was written.

        Raises:
            DamagedFileError: A snapshot is damaged.
        """
        files = sorted(self.folder.glob("*.parquet"))
        for file in files:
            check_content_name(file)
        if not files:
            return ITEM_SCHEMA.empty_table()
        table = ds.dataset(files, schema=ITEM_SCHEMA).to_table()
        if not len(table):
            return table
        order = table.sort_by([("item_id", "ascending"), ("updated_at", "descending")])
        ids = order["item_id"].combine_chunks()
        first = pa.concat_arrays([pa.array([True]), pc.not_equal(ids[1:], ids[:-1])])
        return order.filter(first)
