"""What models read of one week, as tables of a few columns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

USERS, ITEMS, INTERACTIONS, CLICKS = "users", "items", "interactions", "clicks"
OWNER, DAY = "owner", "day"
WEEK = 7
CLUSTER = "item_cluster"


@dataclass(frozen=True)
class InputWindow:
    """The rows of the training frames that were active in the seven days before a moment, as known at that moment.

    Attributes:
        end: The moment, naive UTC.
        first: When the first person was first seen, naive UTC; None without people.
        tables: Frame → its rows: `owner`, the person or for items the item; `day`, from 0 to 6, on which the row
            was last active; and the columns that models read. Interactions also have `item_id`, users
            `first_seen_at`.
    """

    end: dt.datetime
    first: dt.datetime | None
    tables: dict[str, pa.Table]

    @property
    def begin(self) -> dt.datetime:
        """The moment from which rows are in the window."""
        return self.end - dt.timedelta(days=WEEK)

    def is_grown(self, grace_days: int, end: dt.datetime) -> bool:
        """Whether the week before a moment began after the first days of the site."""
        begin = end - dt.timedelta(days=WEEK)
        return self.first is not None and begin - self.first >= dt.timedelta(days=grace_days)

    def with_clicks(self, items: KnownItems) -> InputWindow:
        """Add the frame `clicks`: the cluster of each interaction's item, of items that the model knows."""
        return replace(self, tables={**self.tables, CLICKS: items.clicks_of(self.tables[INTERACTIONS])})


@dataclass(frozen=True)
class KnownItems:
    """The items that a model knows, and the cluster that its factors put each in.

    Attributes:
        table: `item_id`, and `item_cluster`, which is null for a model without factors.
    """

    table: pa.Table

    def clicks_of(self, interactions: pa.Table) -> pa.Table:
        """Return `owner`, `day` and the cluster of the item, of interactions with items that are in a cluster."""
        clusters = self.table[CLUSTER].combine_chunks().take(self._places(interactions))
        clicks = interactions.select([OWNER, DAY]).append_column(CLUSTER, clusters)
        return clicks.filter(pc.is_valid(clicks[CLUSTER]))

    def unknown_share(self, interactions: pa.Table) -> float:
        """Share of the interactions with items that the model does not know."""
        return float(self._places(interactions).null_count / max(len(interactions), 1))

    def _places(self, interactions: pa.Table) -> pa.Array:
        value_set = self.table["item_id"].combine_chunks()
        return pc.index_in(interactions["item_id"].combine_chunks(), value_set=value_set)


def active_items(items: pa.Table, interactions: pa.Table) -> pa.Table:
    """The items that people had to do with, each on the last day on which somebody had.

    Args:
        items: `owner` and other columns, one row per item.
        interactions: `item_id` and `day`.
    """
    days = interactions.group_by("item_id").aggregate([(DAY, "max")])
    places = pc.index_in(items[OWNER], value_set=days["item_id"].combine_chunks())
    with_days = items.append_column(DAY, days[f"{DAY}_max"].combine_chunks().take(places.combine_chunks()))
    return with_days.filter(pc.is_valid(with_days[DAY]))


def entries_of(table: pa.Table, column: str) -> tuple[np.ndarray, pa.Array]:
    """Unroll a column.

    Returns:
        The row of each value, and the values; a list gives one value for each of its entries, an empty one a null.
    """
    chunks = table[column].chunks
    values = pa.concat_arrays(chunks) if chunks else pa.array([], table.schema.field(column).type)
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    rows = np.arange(len(values))
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        return rows, values
    is_empty = np.asarray(pc.fill_null(pc.equal(pc.list_value_length(values), 0), True), dtype=bool)
    parents = np.asarray(pc.list_parent_indices(values), dtype=np.int64)
    flat = values.flatten()
    return (
        np.concatenate([parents, rows[is_empty]]),
        pa.concat_arrays([flat, pa.nulls(int(is_empty.sum()), flat.type)]),
    )
