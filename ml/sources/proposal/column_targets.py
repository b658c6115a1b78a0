"""Which field of an event, or of the catalogue, each column of a file is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import FIELD_NAMES
from ml.sources.proposal.event_columns import EVENT_COLUMNS, FOREIGN_NAMES, ITEM_COLUMNS
from ml.sources.proposal.rules import MOST_WORDS, propose_time
from ml.tables.conversion import as_number, as_text
from ml.tables.usual_names import ENDINGS, USUAL_NAMES, normalized

SURE = 0.9  # share of times in a column that is not called like one
NOT_FROM_FILES = ("properties", "received_at", "authority", "source")
USUAL: Mapping[str, tuple[str, ...]] = {
    "occurred_at": (*USUAL_NAMES["time"], FOREIGN_NAMES["time"]),
    "user_id": (*USUAL_NAMES["user"][:3], FOREIGN_NAMES["user"]),
    "anonymous_id": USUAL_NAMES["user"][3:4],
    "item_id": (*USUAL_NAMES["item"][:3], FOREIGN_NAMES["item"], *USUAL_NAMES["item"][3:]),
    **EVENT_COLUMNS,
}
ENDS = {"user_id": ENDINGS["user"], "item_id": ENDINGS["item"], "occurred_at": ENDINGS["time"]}


def choose_targets(table: pa.Table) -> dict[str, str]:
    """Choose the field of each column by its name and its cells.

    Args:
        table: The first rows of the file.

    Returns:
        Field by column, `items.<field>` for what describes the item. A column without a field is left out.
    """
    left = {name: normalized(name) for name in table.column_names}
    chosen: dict[str, str] = {}

    def take(column: str | None, target: str) -> None:
        if column is not None:
            chosen[column] = target
            del left[column]

    def open_targets() -> list[str]:
        return [target for target in USUAL if target not in chosen.values()]

    for own_name in FIELD_NAMES:
        if own_name in left and own_name not in NOT_FROM_FILES:
            take(own_name, own_name)
    for depth in range(max(map(len, USUAL.values()))):
        for target in open_targets():
            names = USUAL[target][depth].split() if depth < len(USUAL[target]) else []
            take(next((c for c, name in left.items() if name in names and _fits(target, table[c])), None), target)
    for target in open_targets():
        ending = ENDS.get(target)
        if ending is not None:
            named = (column for column, name in left.items() if re.search(ending, name))
            take(next((column for column in named if _fits(target, table[column])), None), target)
    if "occurred_at" not in chosen.values():
        take(next((c for c in left if _is_written_time(table[c])), None), "occurred_at")
    if "item_id" in chosen.values():
        for field, usual in ITEM_COLUMNS.items():
            take(next((c for c, name in left.items() if name in usual.split()), None), f"items.{field}")
    return chosen


def is_called_like_a_time(name: str) -> bool:
    """Whether the name of a column is a usual one for times, or ends like one."""
    plain = normalized(name)
    usual = " ".join(USUAL["occurred_at"]).split()
    return plain in usual or bool(re.search(ENDS["occurred_at"], plain))


def _fits(target: str, column: pa.ChunkedArray) -> bool:
    """Whether the cells of a column can be a field, whatever the column is called."""
    if pa.types.is_nested(column.type):
        return False
    if target == "occurred_at":
        return propose_time(column) is not None
    if target == "event_type":
        return len(pc.unique(as_text(column))) <= MOST_WORDS
    if target == "event_id":  # the number of an order stands in each of its lines
        return len(pc.unique(as_text(column).drop_null())) == len(column)
    if target == "value":
        numbers, is_bad = as_number(column)
        return bool(numbers.null_count < len(numbers)) and float(is_bad.mean()) < 0.05
    return True


def _is_written_time(column: pa.ChunkedArray) -> bool:
    """Whether a column holds times that are written as such: a number may be anything."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return False
    return propose_time(column, SURE) is not None and not _is_number(column)


def _is_number(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) and not as_number(column)[1].any()
