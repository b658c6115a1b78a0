"""Select the members of a segment, which may be learned, defined by a rule, or an expression."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.errors import TesseraError
from ml.expressions.language import ExpressionError, compile_expression
from ml.local_clock import HourSpan
from ml.segmentation.audiences.rules import (
    SITE_FAMILY,
    RuleSegment,
    add_rfm_scores,
    assign_rules,
    audience_fields,
)
from ml.segmentation.features.features import USER_ID

ENGAGEMENT = "engagement"


class UnknownSegmentError(TesseraError, LookupError):
    """The text names no segment, or several, and is no expression; the message lists the legal names."""


@dataclass(frozen=True)
class SegmentMembers:
    """The users in a segment, with the strategy and the hours of sending for each of them.

    Attributes:
        users: the members.
        strategies: what to do for each of them, in words.
        hours: first local hour of sending and the hour after the last, for each of them; None for any hour.
    """

    users: pa.Table
    strategies: list[str]
    hours: list[HourSpan | None]


def join_columns(users: pa.Table, other: pa.Table) -> pa.Table:
    """Add the columns of `other` that `users` lacks, joined by `user_id`.

    The values are null where `other` has no such user.
    """
    rows = pc.index_in(users.column(USER_ID).cast(pa.string()), value_set=other.column(USER_ID).cast(pa.string()))
    for name in other.column_names:
        if name not in users.column_names:
            users = users.append_column(name, other.column(name).combine_chunks().take(rows))
    return users


def select_members(
    selector: str, users: pa.Table, segments: pa.Table | None, rules: list[RuleSegment]
) -> SegmentMembers:
    """Select the members of the segment that `selector` names.

    A rule segment comes with its own strategy. Otherwise the strategy is that of the user's engagement class.

    Args:
        selector: number or name of a learned segment, `family:name` or just the name of a rule segment, or an
            expression over the columns of `users`, `segment`, `name`, the memberships, the families and `own`.
        users: the mart `users`.
        segments: `user_segments` with `user_id, segment, name` and memberships; None if no segments were learned
            yet.
        rules: segments by rule.

    Raises:
        UnknownSegmentError: `selector` is neither a segment nor an expression, or it names several segments.
    """
    by_rule = assign_rules(users, rules)
    table = join_columns(add_rfm_scores(users), by_rule)
    if segments is not None:
        table = join_columns(table, segments)
    engagement = {rule.name: rule for rule in rules if rule.family == ENGAGEMENT}
    rule = _find_rule(selector, rules)
    learned = _mask_learned(selector, table)
    if rule is not None and learned is not None:
        raise UnknownSegmentError(
            f"{selector!r} is a segment by rule and a learned segment; write {rule.family}:{rule.name} for the"
            f" former, and for the latter {_other_names(selector, table, learned)}"
        )
    if rule is not None:
        family = by_rule.column(rule.family)
        if rule.family == SITE_FAMILY:
            mask = np.array([rule.name in names for names in family.to_pylist()], dtype=bool)
        else:
            mask = np.asarray(pc.fill_null(pc.equal(family, rule.name), False))
        chosen = table.filter(pa.array(mask))
        return SegmentMembers(chosen, [rule.strategy] * chosen.num_rows, [rule.send] * chosen.num_rows)
    chosen = table.filter(pa.array(_mask_by_expression(selector, table, rules) if learned is None else learned))
    classes = chosen.column(ENGAGEMENT).to_pylist() if ENGAGEMENT in chosen.column_names else [None] * len(chosen)
    by_class = [engagement.get(name) for name in classes]
    return SegmentMembers(
        chosen,
        [rule.strategy if rule else "" for rule in by_class],
        [rule.send if rule else None for rule in by_class],
    )


def _other_names(selector: str, table: pa.Table, mask: Bools) -> str:
    """Return the other way to name the learned segment of the marked users: its number, or its name."""
    row = table.filter(pa.array(mask)).slice(0, 1).select(["segment", "name"]).to_pylist()[0]
    return repr(row["name"] if str(row["segment"]) == selector else str(row["segment"]))


def _find_rule(selector: str, rules: list[RuleSegment]) -> RuleSegment | None:
    """Return the rule segment of this name, or None."""
    exact = [rule for rule in rules if selector in (f"{rule.family}:{rule.name}", rule.name)]
    if len(exact) > 1:
        names = ", ".join(f"{rule.family}:{rule.name}" for rule in exact)
        raise UnknownSegmentError(f"{selector!r} is ambiguous; use one of: {names}")
    return exact[0] if exact else None


def _mask_learned(selector: str, table: pa.Table) -> Bools | None:
    """Mark the users in the learned segment of this number or name, or return None if there is no such segment."""
    if "segment" not in table.column_names:
        return None
    number, name = table.column("segment").cast(pa.string()), table.column("name")
    mask = pc.fill_null(pc.or_(pc.equal(number, selector), pc.equal(name, selector)), False)
    return np.asarray(mask) if pc.any(mask).as_py() else None


def _mask_by_expression(selector: str, table: pa.Table, rules: list[RuleSegment]) -> Bools:
    """Mark the users for whom the expression is true."""
    try:
        return np.asarray(compile_expression(selector, audience_fields(table.schema)).mask(table))
    except ExpressionError as error:
        names = [f"{rule.family}:{rule.name}" for rule in rules]
        if "name" in table.column_names:
            names += [str(name) for name in table.column("name").unique().to_pylist() if name is not None]
        near = get_close_matches(selector, [*names, *(rule.name for rule in rules)], n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownSegmentError(
            f"{selector!r} is neither a segment ({', '.join(names)}) nor an expression: {error}{hint}"
        ) from error
