"""Encode a table of users as a numeric matrix.

Numeric and boolean columns are features as they are. A map or struct of numbers, such as shares by category or by
daypart, becomes one feature per key, named `column:key`. A column that is declared categorical becomes one feature
per level, named `column=level`. All other text, lists and times describe segments but never form them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
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
    """A column of the matrix: a column of the table, one key of a map or struct, or one level of a category.

    Attributes:
        name: name of the feature.
        column: name of the column of the table.
        key: key of the map or struct.
        level: level of the category, as text.
        levels: number of levels of the category that are features; 1 for a number.
    """

    name: str
    column: str
    key: str | None = None
    level: str | None = None
    levels: int = 1


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Return whether `name` matches one of the shell patterns, such as `*_rate` or `category_shares:*`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_numeric(type_: pa.DataType) -> bool:
    """Return whether values of this Arrow type can be a feature."""
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_decimal(type_)
    )


def check_users(table: pa.Table) -> None:
    """Raise InvalidInputError unless `user_id` is present, has no nulls and is unique."""
    if USER_ID not in table.column_names:
        raise InvalidInputError(
            f"column {USER_ID!r} is missing; the table has {', '.join(table.column_names) or 'no columns'}"
        )
    users = table.column(USER_ID)
    if users.null_count:
        raise InvalidInputError(f"column {USER_ID!r} has {users.null_count} empty values; every row needs a user")
    repeated = len(users) - len(users.unique())
    if repeated:
        raise InvalidInputError(
            f"column {USER_ID!r} is not unique: {repeated} rows repeat a user; give one row per user"
        )


@persistable
class FeatureEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode a table of users as a float matrix (n_users, n_features).

    Missing and infinite values become NaN. Map keys that first appear after fitting are ignored.

    Args:
        include: shell patterns of the feature names to use; empty means all.
        exclude: shell patterns of feature names that are never used.
        rare_key: share of users below which a key of a map or a level of a category is not a feature.
        categorical: names of the columns whose values are names of categories.

    Attributes:
        features_: the features in the order of the matrix's columns.
        dropped_: column and reason of the rare keys and levels that were dropped.
    """

    def __init__(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        rare_key: float = 0.0,
        categorical: Sequence[str] = (),
    ) -> None:
        self.include = include
        self.exclude = exclude
        self.rare_key = rare_key
        self.categorical = categorical

    def fit(self, table: pa.Table, y: Any = None) -> FeatureEncoder:
        """Collect the features of the table.

        Raises:
            InvalidInputError: there are no features, or a categorical column is missing or holds lists.
        """
        absent = [name for name in self.categorical if name not in table.column_names]
        if absent:
            columns = ", ".join(table.column_names)
            raise InvalidInputError(
                f"categorical columns {', '.join(absent)} are missing; the table has {columns}"
            )
        self.features_: list[Feature] = []
        self.dropped_: list[list[str]] = []
        for field in table.schema:
            if field.name == USER_ID:
                continue
            if field.name in self.categorical:
                self._keep_levels(field.name, table.column(field.name))
            elif is_numeric(field.type):
                self._keep([Feature(field.name, field.name)])
            elif pa.types.is_map(field.type) and is_numeric(field.type.item_type):
                self._keep_frequent(field.name, table.column(field.name))
            elif pa.types.is_struct(field.type):
                children = [child.name for child in field.type if is_numeric(child.type)]
                self._keep([Feature(f"{field.name}:{child}", field.name, child) for child in children])
        if not self.features_:
            raise InvalidInputError(f"no numeric column to segment by among {', '.join(table.column_names)}")
        return self

    def _keep(self, features: Sequence[Feature]) -> int:
        """Add the features that `include` and `exclude` select; returns how many were added."""
        selected = [
            feature
            for feature in features
            if (not self.include or matches_any(feature.name, self.include))
            and not matches_any(feature.name, self.exclude)
        ]
        self.features_ += selected
        return len(selected)

    def _keep_frequent(self, name: str, column: pa.ChunkedArray) -> None:
        """Add the frequent keys of a map in order; if any is used, record how many rare keys were dropped."""
        counts = pc.value_counts(flatten_map(column)[1])
        frequent = counts.filter(pc.greater_equal(counts.field("counts"), self.rare_key * len(column)))
        keys = sorted(frequent.field("values").to_pylist())
        rare = len(counts) - len(keys)
        if self._keep([Feature(f"{name}:{key}", name, key) for key in keys]) and rare:
            self.dropped_.append([name, f"{rare} keys held by fewer than {self.rare_key:.1%} of users"])

    def _keep_levels(self, name: str, column: pa.ChunkedArray) -> None:
        """Add the frequent levels of a category in order; of two levels, one says all."""
        counts = pc.value_counts(to_levels(column).drop_null())
        frequent = counts.filter(pc.greater_equal(counts.field("counts"), max(2, self.rare_key * len(column))))
        levels = sorted(frequent.field("values").to_pylist())
        shown = levels[1:] if len(levels) == 2 == len(counts) else levels
        self.features_ += [Feature(f"{name}={level}", name, None, level, len(levels)) for level in shown]
        rare = len(counts) - len(levels)
        if rare:
            self.dropped_.append([name, f"{rare} categories held by fewer than {self.rare_key:.1%} of users"])

    @property
    def names(self) -> list[str]:
        """Return the names of the matrix's columns."""
        return [feature.name for feature in self.features_]

    @property
    def levels(self) -> list[int]:
        """Return the number of levels of the category that each feature belongs to; 1 for numbers."""
        return [feature.levels for feature in self.features_]

    def transform(self, table: pa.Table) -> F64:
        """Encode a table (n_users, n_features); raises InvalidInputError if columns seen at fit are missing."""
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
            if self.features_[positions[0]].level is not None:
                for position in positions:
                    matrix[:, position] = to_floats(pc.equal(to_levels(column), self.features_[position].level))
            elif keys == [None]:
                matrix[:, positions[0]] = to_floats(column)
            elif pa.types.is_map(column.type):
                matrix[:, positions] = _map_matrix(column, [str(key) for key in keys])
            else:
                for position, key in zip(positions, keys, strict=True):
                    matrix[:, position] = to_floats(pc.struct_field(column, str(key)))
        matrix[~np.isfinite(matrix)] = np.nan
        return matrix

    def transform_user(self, row: Mapping[str, Any]) -> F64:
        """Encode one user (1, n_features); values that `row` lacks are missing, not an error."""
        values = np.empty((1, len(self.features_)))
        for position, feature in enumerate(self.features_):
            value = row.get(feature.column)
            if feature.level is not None and value is not None:
                value = to_levels(pa.chunked_array([[value]]))[0].as_py() == feature.level
            if feature.key is not None and value is not None:
                entries = value if isinstance(value, Mapping) else dict(value)
                value = entries.get(feature.key, 0.0)
            number = math.nan if value is None else float(value)
            values[0, position] = number if math.isfinite(number) else math.nan
        return values

    def get_state(self) -> dict[str, Any]:
        """Return the learned state as plain values."""
        return {
            "dropped": self.dropped_,
            "features": [list(astuple(feature)) for feature in self.features_],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self.features_ = [Feature(*entry) for entry in state["features"]]
        self.dropped_ = state["dropped"]


def group_levels(features: Sequence[Feature]) -> list[list[int]]:
    """Return the positions of the features that are levels of one category, for each category."""
    groups: dict[str, list[int]] = {}
    for position, feature in enumerate(features):
        if feature.level is not None:
            groups.setdefault(feature.column, []).append(position)
    return list(groups.values())


def to_floats(column: pa.ChunkedArray) -> F64:
    """Convert a column of numbers or booleans to float64, with null as NaN."""
    return np.asarray(
        pc.fill_null(pc.cast(column, pa.float64(), safe=False), math.nan).to_numpy(), dtype=np.float64
    )


def to_levels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write the values of a categorical column as text; raises InvalidInputError if they have no such form."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowNotImplementedError as error:
        raise InvalidInputError(f"values of the type {column.type} cannot be categories") from error


def flatten_map(column: pa.ChunkedArray) -> tuple[I64, pa.Array, pa.Array]:
    """Return the row number, key and value of every entry of a map column."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    offsets = np.asarray(array.offsets)
    rows = np.repeat(np.arange(len(array)), np.diff(offsets))
    keys = array.keys.slice(offsets[0], offsets[-1] - offsets[0])
    items = array.items.slice(offsets[0], offsets[-1] - offsets[0])
    return rows, keys.cast(pa.string()), items


def _map_matrix(column: pa.ChunkedArray, keys: list[str]) -> F64:
    """Return a matrix (n_rows, len(keys)) in which an absent key is 0 and a null map is NaN."""
    matrix = np.zeros((len(column), len(keys)))
    rows, entry_keys, items = flatten_map(column)
    codes = np.asarray(pc.fill_null(pc.index_in(entry_keys, value_set=pa.array(keys)), -1))
    is_feature = codes >= 0
    matrix[rows[is_feature], codes[is_feature]] = to_floats(pa.chunked_array([items]))[is_feature]
    matrix[np.asarray(column.is_null()), :] = np.nan
    return matrix
