"""Typed nodes of expressions, and the fields that they read from a mapping or from a table."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import TesseraError

Scalar = Callable[[Mapping[str, Any]], Any]
Vector = Callable[[pa.Table], Any]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class FieldTypeError(TesseraError, TypeError):
    """A field of a context does not have the type that was declared."""


class FieldType(enum.Enum):
    """Types of fields and expressions."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    LIST = "list of texts"
    MAP = "map of numbers"

    @staticmethod
    def of(type_: pa.DataType) -> FieldType | None:
        """Return the type of an Arrow column, or None if expressions cannot use it."""
        types = pa.types
        if types.is_dictionary(type_):
            return FieldType.of(type_.value_type)
        if types.is_boolean(type_):
            return FieldType.BOOLEAN
        if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
            return FieldType.NUMBER
        if types.is_string(type_) or types.is_large_string(type_):
            return FieldType.TEXT
        if types.is_timestamp(type_) or types.is_date(type_):
            return FieldType.TIME
        if types.is_list(type_) or types.is_large_list(type_):
            return FieldType.LIST if FieldType.of(type_.value_type) is FieldType.TEXT else None
        if types.is_map(type_):
            keyed = FieldType.of(type_.key_type) is FieldType.TEXT
            return FieldType.MAP if keyed and FieldType.of(type_.item_type) is FieldType.NUMBER else None
        return None


@dataclass(frozen=True)
class Node:
    """A checked part of an expression. `scalar` returns None and `vector` null where the value is missing."""

    type: FieldType
    scalar: Scalar
    vector: Vector
    literal: Any = None


def microseconds(value: Any) -> int:
    """Return the microseconds since 1970 in UTC of a datetime (naive means UTC), date or numpy datetime64."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND
    return (dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND


def constant(type_: FieldType, value: Any) -> Node:
    """Build the node of a literal. Times are microseconds since 1970."""
    arrow = pa.scalar(value)
    return Node(type_, lambda context: value, lambda table: arrow, value)


_LEGAL: dict[FieldType, tuple[type, ...]] = {
    FieldType.BOOLEAN: (bool, np.bool_),
    FieldType.NUMBER: (float, int, np.integer, np.floating, Decimal),
    FieldType.TEXT: (str,),
    FieldType.TIME: (dt.date, np.datetime64),
    FieldType.LIST: (list, tuple, set, frozenset, np.ndarray),
    FieldType.MAP: (Mapping, list),
}


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


_CONVERT: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.BOOLEAN: bool,
    FieldType.NUMBER: _number,
    FieldType.TEXT: str,
    FieldType.TIME: microseconds,
    FieldType.LIST: lambda value: value,
    FieldType.MAP: lambda value: value if isinstance(value, Mapping) else dict(value),
}


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) and array.num_chunks else array


def numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast a column of numbers to float64, with null in place of NaN."""
    values = pc.cast(column, pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    values = pc.cast(column, pa.timestamp("us"), safe=False) if pa.types.is_date(column.type) else column
    zone = getattr(values.type, "tz", None)
    return pc.cast(pc.cast(values, pa.timestamp("us", tz=zone), safe=False), pa.int64())


_LOAD: dict[FieldType, Callable[[pa.ChunkedArray], Any]] = {
    FieldType.BOOLEAN: lambda column: column,
    FieldType.NUMBER: numbers,
    FieldType.TEXT: lambda column: pc.cast(column, pa.string()),
    FieldType.TIME: _times,
    FieldType.LIST: _chunk,
    FieldType.MAP: _chunk,
}


def field_node(name: str, type_: FieldType) -> Node:
    """Build the node of a field. A dotted name is looked up whole, then as a path through nested mappings."""
    legal, convert, load, path = _LEGAL[type_], _CONVERT[type_], _LOAD[type_], name.split(".")
    is_number = type_ is FieldType.NUMBER

    def scalar(context: Mapping[str, Any]) -> Any:
        value = context.get(name)
        if value is None and len(path) > 1:
            value = context
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            return None
        if not isinstance(value, legal) or (is_number and isinstance(value, bool)):
            raise FieldTypeError(f"field {name!r} must be a {type_.value}, not {value!r}")
        return convert(value)

    return Node(type_, scalar, lambda table: load(table.column(name)))


def key_node(container: Node, key: str) -> Node:
    """Build the node of a map's value under a key. It is missing if the key is absent."""

    def scalar(context: Mapping[str, Any]) -> Any:
        mapping = container.scalar(context)
        value = None if mapping is None else mapping.get(key)
        return None if value is None else _number(value)

    def vector(table: pa.Table) -> Any:
        return numbers(pc.map_lookup(container.vector(table), query_key=pa.scalar(key), occurrence="first"))

    return Node(FieldType.NUMBER, scalar, vector)


def has_node(operand: Node) -> Node:
    """Build the node that is true where a value is not missing."""
    return Node(
        FieldType.BOOLEAN,
        lambda context: operand.scalar(context) is not None,
        lambda table: pc.is_valid(operand.vector(table)),
    )


def size_node(operand: Node) -> Node:
    """Build the node of the length of a list, or of a text in code points."""
    measure = pc.list_value_length if operand.type is FieldType.LIST else pc.utf8_length

    def scalar(context: Mapping[str, Any]) -> Any:
        value = operand.scalar(context)
        return None if value is None else float(len(value))

    return Node(FieldType.NUMBER, scalar, lambda table: pc.cast(measure(operand.vector(table)), pa.float64()))
