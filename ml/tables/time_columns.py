"""Columns of times: as databases print them, as numbers since 1970, and as dates of people."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.events.contract import TIMESTAMP
from ml.events.normalization.times import LARGEST_MS, LARGEST_SECONDS, LARGEST_US
from ml.tables.chunks import TableError
from ml.tables.conversion import EPOCH_UNITS, as_text, as_timestamp, flatten
from ml.tables.number_columns import CellPlace, others, parse_numbers

MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y")
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y")
CERTAIN_DATES = ("%Y/%m/%d", "%Y.%m.%d", "%m %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y",
                 "%B %d, %Y", "%d/%b/%Y")  # fmt: skip
HOURS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ":%H:%M:%S")
UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
LARGEST_OF_UNITS = (LARGEST_SECONDS, LARGEST_MS, LARGEST_US)  # from which numbers are of the next unit
FIRST_SECONDS = 1e8  # 1973: smaller numbers count days, weeks or years
FIRST_DATE, LAST_DATE = 19_000_101, 21_001_231
# Formats of dates in digits, how many digits follow the date, and what a date has beside the year.
DIGIT_DATES = (
    ("%Y%m%d", 0, "month and day"),
    ("%Y%m%d%H%M", 4, "month, day, hour and minute"),
    ("%Y%m%d%H%M%S", 6, "month, day, hour, minute and second"),
)
LAST_SECOND = 4_133_980_800  # the end of 2100: later times of events are of another unit, or wrong
LARGEST = 2.0**62  # nanoseconds since 1970 stay below it for a century
FIRST_YEAR = 1900  # before it, a year of two digits was read as one of four
SAMPLE = 50


@dataclass(frozen=True)
class Times:
    """A column as times.

    Attributes:
        values: Timestamps, or numbers as they stand there; null where there is no time.
        is_bad: Cells that hold something else.
        remark: How the cells were read, where that is not plain; else empty.
    """

    values: pa.Array
    is_bad: Bools
    remark: str = ""


def parse_times(column: pa.ChunkedArray | pa.Array) -> Times:
    """Read a column as times; numbers, and text that holds only numbers, stay numbers."""
    array = flatten(column)
    none_bad = np.zeros(len(array), dtype=bool)
    kind = array.type
    if (
        pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_null(kind)
    ):
        return Times(array, none_bad)
    numbers = parse_numbers(array)
    if not numbers.is_bad.any():
        whole = pc.round(pc.cast(numbers.values, pa.float64(), safe=False))
        too_large = np.asarray(pc.fill_null(pc.greater(pc.abs(whole), LARGEST), False)).astype(bool)
        if too_large.any():
            return Times(numbers.values, too_large)
        is_whole = pc.all(pc.equal(whole, numbers.values)).as_py() is not False
        return Times(pc.cast(whole, pa.int64(), safe=False) if is_whole else numbers.values, numbers.is_bad)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Times(pa.nulls(len(array), TIMESTAMP), numbers.is_bad)
    text = as_text(array).dictionary_encode()
    values, is_bad, remark = _from_words(text.dictionary)
    bad = np.asarray(pc.fill_null(pa.array(is_bad).take(text.indices), False)).astype(bool)
    return Times(values.take(text.indices), bad, remark)


def read_times(column: pa.ChunkedArray | pa.Array, place: CellPlace) -> Times:
    """Read a column that must hold a time in each cell.

    The size of numbers since 1970 tells seconds, milliseconds, microseconds and nanoseconds, of the whole column;
    numbers such as 20231101 and 20231101093000 are dates.

    Returns:
        Timestamps; the remark says what numbers were taken for, if not seconds.

    Raises:
        TableError: A cell is empty, no time, or in another unit than the others; the message names the first and
            counts the others. Or the numbers are too small or too large to be times since 1970.
    """
    times = parse_times(column)
    is_empty = np.asarray(pc.is_null(times.values)).astype(bool)
    wrong = times.is_bad if times.is_bad.any() else is_empty
    if wrong.any():
        raise _wrong_time(flatten(column), place, wrong, bool(times.is_bad.any()))
    if pa.types.is_integer(times.values.type) or pa.types.is_floating(times.values.type):
        return _from_numbers(times.values, place)
    return times


def _from_numbers(values: pa.Array, place: CellPlace) -> Times:
    """Numbers without nulls as timestamps."""
    none_bad = np.zeros(len(values), dtype=bool)
    numbers = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if not len(numbers):
        return Times(pc.cast(values, TIMESTAMP), none_bad)
    low, high = float(numbers.min()), float(numbers.max())
    for form, digits, parts in DIGIT_DATES:
        if low >= FIRST_DATE * 10**digits and high < (LAST_DATE + 1) * 10**digits:
            text = pc.cast(pc.cast(values, pa.int64(), safe=False), pa.string())
            dates = pc.strptime(text, format=form, unit="us", error_is_null=True)
            if not dates.null_count:
                return Times(pc.assume_timezone(dates, "UTC"), none_bad, f"numbers as dates of year, {parts}")
    if high < FIRST_SECONDS:
        raise TableError(
            f"{place.file}: column {place.column!r}: numbers from {low:.0f} to {high:.0f} are no times. Expected "
            "seconds since 1970, dates such as 2023-11-01 or 20231101, or times"
        )
    units = np.searchsorted(LARGEST_OF_UNITS, np.abs(numbers), side="right")
    unit = int(np.bincount(units, minlength=len(UNITS)).argmax())
    is_other = (units != unit) & (numbers != 0)  # 0 is the same time in every unit
    if is_other.any():
        row = int(np.argmax(is_other))
        raise place.error(row, f"{values[row].as_py()} is not in {UNITS[unit]} since 1970, as most cells are")
    if low / 1000**unit > LAST_SECOND:
        raise TableError(
            f"{place.file}: column {place.column!r}: numbers from {low:.0f} to {high:.0f} would be {UNITS[unit]} "
            "after the year 2100, which are no times of what has happened"
        )
    times, _ = as_timestamp(values, list(EPOCH_UNITS)[unit])
    remarks = [f"numbers as {UNITS[unit]} since 1970"] if unit else []
    n_zeros = int((numbers == 0).sum())
    if n_zeros:  # a missing time, as some programs write it
        remarks.append(f"{n_zeros:,} of {len(numbers):,} numbers being 0, which is the first of January 1970")
    return Times(times, none_bad, " and ".join(remarks))


def _wrong_time(array: pa.Array, place: CellPlace, wrong: Bools, is_bad: bool) -> TableError:
    row = int(np.argmax(wrong))
    what = f"{array[row].as_py()!r} is not a time" if is_bad else "there is no time"
    return place.error(row, f"{what}{others(wrong)}")


def _from_words(words: pa.Array) -> tuple[pa.Array, Bools, str]:
    """Times of different texts, as programs print them or in the order of day and month that fits most."""
    values, is_bad = as_timestamp(words)
    if not is_bad.any():
        return values, is_bad, ""
    readings = {
        "": max((values, _in_a_format(words, CERTAIN_DATES)), key=count_filled),
        "month/day": _in_a_format(words, MONTH_FIRST),
        "day/month": _in_a_format(words, DAY_FIRST),
    }
    order = max(readings, key=lambda name: count_filled(readings[name]))
    remark = f"dates as {order}" if order else ""
    if order and count_filled(readings["month/day"]) == count_filled(readings["day/month"]):
        order = "month/day" if "/" in next(word for word in words.to_pylist() if word) else "day/month"
        remark = f"dates as {order}, which the cells leave open"
    chosen = readings[order]
    return chosen, np.asarray(pc.and_(pc.is_valid(words), pc.is_null(chosen))).astype(bool), remark


def parse_in_format(words: pa.Array, form: str) -> pa.Array:
    """Times of text in a format of strptime; null for other text and for years before FIRST_YEAR."""
    parsed = pc.assume_timezone(pc.strptime(words, format=form, unit="us", error_is_null=True), "UTC")
    return pc.if_else(pc.greater_equal(pc.year(parsed), FIRST_YEAR), parsed, pa.scalar(None, TIMESTAMP))


def count_filled(values: pa.Array) -> int:
    """How many values are not null."""
    return len(values) - int(values.null_count)


def _in_a_format(words: pa.Array, dates: tuple[str, ...]) -> pa.Array:
    """The words as times in the format, of these dates with an hour or none, that reads most of them."""
    best = pa.nulls(len(words), TIMESTAMP)
    sample = words[:SAMPLE]
    for date, hours in product(dates, HOURS):
        form = date + hours
        if not count_filled(pc.strptime(sample, format=form, unit="us", error_is_null=True)):
            continue
        best = max((best, parse_in_format(words, form)), key=count_filled)
    return best
