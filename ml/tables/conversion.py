"""Columns of foreign files to the contract's types; what cannot be converted is null and marked."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping, Set

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.events.contract import TIMESTAMP
from ml.events.normalization.amounts import parse_amount
from ml.events.normalization.ids import EMPTY_WORDS
from ml.events.normalization.times import LARGEST_MS, LARGEST_SECONDS, LARGEST_US, read_moment

# What Arrow reads at once; all other spellings of a time are read one by one.
ISO_TIME = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$"
EPOCH_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}


def flatten(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous, plainly encoded array."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks keeps an empty column chunked
        array = pa.concat_arrays(array.chunks) if array.chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Text without blanks around it, null where nothing is left; whole floats lose their `.0`, and NaN is null."""
    array = flatten(column)
    if pa.types.is_floating(array.type):
        array = _floats_as_text(array)
    if not pa.types.is_string(array.type):
        array = pc.cast(array, pa.string())
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _floats_as_text(array: pa.Array) -> pa.Array:
    """Numbers that pandas made floats of because some are missing: whole ones keep all their digits."""
    numbers = pc.cast(array, pa.float64())
    finite = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
    is_whole = pc.and_(pc.equal(pc.floor(finite), finite), pc.less(pc.abs(finite), 2.0**63))
    whole = pc.cast(pc.if_else(is_whole, finite, pa.scalar(None, pa.float64())), pa.int64())
    return pc.coalesce(pc.cast(whole, pa.string()), pc.cast(finite, pa.string()))


def as_number(column: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, Bools]:
    """float64 and a mask of the rows whose value is no number."""
    array = flatten(column)
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return pc.cast(array, pa.float64(), safe=False), np.zeros(len(array), dtype=bool)
    text = _without_empty_words(as_text(array), EMPTY_WORDS - {"nan"})
    good = pc.match_substring_regex(text, r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
    numbers = pc.cast(pc.if_else(good, text, pa.scalar(None, pa.string())), pa.float64())
    if pc.all(good).as_py() is not False:
        return numbers, np.zeros(len(text), dtype=bool)
    encoded = pc.if_else(good, pa.scalar(None, pa.string()), text).dictionary_encode()
    amounts = pa.array([parse_amount(word) for word in encoded.dictionary.to_pylist()], pa.float64())
    numbers = pc.coalesce(numbers, amounts.take(encoded.indices))
    return numbers, _true(pc.and_(pc.is_valid(text), pc.is_null(numbers)))


def _without_empty_words(text: pa.Array, words: Set[str] = EMPTY_WORDS) -> pa.Array:
    """Text in which `NULL`, `None` and the like of other programs are null."""
    is_empty = pc.is_in(pc.utf8_lower(text), pa.array(sorted(words), pa.string()))
    return pc.if_else(pc.fill_null(is_empty, False), pa.scalar(None, pa.string()), text)


def as_timestamp(
    column: pa.Array | pa.ChunkedArray, unit: str | None = None, form: str | None = None, timezone: str = "UTC"
) -> tuple[pa.Array, Bools]:
    """UTC microseconds and a mask of the rows whose value is no time.

    Args:
        column: timestamps, numbers, or text.
        unit: s, ms, us or ns since 1970, for numbers and text of digits; without one, what their size tells.
        form: a strptime format for text and digits such as 20231101; without one, whatever `read_moment` reads.
        timezone: IANA zone of times that name none.
    """
    array = flatten(column)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return _in_utc(array, timezone), np.zeros(len(array), dtype=bool)
    if unit is not None:
        return _from_epoch(array, unit)
    if form is None and (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        return _from_sizes(array)
    text = _without_empty_words(as_text(array))
    if form is not None:
        parsed = pc.strptime(text, format=form, unit="us", error_is_null=True)
        bad = _true(pc.and_(pc.is_valid(text), pc.is_null(parsed)))
        return _in_utc(parsed, timezone), bad
    return _from_text(text, timezone)


def translate_codes(codes: pa.Array | pa.ChunkedArray, legend: Mapping[str, str]) -> pa.Array:
    """Words for codes (matched as text); null where the legend has none."""
    keys = pa.array(list(legend), pa.string())
    return pa.array(list(legend.values()), pa.string()).take(pc.index_in(as_text(codes), keys))


def json_objects(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Array:
    """One JSON object a row from columns (name → values); null values are left out, an empty object is null."""
    pieces = []
    for name, column in columns.items():
        pair = pc.binary_join_element_wise("," + orjson.dumps(name).decode(), _json_values(flatten(column)), ":")
        # not null_handling="skip": it drops a row in which everything is null
        pieces.append(pc.fill_null(pair, ""))
    if not pieces:
        raise ValueError("an object needs at least one column")
    inner = pc.binary_join_element_wise(*pieces, "")
    inner = pc.if_else(pc.equal(inner, ""), pa.scalar(None, pa.string()), pc.utf8_slice_codeunits(inner, 1))
    return pc.binary_join_element_wise("{", inner, "}", "")


def _json_values(array: pa.Array) -> pa.Array:
    if pa.types.is_boolean(array.type) or pa.types.is_integer(array.type):
        return pc.cast(array, pa.string())
    if pa.types.is_floating(array.type):
        finite = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
        return pc.cast(finite, pa.string())
    encoded = pc.dictionary_encode(_readable(array))
    texts = [None if text is None else orjson.dumps(text).decode() for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _readable(array: pa.Array) -> pa.Array:
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        texts = [None if v is None else orjson.dumps(v, default=str).decode() for v in array.to_pylist()]
        return pa.array(texts, pa.string())
    return pc.cast(array, pa.string())


def _from_epoch(array: pa.Array, unit: str) -> tuple[pa.Array, Bools]:
    if unit not in EPOCH_UNITS:
        raise ValueError(f"unit {unit!r} is not one of {', '.join(EPOCH_UNITS)}")
    if pa.types.is_integer(array.type):
        factor = EPOCH_UNITS[unit]
        micros = pc.divide(array, 1000) if unit == "ns" else pc.multiply(pc.cast(array, pa.int64()), int(factor))
        return pc.cast(pc.cast(micros, pa.int64()), TIMESTAMP), np.zeros(len(array), dtype=bool)
    numbers, bad = as_number(array)
    micros = pc.round(pc.multiply(numbers, EPOCH_UNITS[unit]))
    sane = pc.less(pc.abs(micros), 2.0**62)
    micros = pc.if_else(sane, micros, pa.scalar(None, pa.float64()))
    return pc.cast(pc.cast(micros, pa.int64()), TIMESTAMP), bad | _true(pc.invert(sane))


def _from_sizes(array: pa.Array) -> tuple[pa.Array, Bools]:
    """Times from numbers since 1970 whose size tells their unit."""
    numbers = pc.cast(array, pa.float64(), safe=False)
    size = pc.abs(numbers)
    times, bad = pa.nulls(len(array), TIMESTAMP), _true(pc.invert(pc.is_finite(numbers)))
    least = 0.0
    for unit, most in (("s", LARGEST_SECONDS), ("ms", LARGEST_MS), ("us", LARGEST_US), ("ns", float("inf"))):
        of_unit = pc.and_(pc.greater_equal(size, least), pc.less(size, most))
        of_unit = pc.fill_null(of_unit, False)
        times_of_unit, bad_of_unit = _from_epoch(pc.if_else(of_unit, array, pa.scalar(None, array.type)), unit)
        times, bad, least = pc.coalesce(times, times_of_unit), bad | bad_of_unit, most
    return times, bad


def _from_text(text: pa.Array, timezone: str) -> tuple[pa.Array, Bools]:
    """Times from text: all that are spelled as Arrow reads it at once, each other spelling once."""
    shaped = pc.fill_null(pc.match_substring_regex(text, ISO_TIME), False)
    nothing = pa.scalar(None, pa.string())
    candidate = pc.replace_substring(pc.if_else(shaped, text, nothing), " ", "T")
    zoned = pc.match_substring_regex(candidate, r"(Z|[+-]\d{2}:?\d{2})$")
    zoned = pc.and_(pc.fill_null(zoned, False), pc.greater(pc.utf8_length(candidate), len("2024-01-01")))
    aware = _parse(pc.if_else(zoned, candidate, nothing), TIMESTAMP)
    naive = _in_utc(_parse(pc.if_else(zoned, nothing, candidate), pa.timestamp("us")), timezone)
    parsed = pc.coalesce(aware, naive)
    rest = pc.if_else(pc.is_valid(parsed), nothing, text).dictionary_encode()
    moments = [_moment_or_none(word) for word in rest.dictionary.to_pylist()]
    with_zone = pa.array([moment if moment and moment.tzinfo else None for moment in moments], TIMESTAMP)
    without = pa.array([m if m and m.tzinfo is None else None for m in moments], pa.timestamp("us"))
    others = pc.coalesce(with_zone, _in_utc(without, timezone)).take(rest.indices)
    parsed = pc.coalesce(parsed, others)
    return parsed, _true(pc.and_(pc.is_valid(text), pc.is_null(parsed)))


def _moment_or_none(text: str) -> dt.datetime | None:
    try:
        return read_moment(text)
    except ValueError:
        return None


def _parse(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast at once; if a value such as 2024-02-31 breaks the cast, cast the others one by one."""
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        encoded = pc.dictionary_encode(text)
        return pa.array([_parse_one(value, kind) for value in encoded.dictionary.to_pylist()], kind).take(
            encoded.indices
        )


def _parse_one(value: str | None, kind: pa.DataType) -> object:
    try:
        return pc.cast(pa.scalar(value, pa.string()), kind).as_py()
    except pa.ArrowInvalid:
        return None


def _in_utc(array: pa.Array, timezone: str) -> pa.Array:
    if pa.types.is_date(array.type):
        array = pc.cast(array, pa.timestamp("us"))
    if array.type.tz is None:
        if timezone not in zoneinfo.available_timezones():
            raise ValueError(f"timezone {timezone!r} is not an IANA name such as Europe/London")
        array = pc.assume_timezone(array, timezone, ambiguous="earliest", nonexistent="latest")
    return pc.cast(array, TIMESTAMP, safe=False)


def _true(mask: pa.Array) -> Bools:
    return np.asarray(pc.fill_null(mask, False), dtype=bool)
