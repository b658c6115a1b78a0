"""Segments defined by rules: engagement, dayparts, RFM, funnel position, device, place and a site's own segments.

The rules are in a YAML file with one block per family. Within a family the first matching rule applies, so each
user is in at most one of its segments. In the family `own` a user may be in several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from ml.arrays import F64, Bools
from ml.errors import TesseraError
from ml.expressions.language import Expression, ExpressionError, FieldType, compile_expression, fields_of
from ml.home import Home
from ml.local_clock import HourSpan
from ml.segmentation.consent import CONSENT, mask_consenting
from ml.segmentation.features.features import USER_ID, matches_any, to_floats
from ml.site.definition_files import definition_file
from ml.site.yaml_lines import YamlError, parse_yaml, read_yaml

SITE_FAMILY = "own"
RFM_COLUMNS = {
    "rfm_recency": (("recency_days",), -1),
    "rfm_frequency": (("frequency_low", "frequency"), 1),
    "rfm_monetary": (("monetary",), 1),
}
_KEYS = {"when", "strategy"}
_ALL_KEYS = _KEYS | {"send"}

# Columns that say who somebody is. A condition on one of them singles a person out, at once or by the difference
# of two audiences.
IDENTIFYING_FIELDS = ("*_id", "email*", "phone*", "ip", "ip_*", "full_name", "first_name", "last_name")


class SegmentRuleError(TesseraError, ValueError):
    """The file of rules is not usable; the message names the file, family and segment."""


@dataclass(frozen=True)
class RuleSegment:
    """A segment defined by a rule.

    Attributes:
        family: name of the family.
        name: name of the segment.
        when: the condition, an expression.
        strategy: what to do for these users, in words.
        send: first local hour of sending and the hour after the last, None for any hour.
    """

    family: str
    name: str
    when: str
    strategy: str
    send: HourSpan | None = None

    def compiled(self, fields: Mapping[str, FieldType]) -> Expression:
        """Return the checked condition; raises SegmentRuleError if it reads a field that the table lacks."""
        try:
            return compile_expression(self.when, fields)
        except ExpressionError as error:
            raise SegmentRuleError(f"segment {self.family}/{self.name}: {error}") from error


def load_site_rules(home: Home, name: str) -> list[RuleSegment]:
    """Load the segments of the definition file of this name; raises SegmentRuleError like `load_rules`."""
    return load_rules(definition_file(home, name))


def load_rules(file: Path, text: str | None = None) -> list[RuleSegment]:
    """Load the segments of a YAML file in its order; raises SegmentRuleError if the file is not valid.

    Args:
        file: the file.
        text: its content, where that is not written yet.
    """
    try:
        content, _ = read_yaml(file) if text is None else parse_yaml(text)
    except YamlError as error:
        raise SegmentRuleError(f"{file}:{error.line}: {error}") from error
    except OSError as error:
        raise SegmentRuleError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise SegmentRuleError(f"{file}: expected families, such as `engagement:`, not {type(content).__name__}")
    return list(_read_segments(content, file))


def _read_segments(content: dict[str, Any], file: Path) -> Iterator[RuleSegment]:
    """Yield the segments of the file, checking their form."""
    for family, segments in content.items():
        if not isinstance(segments, dict):
            raise SegmentRuleError(f"{file}: family {family}: expected a mapping from segment names to rules")
        for name, rule in segments.items():
            if (
                not isinstance(rule, dict)
                or not _KEYS <= set(rule) <= _ALL_KEYS
                or not all(isinstance(rule[key], str) for key in _KEYS)
            ):
                raise SegmentRuleError(
                    f"{file}: segment {family}/{name}: expected the texts `when` and `strategy`, perhaps `send`"
                )
            send = _read_hours(rule["send"], f"{file}: segment {family}/{name}") if "send" in rule else None
            yield RuleSegment(str(family), str(name), rule["when"], rule["strategy"].strip(), send)


def _read_hours(value: Any, place: str) -> HourSpan:
    """Return the hours of sending; raises SegmentRuleError unless they are two different hours of a day."""
    is_pair = isinstance(value, list) and len(value) == 2
    if not is_pair or not all(isinstance(hour, int | float) and 0 <= hour <= 24 for hour in value):
        raise SegmentRuleError(f"{place}: `send` is {value!r}, not two local hours such as [8, 12]")
    if value[0] == value[1]:
        raise SegmentRuleError(f"{place}: `send` is {value!r}, which contains no hour")
    return float(value[0]), float(value[1])


def audience_fields(schema: pa.Schema) -> dict[str, FieldType]:
    """Return the fields on which a segment may depend: all but those that identify a person."""
    return {name: type_ for name, type_ in fields_of(schema).items() if not matches_any(name, IDENTIFYING_FIELDS)}


def add_rfm_scores(table: pa.Table) -> pa.Table:
    """Add `rfm_recency`, `rfm_frequency` and `rfm_monetary`: quintiles 1 to 5, where 5 is best.

    Equal values get equal scores, and a missing value gets none. A user who never spent money has `rfm_monetary`
    1. Frequency is ranked among the users who came back, by the share of days that there is evidence of, and a
    user who came on one day only has `rfm_frequency` 1. Where the table says who consents to personalization, the
    quintiles are those of these users, and the others get no scores.

    Args:
        table: the mart `users`, or any table with some of the columns that RFM_COLUMNS names.
    """
    consents = np.ones(table.num_rows, dtype=bool)
    if CONSENT in table.column_names:
        consents = mask_consenting(table)
    came_once = _came_once(table)
    for name, (columns, direction) in RFM_COLUMNS.items():
        column = next((column for column in columns if column in table.column_names), None)
        if column is None or name in table.column_names:
            continue
        values = np.where(consents, to_floats(table.column(column)), np.nan)
        if name == "rfm_frequency":
            lowest = came_once | (values <= 0)
            scores = score_quintiles(np.where(lowest, np.nan, values))
        else:
            scores = score_quintiles(direction * values)
            lowest = values <= 0 if name == "rfm_monetary" else np.zeros(len(values), dtype=bool)
        scores[lowest & ~np.isnan(values)] = 1.0
        table = table.append_column(name, pa.array(scores, mask=np.isnan(scores)))
    return table


def _came_once(table: pa.Table) -> Bools:
    """Mark the users who came on one day only, as far as the table has `active_days`."""
    if "active_days" not in table.column_names:
        return np.zeros(table.num_rows, dtype=bool)
    return np.asarray(to_floats(table.column("active_days")) <= 1)


def score_quintiles(values: F64) -> F64:
    """Score each value (n,) from 1 to 5 by its rank among the finite values; equal values get equal scores."""
    scores = np.full(len(values), np.nan)
    is_finite = np.isfinite(values)
    if is_finite.any():
        share = (rankdata(values[is_finite], method="average") - 0.5) / is_finite.sum()
        scores[is_finite] = np.floor(share * 5) + 1
    return scores


def assign_rules(table: pa.Table, rules: list[RuleSegment]) -> pa.Table:
    """Assign users to rule segments.

    Args:
        table: the mart `users`, or any table with `user_id` and the columns that the rules read.
        rules: the segments that `load_rules` returns.

    Returns:
        A table with `user_id`, one text column per family (null for none), and `own`, a list of texts.
    """
    table = add_rfm_scores(table)
    fields = audience_fields(table.schema)
    family_columns: dict[str, npt.NDArray[np.object_]] = {}
    site_segments: list[list[str]] = [[] for _ in range(table.num_rows)]
    for rule in rules:
        holds = np.asarray(rule.compiled(fields).mask(table))
        if rule.family == SITE_FAMILY:
            for row in np.flatnonzero(holds):
                site_segments[row].append(rule.name)
            continue
        names = family_columns.setdefault(rule.family, np.full(table.num_rows, None, dtype=object))
        names[holds & (names == None)] = rule.name  # noqa: E711  elementwise comparison of objects
    columns: dict[str, Any] = {USER_ID: table.column(USER_ID)}
    columns |= {family: pa.array(names.tolist(), pa.string()) for family, names in family_columns.items()}
    columns[SITE_FAMILY] = pa.array(site_segments, pa.list_(pa.string()))
    return pa.table(columns)
