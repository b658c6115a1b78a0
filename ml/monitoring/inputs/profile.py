"""Reference profiles: counts of what a model was trained on, column by column.

A profile names no person, and no value that fewer than a handful of people share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F64, I64
from ml.monitoring.inputs.windows import (
    CLICKS,
    DAY,
    INTERACTIONS,
    ITEMS,
    OWNER,
    USERS,
    WEEK,
    InputWindow,
    entries_of,
)

MOST_VALUES = 50
MOST_BINS = 20
DIGITS = 3  # significant ones of an edge, so that it is nobody's own number
_BESIDE = {OWNER, DAY, "item_id", "first_seen_at"}


@dataclass(frozen=True)
class ColumnProfile:
    """How often the values of a column came.

    Attributes:
        frame: `users`, `items`, `interactions` or `clicks`.
        column: The column.
        kind: `values`, counted one by one, or `numbers`, counted between edges.
        values: The values that are named, the most frequent first; empty for numbers.
        edges: The upper bounds of the bins of numbers but the last; empty for values.
        counts: How often each came: the named values, then all other values; or the bins of numbers.
        missing: How often there was none.
        owners: People, or of items the items, behind all of them.
        weeks: Number of weeks that were counted.
    """

    frame: str
    column: str
    kind: Literal["values", "numbers"]
    values: tuple[str, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    owners: int
    weeks: int

    @property
    def name(self) -> str:
        """The column with its frame, such as `users.country`."""
        return f"{self.frame}.{self.column}"

    def count(self, table: pa.Table) -> tuple[I64, I64, int]:
        """Count another table's values by the same bins.

        Returns:
            (7, bins) counts by the day of the rows, (7,) missing ones, and the owners behind them. A table without
            the column lacks the value in every row.
        """
        if self.column not in table.column_names:
            table = table.append_column(self.column, pa.nulls(len(table), pa.string()))
        rows, values = entries_of(table, self.column)
        days = np.asarray(table[DAY], dtype=np.int64)[rows]
        codes, is_missing = self._codes(values)
        n_bins = len(self.counts)
        places = days[~is_missing] * n_bins + codes[~is_missing]
        counts = np.bincount(places, minlength=WEEK * n_bins).reshape(WEEK, n_bins)
        missing = np.bincount(days[is_missing], minlength=WEEK)
        return counts, missing, int(pc.count_distinct(table[OWNER]).as_py())

    def _codes(self, values: pa.Array) -> tuple[I64, np.ndarray]:
        if self.kind == "numbers":
            numbers = as_numbers(values)
            return np.searchsorted(np.asarray(self.edges), numbers), np.isnan(numbers)
        texts = pc.cast(values, pa.string())
        codes = pc.index_in(texts, value_set=pa.array(self.values, pa.string()))
        return np.asarray(pc.fill_null(codes, len(self.values)), dtype=np.int64), np.asarray(texts.is_null())

    def document(self) -> dict[str, Any]:
        """The profile as JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ColumnProfile:
        """The profile of a document."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        return cls(**fields)


def profile_windows(windows: Sequence[InputWindow], least_people: int) -> list[ColumnProfile]:
    """Profile every column of some weeks.

    Args:
        windows: The weeks, whose rows are counted together.
        least_people: A value that fewer people have is counted among the others.
    """
    profiles = []
    for frame in (USERS, ITEMS, INTERACTIONS, CLICKS):
        tables = [window.tables[frame] for window in windows if frame in window.tables]
        if not tables:
            continue
        table = pa.concat_tables(tables, promote_options="default")
        for column in table.column_names:
            if column not in _BESIDE and _is_countable(table.schema.field(column).type):
                profiles.append(_profile(frame, table, column, len(windows), least_people))
    return profiles


def _profile(frame: str, table: pa.Table, column: str, weeks: int, least_people: int) -> ColumnProfile:
    rows, values = entries_of(table, column)
    owners = table[OWNER].combine_chunks().take(pa.array(rows))
    n_owners = int(pc.count_distinct(table[OWNER]).as_py())
    if _is_number(values.type):
        numbers = as_numbers(values)
        filled = numbers[~np.isnan(numbers)]
        edges = _edges(filled, min(MOST_BINS, n_owners // least_people))
        counts = np.bincount(np.searchsorted(edges, filled), minlength=len(edges) + 1)
        return ColumnProfile(
            frame, column, "numbers", (), tuple(edges.tolist()), tuple(counts.tolist()),
            int(len(numbers) - len(filled)), n_owners, weeks,
        )  # fmt: skip
    pairs = pa.table({"value": pc.cast(values, pa.string()), OWNER: owners})
    filled_pairs = pairs.filter(pc.is_valid(pairs["value"]))
    by_value = filled_pairs.group_by("value").aggregate([(OWNER, "count"), (OWNER, "count_distinct")])
    shared = by_value.filter(pc.greater_equal(by_value[f"{OWNER}_count_distinct"], least_people))
    named = shared.sort_by([(f"{OWNER}_count", "descending"), ("value", "ascending")]).slice(0, MOST_VALUES)
    counts_named = named[f"{OWNER}_count"].to_pylist()
    return ColumnProfile(
        frame, column, "values", tuple(named["value"].to_pylist()), (),
        (*counts_named, len(filled_pairs) - sum(counts_named)), len(pairs) - len(filled_pairs), n_owners, weeks,
    )  # fmt: skip


def _edges(numbers: F64, bins: int) -> F64:
    """Rounded quantiles between bins that hold about the same number of values; none for fewer than two bins."""
    if bins < 2 or not len(numbers):
        return np.empty(0)
    quantiles = np.quantile(numbers, np.arange(1, bins) / bins)
    return np.unique([float(f"{quantile:.{DIGITS}g}") for quantile in quantiles])


def as_numbers(values: pa.Array) -> F64:
    """Values as float64; NaN where there is none."""
    if pa.types.is_null(values.type):
        return np.full(len(values), np.nan)
    if pa.types.is_string(values.type):
        values = pc.if_else(pc.match_substring_regex(values, r"^-?\d+(\.\d+)?$"), values, None)
    return np.asarray(pc.fill_null(pc.cast(values, pa.float64(), safe=False), np.nan), dtype=np.float64)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_countable(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_countable(kind.value_type)
    if pa.types.is_dictionary(kind):
        return _is_countable(kind.value_type)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)
    return bool(is_text or _is_number(kind) or pa.types.is_null(kind))
