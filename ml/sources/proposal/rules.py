"""How the cells of a column are read into a field, as a rule of a mapping and in words."""

from __future__ import annotations

from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import CUSTOM_PREFIX, EVENT_TYPES
from ml.events.normalization.devices import USER_AGENT
from ml.sources.proposal.event_columns import EVENT_WORDS
from ml.tables.conversion import EPOCH_UNITS, as_number, as_text, as_timestamp
from ml.tables.time_columns import (
    CERTAIN_DATES,
    DAY_FIRST,
    HOURS,
    LARGEST_OF_UNITS,
    MONTH_FIRST,
    UNITS,
    count_filled,
    parse_in_format,
)
from ml.tables.usual_names import normalized

MOST_WORDS = 60
MOST_ARE = 0.5  # share of the cells of a column that say what the column is
SAMPLE_CELLS = 2_000
TIMES_NEEDED = 0.5  # share of the cells that must be times; rows of the others are rejected one by one
MOST_NANOSECONDS = 1e20
SIZES = tuple(zip(EPOCH_UNITS, (*LARGEST_OF_UNITS, MOST_NANOSECONDS), UNITS, strict=True))
EARLIEST = 631_152_000  # 1990, in seconds: smaller numbers are counts and prices
DATE_OF_DIGITS = r"^(19|20)\d{6}$"
NO_ZONE = (
    "The times name no time zone and are read as UTC. If they are local times, say so under occurred_at with "
    "`timezone: Europe/Berlin`."
)
ZONE = r"(?i)(z|[+-]\d{2}:?(\d{2})?|utc|gmt)$"
NO_TIME_OF_DAY = (
    "The dates have no time of day, so every event counts as midnight; sessions and hours mean little."
)
WORD_OF = {word: kind for kind, words in EVENT_WORDS.items() for word in words.split()}
LIST_MARKS = ("|", ";", ",")
TIME_OF_DAY = r"^\d{1,2}:\d{2}(:\d{2})?( ?(?i:am|pm))?$"

Rule = dict[str, Any] | str


def propose_rule(target: str | None, name: str, column: pa.ChunkedArray) -> tuple[Rule, str, str]:
    """Propose how a column is read.

    Args:
        target: The field, `items.<field>`, or None for a property.
        name: The name of the column.
        column: Its cells.

    Returns:
        The rule, how it reads in words, and a remark about what the cells leave open.
    """
    if target is None:
        return name, "kept as a property", ""
    if target == "occurred_at":
        extras, reading, remark = propose_time(column) or ({}, "times", "")
        return _with(name, extras), reading, remark
    if target == "event_type":
        return _propose_types(name, column)
    if target in ("value", "items.price"):
        return _propose_number(name, column)
    if target == "items.tags":
        return _propose_list(name, column)
    if target == "device_type" and are_user_agents(column):
        return name, "user agents: kind of device, operating system, browser", ""
    return name, "text", ""


def are_user_agents(column: pa.ChunkedArray) -> bool:
    """Return whether most cells of a column are user agents, as servers log them."""
    texts = as_text(column.slice(0, SAMPLE_CELLS)).drop_null()
    are_agents = pc.match_substring_regex(texts, f"^{USER_AGENT.pattern}")
    return bool(len(texts)) and pc.mean(pc.cast(are_agents, pa.float64())).as_py() > MOST_ARE


def propose_time(column: pa.ChunkedArray, least: float = TIMES_NEEDED) -> tuple[dict[str, Any], str, str] | None:
    """Propose how times are read: keys of the rule, words, and a remark. None if the cells are no times.

    Args:
        column: The cells.
        least: The share of the cells that must be times.
    """
    kind = column.type
    if pa.types.is_date(kind):
        return {}, "dates", NO_TIME_OF_DAY
    if pa.types.is_timestamp(kind):
        return {}, "times", "" if kind.tz else NO_ZONE
    cells = column.slice(0, SAMPLE_CELLS)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind):
        return None
    numbers, is_bad = as_number(cells)
    if not is_bad.any():
        return _propose_epoch(numbers) or _propose_digits(cells)
    text = as_text(cells)
    filled = len(text) - text.null_count
    values, _ = as_timestamp(text)
    if filled and len(values) - values.null_count >= least * filled:
        return {}, "times, ISO 8601" if _is_iso(text) else "times", _remark_on_hours(text, values)
    read = {form: _parsed(text, form) for form in _formats(text)}
    if not read or max(read.values()) < least * filled:
        return None
    best = max(read, key=lambda form: read[form])
    others = [form for form, count in read.items() if count == read[best] and _swapped(form) == best]
    remark = ""
    if others and "/" in best:
        best = next(form for form in (best, *others) if form.startswith("%m"))
    elif others:
        best = next(form for form in (best, *others) if form.startswith("%d"))
    if others:
        order = "month/day" if best.startswith("%m") else "day/month"
        remark = f"The dates leave open which part is the day; they are read as {order}."
    remarks = (remark, _remark_on_hours(text, parse_in_format(text, best)))
    return {"format": best}, f"times, written as {best}", " ".join(filter(None, remarks))


def is_time_of_day(column: pa.ChunkedArray) -> bool:
    """Return whether each cell of a column is a time of day, such as 18:30."""
    if pa.types.is_nested(column.type):
        return False
    text = as_text(column).drop_null()
    return bool(len(text)) and bool(pc.all(pc.match_substring_regex(text, TIME_OF_DAY)).as_py())


def _remark_on_hours(text: pa.Array, times: pa.Array) -> str:
    """Say that no cell has a time of day, or else that none names a time zone."""
    if pc.all(pc.equal(times, pc.floor_temporal(times, unit="day"))).as_py():
        return NO_TIME_OF_DAY
    return "" if pc.any(pc.match_substring_regex(text, ZONE)).as_py() else NO_ZONE


def _propose_digits(cells: pa.ChunkedArray) -> tuple[dict[str, Any], str, str] | None:
    """Propose to read numbers such as 20231101 as dates, if all of them are."""
    text = as_text(cells).drop_null()
    is_date = len(text) and pc.all(pc.match_substring_regex(text, DATE_OF_DIGITS)).as_py()
    if not is_date or _parsed(text, "%Y%m%d") < len(text):
        return None
    return {"format": "%Y%m%d"}, "dates, written as %Y%m%d", NO_TIME_OF_DAY


def _propose_epoch(numbers: pa.Array) -> tuple[dict[str, Any], str, str] | None:
    size = pc.min_max(numbers).as_py()
    if size["min"] is None or size["min"] < EARLIEST:
        return None
    unit = next(((unit, words) for unit, limit, words in SIZES if size["max"] < limit), None)
    return None if unit is None else ({"unit": unit[0]}, f"{unit[1]} since 1970", "")


def _formats(text: pa.Array) -> list[str]:
    """The formats that read one of the first cells."""
    sample = text.drop_null()[:20]
    forms = (date + hours for date, hours in product((*MONTH_FIRST, *DAY_FIRST, *CERTAIN_DATES), HOURS))
    return [form for form in forms if _parsed(sample, form)]


def _parsed(text: pa.Array, form: str) -> int:
    """How many cells a format reads."""
    return count_filled(parse_in_format(text, form))


def _swapped(form: str) -> str:
    """The format with day and month in the other order."""
    return form.replace("%d", "?").replace("%m", "%d").replace("?", "%m")


def _is_iso(text: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, r"^\d{4}-\d{2}-\d{2}")).as_py())


def _propose_types(name: str, column: pa.ChunkedArray) -> tuple[Rule, str, str]:
    words = pc.unique(as_text(column)).drop_null().to_pylist()
    if all(word in EVENT_TYPES or word.startswith(CUSTOM_PREFIX) for word in words):
        return name, "types of the contract", ""
    translated = {word: _type_of(word) for word in words}
    unknown = [word for word, kind in translated.items() if kind.startswith(CUSTOM_PREFIX) and kind != word]
    remark = ""
    if unknown:
        remark = (
            f"No type of the contract goes by the name of {', '.join(unknown[:5])}, so such rows become events of "
            f"your own, such as {translated[unknown[0]]}."
        )
    return {"column": name, "words": translated}, "words", remark


def _type_of(word: str) -> str:
    plain = normalized(word)
    exact = next((kind for kind in EVENT_TYPES if normalized(kind) == plain), None)
    if exact is not None:
        return exact
    return WORD_OF.get(plain) or f"{CUSTOM_PREFIX}{plain or 'other'}"


def _propose_number(name: str, column: pa.ChunkedArray) -> tuple[Rule, str, str]:
    if not pa.types.is_string(column.type):
        return name, "numbers", ""
    text = as_text(column)
    has_comma = pc.any(pc.match_substring_regex(text, r"\d,\d{1,2}$")).as_py()
    has_point = pc.any(pc.match_substring_regex(text, r"\d\.\d{1,2}$")).as_py()
    if has_comma and not has_point:
        return {"column": name, "decimal": ","}, "numbers with a decimal comma", ""
    return name, "numbers", ""


def _propose_list(name: str, column: pa.ChunkedArray) -> tuple[Rule, str, str]:
    if pa.types.is_nested(column.type):
        return name, "lists", ""
    text = as_text(column)
    counts = {mark: int(pc.sum(pc.match_substring(text, mark)).as_py() or 0) for mark in LIST_MARKS}
    mark = max(counts, key=lambda each: counts[each])
    if not counts[mark]:
        return name, "lists", ""
    return {"column": name, "split": mark}, f"lists, separated by {mark}", ""


def _with(name: str, extras: dict[str, Any]) -> Rule:
    return {"column": name, **extras} if extras else name
