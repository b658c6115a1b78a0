"""Segments that a rule defines: engagement, dayparts, RFM, funnel position, device, place and whatever a person
adds.

The rules stand in a YAML file, one block a family. Within a family the first rule that holds counts, so that every
user is in at most one of its segments; in the family `own` a user may be in several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml
from scipy.stats import rankdata

from ml.arrays import F64
from ml.errors import TesseraError
from ml.expressions.language import Expression, ExpressionError, FieldType, compile_expression, fields_of
from ml.home import Home
from ml.segmentation.features.features import USER_ID, to_floats
from ml.site.definition_files import definition_file

SITE_FAMILY = "own"
RFM_COLUMNS = {
    "rfm_recency": ("recency_days", -1),
    "rfm_frequency": ("frequency", 1),
    "rfm_monetary": ("monetary", 1),
}
_KEYS = {"when", "strategy"}


class SegmentRuleError(TesseraError, ValueError):
    """The file of rules cannot be used; the message names the file, family and segment."""


@dataclass(frozen=True)
class RuleSegment:
    """One segment by rule, with the strategy for its users in words."""

    family: str
    name: str
    when: str
    strategy: str

    def compiled(self, fields: Mapping[str, FieldType]) -> Expression:
        """The checked condition; raises SegmentRuleError where it reads what the table does not have."""
        try:
            return compile_expression(self.when, fields)
        except ExpressionError as error:
            raise SegmentRuleError(f"segment {self.family}/{self.name}: {error}") from error


def rules_of(home: Home, name: str) -> list[RuleSegment]:
    """Segments of the definition file of this name that is in force; raises SegmentRuleError like `load_rules`."""
    return load_rules(definition_file(home, name))


def load_rules(file: Path) -> list[RuleSegment]:
    """Segments of a YAML file in its order; SegmentRuleError for all but families of `when` and `strategy`."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SegmentRuleError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise SegmentRuleError(f"{file}: expected families such as `engagement:`, found {type(content).__name__}")
    return list(_segments(content, file))


def _segments(content: dict[str, Any], file: Path) -> Iterator[RuleSegment]:
    for family, segments in content.items():
        if not isinstance(segments, dict):
            raise SegmentRuleError(f"{file}: family {family}: expected segments by name")
        for name, rule in segments.items():
            if (
                not isinstance(rule, dict)
                or set(rule) != _KEYS
                or not all(isinstance(v, str) for v in rule.values())
            ):
                raise SegmentRuleError(
                    f"{file}: segment {family}/{name}: expected the texts `when` and `strategy`"
                )
            yield RuleSegment(str(family), str(name), rule["when"], rule["strategy"].strip())


def add_rfm_scores(table: pa.Table) -> pa.Table:
    """The table with `rfm_recency`, `rfm_frequency` and `rfm_monetary`, quintiles 1 to 5, 5 the best.

    Equal values get equal scores. Who never spent has `rfm_monetary` 1. A missing value gets no score.
    """
    for name, (column, direction) in RFM_COLUMNS.items():
        if column not in table.column_names or name in table.column_names:
            continue
        values = to_floats(table.column(column))
        scores = score_quintiles(direction * values)
        if name == "rfm_monetary":
            scores[values <= 0] = 1.0
        table = table.append_column(name, pa.array(scores, mask=np.isnan(scores)))
    return table


def score_quintiles(values: F64) -> F64:
    """Score 1 to 5 of each value (n,) by its rank among those that are there; equal values score alike."""
    scores = np.full(len(values), np.nan)
    there = np.isfinite(values)
    if there.any():
        share = (rankdata(values[there], method="average") - 0.5) / there.sum()
        scores[there] = np.floor(share * 5) + 1
    return scores


def assign_rules(table: pa.Table, rules: list[RuleSegment]) -> pa.Table:
    """Which rule segments each user is in: `user_id`, one text column a family (null: none), `own` a list of
    texts.

    Args:
        table: the mart `users`, or any table with `user_id` and the columns that the rules read.
        rules: as from `load_rules`.
    """
    table = add_rfm_scores(table)
    fields = fields_of(table.schema)
    found: dict[str, npt.NDArray[np.object_]] = {}
    own: list[list[str]] = [[] for _ in range(table.num_rows)]
    for rule in rules:
        holds = np.asarray(rule.compiled(fields).mask(table))
        if rule.family == SITE_FAMILY:
            for row in np.flatnonzero(holds):
                own[row].append(rule.name)
            continue
        names = found.setdefault(rule.family, np.full(table.num_rows, None, dtype=object))
        names[holds & (names == None)] = rule.name  # noqa: E711  elementwise comparison of objects
    columns: dict[str, Any] = {USER_ID: table.column(USER_ID)}
    columns |= {family: pa.array(names.tolist(), pa.string()) for family, names in found.items()}
    columns[SITE_FAMILY] = pa.array(own, pa.list_(pa.string()))
    return pa.table(columns)
