"""The fields of an event that senders spell in many ways, as the contract spells them.

What a sender wrote and the contract cannot hold is kept under the field's name in `properties`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.normalization.countries import normalize_country, normalize_region
from ml.events.normalization.currencies import currency_codes
from ml.events.normalization.devices import (
    normalize_browser,
    normalize_device_type,
    normalize_network_type,
    normalize_os,
    normalize_pixels,
)
from ml.events.normalization.event_names import normalize_event_type
from ml.events.normalization.ids import ID_FIELDS, REGEX_OF_CHANGED, clean_id, number_as_id
from ml.events.normalization.languages import normalize_language
from ml.events.normalization.orders import find_currency
from ml.events.normalization.time_zones import normalize_time_zone

WORD_FIELDS: Mapping[str, Callable[[str], str | None]] = {
    "event_type": normalize_event_type,
    "timezone": normalize_time_zone,
    "language": normalize_language,
    "country": normalize_country,
    "network_type": normalize_network_type,
    "device_type": normalize_device_type,
    "os": normalize_os,
    "browser": normalize_browser,
}
PIXEL_FIELDS = ("screen_width", "screen_height")
# Read by functions of dates and languages, which fail on a word that they do not know.
ESSENTIAL_FIELDS = ("timezone", "language")


def normalize_record(record: dict[str, Any]) -> list[str]:
    """Bring the fields of a record into the words of the contract, in place.

    Args:
        record: An event as a protocol or a client gives it. `properties` is an object of this record's alone, or
            of a wrong type, which stays for validation to reject.

    Returns:
        The ids that name nobody and were removed, as in `restore_ids_of`.
    """
    placeholders = restore_ids_of(record)
    _normalize_words_of(record)
    return placeholders


def restore_ids_of(record: dict[str, Any]) -> list[str]:
    """Undo what programs did to the ids of a record, and remove the ids that name nobody, in place.

    Returns:
        The ids that name nobody and were removed, as `field 'word'`. The user of an `identify` stays, for
        validation to reject.
    """
    placeholders: list[str] = []
    for name in ID_FIELDS:
        value = record.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            value = record[name] = number_as_id(value) if math.isfinite(value) else "NaN"
        restored = clean_id(name, value)
        if restored is not None:
            record[name] = restored
            continue
        if (name, record.get("event_type")) != ("user_id", "identify"):
            del record[name]
        placeholders.append(_placeholder(name, value))
    return placeholders


def _normalize_words_of(record: dict[str, Any]) -> None:
    lost: dict[str, Any] = {}
    for name, normalize in WORD_FIELDS.items():
        value = record.get(name)
        if isinstance(value, str):
            _replace(record, name, value, normalize(value), lost)
    region = record.get("region")
    if isinstance(region, str):
        country = record.get("country")
        code = normalize_region(region, country if isinstance(country, str) else None)
        _replace(record, "region", region, code, lost)
    for name in PIXEL_FIELDS:
        value = record.get(name)
        if value is not None:
            _replace(record, name, value, normalize_pixels(value), lost)
    properties = record.get("properties")
    if record.get("event_type") == "purchase" and isinstance(properties, dict):
        currency = find_currency(properties)
        if currency is not None:
            record["properties"] = {**properties, "currency": currency}
    if lost and isinstance(record.setdefault("properties", {}), dict):
        record["properties"] = {**lost, **record["properties"]}


def _replace(record: dict[str, Any], name: str, value: Any, word: Any, lost: dict[str, Any]) -> None:
    if word is not None:
        record[name] = word
        return
    del record[name]
    if value != "":
        lost[name] = value


def _placeholder(name: str, word: str) -> str:
    return f"{name} {word.strip()[:40]!r}"


def normalize_words(table: pa.Table, names: Iterable[str] = (*WORD_FIELDS, "region")) -> pa.Table:
    """Bring columns of words into the words of the contract.

    Args:
        table: Columns of EVENT_SCHEMA, any of which may be missing.
        names: The columns: fields of WORD_FIELDS, and `region`.
    """
    lost: dict[int, dict[str, str]] = {}
    for name in names:
        if name not in table.column_names or table[name].null_count == len(table):
            continue
        words = _regions(table) if name == "region" else _mapped(table[name], WORD_FIELDS[name])
        if words is None:
            continue
        for row in np.flatnonzero(pc.and_(pc.is_valid(table[name]), pc.is_null(words))).tolist():
            lost.setdefault(row, {})[name] = table[name][row].as_py()
        table = table.set_column(table.schema.get_field_index(name), name, words)
    return _with_properties(table, lost) if lost else table


def normalize_currencies(table: pa.Table) -> pa.Table:
    """Bring the currency of purchases to `properties.currency`, in ISO 4217.

    Args:
        table: Columns of EVENT_SCHEMA, any of which may be missing.
    """
    if not {"event_type", "properties"} <= set(table.column_names):
        return table
    texts = table["properties"]
    is_purchase = pc.equal(table["event_type"], "purchase")
    is_plain = pc.match_substring_regex(texts, rf'"currency":\s*"({"|".join(sorted(currency_codes()))})"')
    says_currency = pc.match_substring_regex(texts, r"(?i)currency")
    rows = pc.and_(is_purchase, pc.and_(says_currency, pc.invert(is_plain)))
    changed: dict[int, dict[str, str]] = {}
    for row in np.flatnonzero(np.asarray(pc.fill_null(rows, False))).tolist():
        currency = find_currency(_read_object(texts[row].as_py()) or {})
        if currency is not None:
            changed[row] = {"currency": currency}
    return _with_properties(table, changed, is_stronger=True) if changed else table


def restore_ids(table: pa.Table) -> tuple[pa.Table, dict[str, pa.Array], Counter[str]]:
    """Undo what programs did to ids, and remove the ids that name nobody.

    Args:
        table: Columns of EVENT_SCHEMA, any of which may be missing.

    Returns:
        The table; the mask (bool, one a row) of the rows that had a placeholder, by field; and the placeholders
        as in `normalize_record`, with how often each occurred.
    """
    placeholders: Counter[str] = Counter()
    masks: dict[str, pa.Array] = {}
    for name in ID_FIELDS:
        if name not in table.column_names or table[name].null_count == len(table):
            continue
        column = _as_array(table[name].cast(pa.string()))
        may_change = pc.fill_null(pc.match_substring_regex(column, REGEX_OF_CHANGED), False)
        cleaned = _mapped(column.filter(may_change), partial(clean_id, name))
        if cleaned is None:
            continue
        ids = pc.replace_with_mask(column, may_change, cleaned)
        mask = pc.and_(pc.is_valid(column), pc.is_null(ids))
        for word in pc.value_counts(column.filter(mask)).to_pylist():
            placeholders[_placeholder(name, word["values"])] += word["counts"]
        if pc.any(mask).as_py():
            masks[name] = mask
        table = table.set_column(table.schema.get_field_index(name), name, ids)
    return table, masks, placeholders


def _mapped(column: pa.ChunkedArray | pa.Array, function: Callable[[str], str | None]) -> pa.Array | None:
    """The column with each different text replaced; None if nothing changes."""
    encoded = _as_array(column).dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    words = [None if text is None else function(text) for text in texts]
    return None if words == texts else pa.array(words, pa.string()).take(encoded.indices)


def _as_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    combined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(combined, pa.ChunkedArray):  # texts of more than 2 GiB
        return pa.concat_arrays(combined.chunks) if combined.chunks else pa.array([], column.type)
    return combined


def _regions(table: pa.Table) -> pa.Array | None:
    countries = table["country"] if "country" in table.column_names else pa.nulls(len(table), pa.string())
    pairs = pc.binary_join_element_wise(pc.fill_null(countries, ""), table["region"], "\x1f")

    def normalize(pair: str) -> str | None:
        country, _, region = pair.partition("\x1f")
        return normalize_region(region, country or None)

    return _mapped(pairs, normalize)


def _with_properties(
    table: pa.Table, added: Mapping[int, Mapping[str, str]], *, is_stronger: bool = False
) -> pa.Table:
    """The table with more `properties`, by row; texts that are no JSON object stay for validation to reject.

    With `is_stronger` they replace properties of their name, else they give way to them.
    """
    names = table.column_names
    texts = table["properties"].to_pylist() if "properties" in names else [None] * len(table)
    for row, more in added.items():
        properties = _read_object(texts[row] or "{}")
        if properties is not None:
            texts[row] = json.dumps({**properties, **more} if is_stronger else {**more, **properties})
    column = pa.chunked_array([pa.array(texts, pa.string())])
    if "properties" in names:
        return table.set_column(names.index("properties"), "properties", column)
    return table.append_column("properties", column)


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        properties = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return properties if isinstance(properties, dict) else None
