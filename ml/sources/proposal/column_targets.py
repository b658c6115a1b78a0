"""Which field of an event, or of the catalogue, each column of a file is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import FIELD_NAMES
from ml.events.normalization.devices import normalize_device_type
from ml.sources.proposal.column_names import is_of_line, plain_name
from ml.sources.proposal.event_columns import EVENT_COLUMNS, FOREIGN_NAMES, ITEM_COLUMNS
from ml.sources.proposal.rules import MOST_WORDS, propose_time
from ml.tables.conversion import as_number, as_text
from ml.tables.usual_names import ENDINGS, USUAL_NAMES

SURE = 0.9  # share of times in a column that is not called like one
DEVICE_WORDS = 0.5  # share of the words of a column that name a kind of device, where it is about devices
MOST_TITLES = 1.5  # different titles or categories that an item has on average, where a column describes items
NOT_FROM_FILES = ("properties", "received_at", "authority", "source")
TIMES_OF_ITEMS = "created createdat updated updatedat published publishedat modified modifiedat releasedate"
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
    # of an order and its line, the line names the item
    left = {name: plain_name(name) for name in sorted(table.column_names, key=is_of_line, reverse=True)}
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
    columns = {target: column for column, target in chosen.items()}
    item, number = columns.get("item_id"), columns.get("event_id")
    is_titled = item is not None and plain_name(item) in USUAL["item_id"][-1].split()
    if number is not None and (item is None or is_titled) and not _has_events(chosen):
        if item is not None:  # a table of items whose id is called `id`, beside a title
            left[item] = plain_name(item)
            del chosen[item]
        item, chosen[number] = number, "item_id"
    if item is not None:
        for field, usual in ITEM_COLUMNS.items():
            named = (c for c, name in left.items() if name in usual.split())
            describing = (c for c in named if field == "price" or _describes(table[item], table[c]))
            take(next(describing, None), f"items.{field}")
    return chosen


def describes_items(table: pa.Table, targets: Mapping[str, str]) -> bool:
    """Return whether a file describes items and has no events.

    It has facts about items, each of which stands in one row, and names no people; its times, if any, are those of
    the items.

    Args:
        table: The first rows of the file.
        targets: What `choose_targets` chose.
    """
    item = next((column for column, target in targets.items() if target == "item_id"), None)
    if item is None or not any(target.startswith("items.") for target in targets.values()):
        return False
    return not _has_events(targets) and len(pc.unique(as_text(table[item]))) == len(table)


def _has_events(targets: Mapping[str, str]) -> bool:
    """Whether people or times of events are among the columns that are chosen."""
    fields = set(targets.values())
    times = [column for column, target in targets.items() if target == "occurred_at"]
    of_events = [column for column in times if plain_name(column) not in TIMES_OF_ITEMS.split()]
    return bool({"user_id", "anonymous_id", "session_id"} & fields or of_events)


def is_called_like_a_time(name: str) -> bool:
    """Whether the name of a column is a usual one for times, or ends like one."""
    plain = plain_name(name)
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
    if target == "device_type":
        words = pc.unique(as_text(column).drop_null()).to_pylist()
        return sum(normalize_device_type(word) is not None for word in words) >= DEVICE_WORDS * len(words)
    return True


def _describes(items: pa.ChunkedArray, column: pa.ChunkedArray) -> bool:
    """Whether the cells of a column are facts about the items: rows of one item nearly all have the same."""
    if pa.types.is_nested(column.type):
        return True
    pairs = pa.table({"item": as_text(items), "fact": as_text(column)}).drop_null()
    distinct = pairs.group_by(["item", "fact"]).aggregate([])
    return len(distinct) <= MOST_TITLES * len(pc.unique(distinct["item"]))


def _is_written_time(column: pa.ChunkedArray) -> bool:
    """Whether a column holds times that are written as such: a number may be anything."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return False
    return propose_time(column, SURE) is not None and not _is_number(column)


def _is_number(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) and not as_number(column)[1].any()
