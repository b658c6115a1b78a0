"""From a table of users to a numeric matrix: which columns are features, and how each becomes numbers.

Numeric and boolean columns are features as they are; a map or struct of numbers (shares by category, by daypart)
becomes one feature a key, named `column:key`. Text, lists and times describe segments but never form them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import BaseEstimator, TransformerMixin

from ml.arrays import F64, I64
from ml.errors import InvalidInputError
from ml.segmentation.persistence import persistable

USER_ID = "user_id"


@dataclass(frozen=True)
class Feature:
    """One column of the matrix: a column of the table, or one key of a map or struct column."""

    name: str
    column: str
    key: str | None = None


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """True if `name` equals or matches one of the shell patterns (`*_rate`, `category_shares:*`)."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_numeric(type_: pa.DataType) -> bool:
    """Whether a value of this Arrow type can be a feature by itself."""
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_decimal(type_)
    )


def check_users(table: pa.Table) -> None:
    """Raise ValueError unless `user_id` is there, text or integer, without nulls, one row a user."""
    if USER_ID not in table.column_names:
        raise InvalidInputError(
            f"column {USER_ID!r} is missing; the table has {', '.join(table.column_names) or 'no columns'}"
        )
    users = table.column(USER_ID)
    if users.null_count:
        raise InvalidInputError(
            f"column {USER_ID!r} has {users.null_count} empty values; every row needs its user"
        )
    repeated = len(users) - len(users.unique())
    if repeated:
        raise InvalidInputError(
            f"column {USER_ID!r} repeats: {repeated} rows are second rows of a user; give one row per user"
        )


@persistable
class FeatureEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Table of users → float matrix (n_users, n_features), NaN where a value is missing or infinite.

    Args:
        include: shell patterns of feature names to use; empty means all.
        exclude: shell patterns of feature names never used.
        rare_key: share of users below which a key of a map is no feature.

    Learned: `features_`, in the order of the matrix's columns; a key that appears only after fitting is ignored;
    `dropped_` (column and reason) of rare keys.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = (), rare_key: float = 0.0) -> None:
        self.include = include
        self.exclude = exclude
        self.rare_key = rare_key

    def fit(self, table: pa.Table, y: Any = None) -> FeatureEncoder:
        """Find the features of the table; raises ValueError if there is none."""
        self.features_: list[Feature] = []
        self.dropped_: list[list[str]] = []
        for field in table.schema:
            if field.name == USER_ID:
                continue
            if is_numeric(field.type):
                self._keep([Feature(field.name, field.name)])
            elif pa.types.is_map(field.type) and is_numeric(field.type.item_type):
                self._keep_usual(field.name, table.column(field.name))
            elif pa.types.is_struct(field.type):
                children = [child.name for child in field.type if is_numeric(child.type)]
                self._keep([Feature(f"{field.name}:{child}", field.name, child) for child in children])
        if not self.features_:
            raise InvalidInputError(f"no numeric column to segment by among {', '.join(table.column_names)}")
        return self

    def _keep(self, features: Sequence[Feature]) -> int:
        """Add those that are to be used; returns how many that are."""
        used = [
            feature
            for feature in features
            if (not self.include or matches_any(feature.name, self.include))
            and not matches_any(feature.name, self.exclude)
        ]
        self.features_ += used
        return len(used)

    def _keep_usual(self, name: str, column: pa.ChunkedArray) -> None:
        """Add the keys of a map that are not rare, in order; if any of them is used, tell how many are."""
        counts = pc.value_counts(flatten_map(column)[1])
        usual = counts.filter(pc.greater_equal(counts.field("counts"), self.rare_key * len(column)))
        keys = sorted(usual.field("values").to_pylist())
        rare = len(counts) - len(keys)
        if self._keep([Feature(f"{name}:{key}", name, key) for key in keys]) and rare:
            self.dropped_.append([name, f"{rare} keys that fewer than {self.rare_key:.1%} of users have"])

    @property
    def names(self) -> list[str]:
        """Names of the matrix's columns."""
        return [feature.name for feature in self.features_]

    def transform(self, table: pa.Table) -> F64:
        """Matrix (n_users, n_features); raises ValueError naming columns that were there at fit only."""
        absent = sorted({feature.column for feature in self.features_} - set(table.column_names))
        if absent:
            raise InvalidInputError(f"columns {', '.join(absent)} are missing; the segments were fitted with them")
        matrix = np.empty((table.num_rows, len(self.features_)))
        columns: dict[str, list[int]] = {}
        for position, feature in enumerate(self.features_):
            columns.setdefault(feature.column, []).append(position)
        for name, positions in columns.items():
            column = table.column(name)
            keys = [self.features_[position].key for position in positions]
            if keys == [None]:
                matrix[:, positions[0]] = to_floats(column)
            elif pa.types.is_map(column.type):
                matrix[:, positions] = _map_matrix(column, [str(key) for key in keys])
            else:
                for position, key in zip(positions, keys, strict=True):
                    matrix[:, position] = to_floats(pc.struct_field(column, str(key)))
        matrix[~np.isfinite(matrix)] = np.nan
        return matrix

    def transform_one(self, row: Mapping[str, Any]) -> F64:
        """Matrix (1, n_features) of one user; whatever `row` lacks is missing, not an error."""
        values = np.empty((1, len(self.features_)))
        for position, feature in enumerate(self.features_):
            value = row.get(feature.column)
            if feature.key is not None and value is not None:
                entries = value if isinstance(value, Mapping) else dict(value)
                value = entries.get(feature.key, 0.0)
            number = math.nan if value is None else float(value)
            values[0, position] = number if math.isfinite(number) else math.nan
        return values

    def get_state(self) -> dict[str, Any]:
        """State as plain values."""
        return {
            "dropped": self.dropped_,
            "features": [[feature.name, feature.column, feature.key] for feature in self.features_],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Inverse of `get_state`."""
        self.features_ = [Feature(name, column, key) for name, column, key in state["features"]]
        self.dropped_ = state["dropped"]


def to_floats(column: pa.ChunkedArray) -> F64:
    """Column of numbers or booleans as float64, null as NaN."""
    return np.asarray(
        pc.fill_null(pc.cast(column, pa.float64(), safe=False), math.nan).to_numpy(), dtype=np.float64
    )


def flatten_map(column: pa.ChunkedArray) -> tuple[I64, pa.Array, pa.Array]:
    """Row number, key and value of every entry of a map column."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    offsets = np.asarray(array.offsets)
    rows = np.repeat(np.arange(len(array)), np.diff(offsets))
    keys = array.keys.slice(offsets[0], offsets[-1] - offsets[0])
    items = array.items.slice(offsets[0], offsets[-1] - offsets[0])
    return rows, keys.cast(pa.string()), items


def _map_matrix(column: pa.ChunkedArray, keys: list[str]) -> F64:
    """Matrix (n_rows, len(keys)): an absent key is 0, a null map is NaN."""
    matrix = np.zeros((len(column), len(keys)))
    rows, entry_keys, items = flatten_map(column)
    codes = np.asarray(pc.fill_null(pc.index_in(entry_keys, value_set=pa.array(keys)), -1))
    known = codes >= 0
    matrix[rows[known], codes[known]] = to_floats(pa.chunked_array([items]))[known]
    matrix[np.asarray(column.is_null()), :] = np.nan
    return matrix
