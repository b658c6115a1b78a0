"""Columns of a table of users or items as features: which values many share, and which numbers lie close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64
from ml.tables.conversion import as_text, flatten
from ml.tables.list_cells import holds_objects, is_list_like, read_lists
from ml.tables.number_columns import CellPlace, has_leading_zeros, parse_numbers
from ml.tables.time_columns import parse_times
from ml.tables.usual_names import normalized

FEW_NUMBERS = 20  # up to so many different numbers are names of categories
GROUPS = 5  # into which more of them are divided, each of about the same size
SHARED = 0.5  # share of the values that others must have as well; titles and addresses are nearly all different
SEPARATORS = ("|", ";", ",")
LONGEST_ELEMENT = 40  # characters of an element of a list; sentences have more between two commas


@dataclass(frozen=True)
class ColumnFeatures:
    """Features that a column gives.

    Attributes:
        rows: Row of each feature, int64 (n,).
        values: The features, `column:value`, (n,).
        description: What became of the column, for a sentence.
    """

    rows: I64
    values: pa.Array
    description: str


def column_features(column: pa.ChunkedArray | pa.Array, place: CellPlace, delimiter: str) -> ColumnFeatures | None:
    """Features of a column; None if its values are nearly all different, or all the same.

    Lists give a feature for each element, text and up to twenty different numbers one for each value, and more
    numbers, or times by their year, one of five groups of about the same size. A flag is a feature where it is 1.
    A value that a single row has is none: nothing can be learned from it about others. Lists of objects without
    names give none either.

    Raises:
        TableError: A cell looks like a list and cannot be read as one.
    """
    array = flatten(column)
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _from_lists(read_lists(array, place), place.column)
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    if separator := separator_of(array):
        if any(is_list_like(word) and holds_objects(word) for word in pc.unique(array).drop_null().to_pylist()):
            return None
        return _from_lists(read_lists(array, place, separator), place.column)
    if not normalized(place.column).endswith("id") and not has_leading_zeros(array):
        numbers = parse_numbers(array, delimiter)
        if not numbers.is_bad.any():
            return _from_numbers(numbers.values, place.column)
        times = parse_times(array)
        if not times.is_bad.any():
            return _from_numbers(pc.year(times.values), place.column)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return None
    return _from_texts(as_text(array), place.column)


def separator_of(array: pa.Array | pa.ChunkedArray) -> str | None:
    """What separates elements in the cells of a column; None if each cell is one value or no text."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return None
    words = pc.unique(array).drop_null()
    if not len(words):
        return None
    if any(is_list_like(word) for word in words.to_pylist()):
        return "|"
    for separator in SEPARATORS:
        has_separator = pc.match_substring(words, separator)
        if pc.mean(has_separator.cast(pa.float64())).as_py() < 0.1:
            continue
        elements = pc.utf8_trim_whitespace(pc.split_pattern(words, separator).flatten())
        counts = pc.value_counts(elements).field("counts")
        n_elements, is_each_shared = len(counts), pc.min(counts).as_py() > 1
        is_short = pc.quantile(pc.utf8_length(elements), 0.9)[0].as_py() <= LONGEST_ELEMENT
        if is_short and (separator == "|" or 2 * n_elements <= len(words) or is_each_shared):
            return separator
    return None


def _from_lists(lists: pa.ListArray, name: str) -> ColumnFeatures | None:
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    return _shared(rows, lists.flatten(), name, "elements")


def _from_texts(texts: pa.Array, name: str) -> ColumnFeatures | None:
    return _shared(np.arange(len(texts)), texts, name, "values")


def _from_numbers(numbers: pa.Array, name: str) -> ColumnFeatures | None:
    distinct = pc.unique(numbers).drop_null()
    if len(distinct) < 2:
        return None
    values = distinct.to_numpy(zero_copy_only=False).astype(float)
    rows = np.flatnonzero(np.asarray(pc.is_valid(numbers)))
    present = numbers.drop_null().to_numpy(zero_copy_only=False).astype(float)
    if set(values) == {0.0, 1.0}:
        rows = rows[present == 1.0]
        return ColumnFeatures(rows, pa.array([f"{name}:1"] * len(rows), pa.string()), f"{name} (where it is 1)")
    if len(distinct) <= FEW_NUMBERS:
        texts = pa.array([None if value is None else f"{value:g}" for value in numbers.to_pylist()], pa.string())
        return _from_texts(texts, name)
    edges = np.unique(np.quantile(present, np.linspace(0, 1, GROUPS + 1)[1:-1]))
    groups = np.searchsorted(edges, present, side="right")
    names = {
        group: f"{name}:{present[groups == group].min():g} to {present[groups == group].max():g}"
        for group in np.unique(groups)
    }
    return ColumnFeatures(
        rows, pa.array([names[group] for group in groups], pa.string()), f"{name} (in {len(names)} groups)"
    )


def _shared(rows: I64, values: pa.Array, name: str, noun: str) -> ColumnFeatures | None:
    """Features of the values that more than one row has, if most are such and there are at least two."""
    valid = np.asarray(pc.is_valid(values)).astype(bool)
    rows, encoded = rows[valid], values.drop_null().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(encoded.dictionary))
    is_shared = counts[codes] > 1 if len(codes) else np.zeros(0, dtype=bool)
    n_values = int((counts > 1).sum())
    if not len(codes) or is_shared.mean() < SHARED or len(encoded.dictionary) < 2:
        return None
    prefix = pa.scalar(f"{name}:", pa.string())
    features = pc.binary_join_element_wise(prefix, encoded.dictionary.take(encoded.indices), "")
    return ColumnFeatures(rows[is_shared], features.filter(pa.array(is_shared)), f"{name} ({n_values:,} {noun})")
