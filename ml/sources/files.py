"""Any Parquet, CSV or JSON Lines file, with a mapping file or with columns named as in the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.events.contract import EVENT_SCHEMA, FIELD_NAMES, TIMESTAMP
from ml.events.normalization.event_names import normalize_event_type
from ml.events.normalization.fields import restore_ids
from ml.events.normalization.times import parse_moment_of
from ml.sources.catalogue import ITEM_SCHEMA
from ml.sources.input_files import list_input_files
from ml.sources.mapping import FileMapping, Rule, describe_missing_columns, load_mapping
from ml.sources.source import SourceBatch, SourceError, reject
from ml.tables.chunks import Chunk, MissingColumnError
from ml.tables.conversion import as_number, as_text, as_timestamp, flatten, json_objects
from ml.tables.readers import count_rows, read_chunks


class Files:
    """One file, or every file of a folder that holds files of one format, in order of their names."""

    name = "files"
    description = "any Parquet, CSV or JSON Lines file or folder, with --mapping FILE.yaml"

    def __init__(self, mapping: Path | None = None) -> None:
        self.mapping = mapping
        self._rules = load_mapping(mapping) if mapping else None

    def files(self, path: Path) -> Sequence[Path]:
        """The files, and the mapping: changed rules make another input."""
        return [*list_input_files(path), *([self.mapping] if self.mapping else [])]

    def count(self, path: Path) -> int | None:
        """Rows, where every file says how many it has."""
        counts = [count_rows(file) for file in list_input_files(path)]
        return None if None in counts else sum(count for count in counts if count is not None)

    def batches(self, path: Path) -> Iterator[SourceBatch]:
        """One event a row, but none if the mapping has only items. Rows that cannot be converted are rejected."""
        if self._rules is not None and not self._rules.fields:
            return
        start = 0
        for file in list_input_files(path):
            end = start
            for rows in self._chunks(file):
                chunk = Chunk(rows.table, rows.numbers + start, _moved(rows.rejected, start))
                yield event_batch(chunk, self._rules or by_name(chunk.table.column_names))
                end = max(
                    end, *(int(np.max(rows, initial=-1)) + 1 for rows in (chunk.numbers, chunk.rejected["row"]))
                )
            start = end

    def items(self, path: Path) -> Iterator[pa.Table]:
        """Items, where the mapping has a section `items`: the last row of an item in each chunk."""
        if self._rules is None or not self._rules.items:
            return
        for file in list_input_files(path):
            for chunk in self._chunks(file):
                yield _items(chunk.table, self._rules)

    def _chunks(self, file: Path) -> Iterator[Chunk]:
        if self._rules is None:
            yield from read_chunks(file, ("event_type", "occurred_at"))
            return
        try:
            yield from read_chunks(file, self._rules.origins(), self._rules.file)
        except MissingColumnError as error:
            hints = describe_missing_columns(self._rules, error.missing, error.columns)
            raise SourceError(f"{error}. {hints}") from error


def by_name(columns: Sequence[str]) -> FileMapping:
    """The mapping of a file whose columns are named as the contract names them."""
    names = [name for name in FIELD_NAMES if name in columns and name != "properties"]
    return FileMapping(fields={name: Rule.model_validate({"column": name}) for name in names})


def event_batch(chunk: Chunk, mapping: FileMapping) -> SourceBatch:
    """Events from the rows of a chunk, by the rules of a mapping."""
    columns: dict[str, pa.Array] = {}
    rejects = [chunk.rejected]
    bad_rows = np.zeros(len(chunk.table), dtype=bool)
    for name, rule in mapping.fields.items():
        columns[name], bad = _convert(chunk.table, rule, EVENT_SCHEMA.field(name).type)
        if rule.of_types:
            is_meant = is_of_types(chunk.table, mapping.fields["event_type"], rule.of_types)
            columns[name], bad = pc.if_else(is_meant, columns[name], None), bad & np.asarray(is_meant)
        origin = rule.column or (", ".join(rule.columns) if rule.columns else name)
        rejects.append(reject(chunk, bad & ~bad_rows, origin, f"is not a {_kind(EVENT_SCHEMA.field(name).type)}"))
        bad_rows |= bad
    columns["properties"] = _properties(chunk.table, mapping)
    if "event_id" not in columns:
        columns["event_id"] = content_ids(chunk.table)
    columns["row"] = pa.array(chunk.numbers, pa.int64())
    events = pa.table(columns).filter(pa.array(~bad_rows))
    return SourceBatch(events, pa.concat_tables(rejects), len(chunk.table) + len(chunk.rejected))


def is_of_types(table: pa.Table, rule: Rule, types: Sequence[str]) -> pa.Array:
    """Whether each row becomes an event of one of these types."""
    kinds = _convert(table, rule, EVENT_SCHEMA.field("event_type").type)[0]
    meant = [kind for kind in kinds.unique().drop_null().to_pylist() if normalize_event_type(kind) in types]
    return pc.is_in(kinds, value_set=pa.array(meant, pa.string()))


def content_ids(table: pa.Table) -> pa.Array:
    """Ids made of the content of each row: the same row is the same event, wherever it comes from."""
    if not len(table):
        return pa.array([], pa.string())
    texts = json_objects({name: table[name] for name in sorted(table.column_names)})
    digests = [hashlib.blake2b((text or "").encode(), digest_size=16).hexdigest() for text in texts.to_pylist()]
    return pa.array(digests, pa.string())


def _convert(table: pa.Table, rule: Rule, kind: pa.DataType) -> tuple[pa.Array, Bools]:
    rows = len(table)
    good = np.zeros(rows, dtype=bool)
    if rule.value is not None:
        return pa.array([_constant(rule.value, kind)] * rows, kind), good
    if pa.types.is_list(kind):
        return _lists(table, rule), good
    if rule.columns:
        parts = [as_text(table[name]) for name in rule.columns]
        if kind == TIMESTAMP:
            return as_timestamp(pc.binary_join_element_wise(*parts, " "), None, rule.format, rule.timezone)
        return pc.binary_join_element_wise(*parts, "-"), good
    column = table[rule.column]
    if kind == TIMESTAMP:
        return as_timestamp(column, rule.unit, rule.format, rule.timezone)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        numbers, bad = as_number(_with_decimal_point(column) if rule.decimal == "," else column)
        if rule.times is not None:
            factors, bad_factors = as_number(table[rule.times])
            numbers, bad = pc.multiply(numbers, factors), bad | bad_factors
        numbers = pc.multiply(numbers, rule.factor) if rule.factor != 1.0 else numbers
        return (numbers if pa.types.is_floating(kind) else pc.cast(pc.round(numbers), kind, safe=False)), bad
    text = as_text(column)
    if rule.words is not None:
        keys = pa.array(list(rule.words), pa.string())
        places = pc.index_in(text, keys)
        unknown = np.asarray(pc.fill_null(pc.and_(pc.is_valid(text), pc.is_null(places)), False))
        return pa.array(list(rule.words.values()), pa.string()).take(places), unknown
    return text, good


def _with_decimal_point(column: pa.ChunkedArray) -> pa.Array:
    """Numbers with a decimal comma and points between thousands, as text with a decimal point."""
    text = as_text(column)
    return pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")


def _constant(value: str | float, kind: pa.DataType) -> Any:
    """The value of a rule as the field's type.

    Raises:
        SourceError: It cannot be.
    """
    try:
        if kind == TIMESTAMP:
            return parse_moment_of(value)
        return str(value) if pa.types.is_string(kind) else float(value)
    except ValueError:
        raise SourceError(f"the value {value!r} of the mapping is not a {_kind(kind)}") from None


def _lists(table: pa.Table, rule: Rule) -> pa.Array:
    """list<string>: `columns` become `name:value`, a `column` is split, or is a list already."""
    if rule.columns:
        texts = [as_text(table[name]).to_pylist() for name in rule.columns]
        rows = zip(*texts, strict=True)
        named = [[f"{n}:{v}" for n, v in zip(rule.columns, row, strict=True) if v is not None] for row in rows]
        return pa.array(named, pa.list_(pa.string()))
    column = flatten(table[rule.column])
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.cast(column, pa.list_(pa.string()))
    return pc.split_pattern(as_text(column), rule.split or ",")


def _properties(table: pa.Table, mapping: FileMapping) -> pa.Array:
    if isinstance(mapping.properties, Mapping):
        columns = dict(mapping.properties)
    elif mapping.properties == "drop":
        columns = {}
    else:
        used = {rule.column for rule in mapping.fields.values()}
        columns = {name.removeprefix("properties."): name for name in table.column_names if name not in used}
    if list(columns.values()) == ["properties"]:
        return as_text(table["properties"])
    if not columns:
        return pa.nulls(len(table), pa.string())
    return json_objects({name: table[column] for name, column in columns.items()})


def _items(table: pa.Table, mapping: FileMapping) -> pa.Table:
    columns = {
        name: _convert(table, rule, ITEM_SCHEMA.field(name).type)[0] for name, rule in mapping.items.items()
    }
    items, _, _ = restore_ids(pa.table(columns))
    items = items.filter(pc.is_valid(items["item_id"]))
    last = items.append_column("place", pa.array(range(len(items)), pa.int64()))
    places = last.group_by("item_id").aggregate([("place", "max")])["place_max"]
    return items.take(places.sort())


def _moved(rejected: pa.Table, by: int) -> pa.Table:
    if not by or not len(rejected):
        return rejected
    return rejected.set_column(0, "row", pc.add(rejected["row"], by))


def _kind(kind: pa.DataType) -> str:
    if kind == TIMESTAMP:
        return "time"
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return "number"
    return "word of the mapping"
