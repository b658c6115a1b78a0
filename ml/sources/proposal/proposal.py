"""Proposes a mapping for a file of events: which column is which field, and how its cells are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from ml.events.normalization.orders import ORDER_ID_KEYS
from ml.sources.input_files import list_input_files
from ml.sources.mapping import load_rule, parse_mapping
from ml.sources.proposal.column_names import plain_name
from ml.sources.proposal.column_targets import choose_targets, describes_items, is_called_like_a_time
from ml.sources.proposal.event_columns import RATINGS
from ml.sources.proposal.purchases import find_order_column, propose_amount, types_in
from ml.sources.proposal.refusals import (
    describe_missing_person,
    describe_missing_time,
    describe_one_column,
    describe_other_kinds,
)
from ml.sources.proposal.rules import (
    NO_TIME_OF_DAY,
    are_user_agents,
    is_time_of_day,
    propose_rule,
    propose_time,
)
from ml.sources.proposal.sample import describe_layout, first_file, read_sample
from ml.sources.source import SourceError
from ml.tables.conversion import as_text, as_timestamp
from ml.tables.readers import detect_format, read_chunks
from ml.tables.time_columns import count_filled

EXAMPLES = 3
REPEATS = (
    "Some rows are exactly alike, and rows that are alike count as one event. If they are different events, "
    "number the rows in a column and name it as `event_id`."
)
SAME_DAYS = 0.95  # share of the rows whose two columns name the same day, or the one beside it in another zone


@dataclass(frozen=True)
class ProposedColumn:
    """What is proposed for a column of the file.

    Attributes:
        name: Its name.
        examples: Some of its cells.
        target: The field of an event, or `items.<field>`; None for a column that becomes a property.
        reading: How the cells are read, in words.
    """

    name: str
    examples: tuple[str, ...]
    target: str | None
    reading: str


@dataclass
class Proposal:
    """A mapping that fits a file.

    Attributes:
        path: The file.
        layout: Format, encoding and separator, in words.
        columns: What becomes of each column.
        content: The mapping, as YAML has it.
        constants: Fields with one value for all rows, with the reason.
        remarks: What the file leaves open.
    """

    path: Path
    layout: str
    columns: list[ProposedColumn]
    content: dict[str, Any]
    constants: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def revise(self, name: str, target: str | None, reading: str) -> None:
        """Say something else of a column than its name and cells let think."""
        self.columns = [
            replace(column, target=target, reading=reading) if column.name == name else column
            for column in self.columns
        ]

    def to_yaml(self) -> str:
        """Return the mapping as the text of a file."""
        head = f"# Proposed for {self.path.name}. Change what is wrong; docs/own-data.md explains every rule.\n"
        remarks = "".join(f"# {remark}\n" for remark in self.remarks)
        return head + remarks + yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True, width=110)


def propose_mapping(path: Path) -> Proposal:
    """Propose a mapping for a file, or for the files of a folder by the first of them.

    Raises:
        SourceError: A time or a person cannot be found among the columns.
        TableError: The file cannot be read.
    """
    file = first_file(path)
    layout, file_rule = describe_layout(file)
    table = read_sample(file)
    targets = choose_targets(table)
    proposal = Proposal(path, layout, [], {})
    rules: dict[str, Any] = {}
    items: dict[str, Any] = {}
    is_of_items = describes_items(table, targets)
    if not is_of_items:
        _require_events(path, table, targets)
    for name in table.column_names:
        target = targets.get(name)
        rule, reading, remark = propose_rule(target, name, table[name])
        if target == "occurred_at" and NO_TIME_OF_DAY in remark:
            rule, reading, remark = _with_time_of_day(table, name, rule, reading, remark)
        proposal.columns.append(ProposedColumn(name, _examples_of(table[name]), target, reading))
        proposal.remarks += [remark] if remark else []
        if target == "device_type" and are_user_agents(table[name]):
            rules = {"os": name, "browser": name, **rules}
        if target is not None:
            (items if target.startswith("items.") else rules)[target.removeprefix("items.")] = rule
    joined = rules.get("occurred_at")
    if isinstance(joined, dict) and "columns" in joined:
        proposal.revise(joined["columns"][1], "occurred_at", f"with {joined['columns'][0]}")
    if is_of_items:
        _propose_items(proposal, rules, items)
    else:
        _propose_events(proposal, table, rules, items, targets)
    if file_rule:
        proposal.content["file"] = file_rule
    _require_like_files(path, file, proposal.content)
    return proposal


def _propose_items(proposal: Proposal, rules: Mapping[str, Any], items: Mapping[str, Any]) -> None:
    """Write the content of a mapping that has only items."""
    for column in proposal.columns:
        if column.target != "item_id" and not (column.target or "").startswith("items."):
            proposal.revise(column.name, None, "not used")
    proposal.remarks = ["No column names a person, so the file describes items and has no events."]
    proposal.content = {"items": {"item_id": rules["item_id"], **items}}


def _require_events(path: Path, table: pa.Table, targets: Mapping[str, str]) -> None:
    """Check that times and people were found among the columns.

    Raises:
        SourceError: They were not.
    """
    fields = targets.values()
    if "occurred_at" not in fields:
        if len(table.column_names) == 1:
            raise SourceError(describe_one_column(path, table.column_names[0]))
        named = [name for name in table.column_names if is_called_like_a_time(name)]
        examples = {name: _examples_of(table[name]) for name in named}
        raise SourceError(describe_missing_time(path, table.column_names, examples, fields))
    if not {"user_id", "anonymous_id", "session_id"} & set(fields):
        raise SourceError(describe_missing_person(path, table.column_names))


def _propose_events(
    proposal: Proposal,
    table: pa.Table,
    rules: dict[str, Any],
    items: dict[str, Any],
    targets: Mapping[str, str],
) -> None:
    """Add what no single column says, and write the content of the mapping."""
    if not {"user_id", "anonymous_id"} & rules.keys():
        rules["anonymous_id"] = rules["session_id"]
        proposal.remarks.append("No column names a person, so each session counts as one visitor.")
    if "event_id" not in rules and _has_repeats(table):
        proposal.remarks.append(REPEATS)
    order = find_order_column(table)
    kind, amount = "", next((name for name, target in targets.items() if target == "value"), None)
    if "event_type" not in rules:
        kind, reason = _only_type(targets, order)
        rules["event_type"], proposal.constants["event_type"] = {"value": kind}, f"{kind}, {reason}"
    if "purchase" in types_in(table, rules["event_type"]):
        proposal.remarks += propose_amount(table, rules, items, kind == "purchase")
        if amount is not None and amount not in load_rule(rules["value"]).origins:
            targets = {name: target for name, target in targets.items() if name != amount}
            proposal.revise(amount, None, "kept as a property")
    first = [name for name in ("event_id", "event_type", "occurred_at") if name in rules]
    proposal.content = {name: rules[name] for name in [*first, *(name for name in rules if name not in first)]}
    if items:
        proposal.content["items"] = {"item_id": rules["item_id"], **items}
    if order is not None and order not in ORDER_ID_KEYS and order not in targets:
        proposal.content["properties"] = _properties(targets, table.column_names, order)
        proposal.revise(order, "properties.order_id", "text")
        proposal.remarks.append(f"Lines with the same {order} are one order.")


def _has_repeats(table: pa.Table) -> bool:
    """Whether two rows are exactly alike; nested cells are not compared."""
    if any(_is_nested(table[name]) for name in table.column_names):
        return False
    return len(table.group_by(table.column_names).aggregate([])) < len(table)


def _is_nested(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_nested(column.type))


def _require_like_files(path: Path, first: Path, content: Mapping[str, Any]) -> None:
    """Check that each file of a folder has the columns that the mapping of the first one reads.

    Raises:
        SourceError: One has not.
    """
    files = list_input_files(path)
    if len(files) == 1:
        return
    origins = parse_mapping(content).origins()
    lacking: dict[str, list[str]] = {}
    for file in files:
        names = next(iter(read_chunks(file))).table.column_names
        missing = [name for name in origins if name not in names]
        if missing and detect_format(file) != "jsonl":  # whose rows may lack a field
            lacking[file.name] = missing
    if lacking:
        raise SourceError(
            describe_other_kinds(path, lacking, [file.name for file in files if file.name not in lacking])
        )


def _only_type(targets: Mapping[str, str], order: str | None) -> tuple[str, str]:
    """The type of every event of a file that has no column of types, and why."""
    value = next((column for column, target in targets.items() if target == "value"), None)
    if value is not None and plain_name(value) in RATINGS.split():
        return "rating", f"because the column {value} holds ratings"
    reason = order or value
    if reason is not None:
        return "purchase", f"because there is a column {reason}"
    return "page_view", "because no column says what happened"


def _properties(targets: Mapping[str, str], columns: Sequence[str], order: str) -> dict[str, str]:
    """The columns that are no field of an event, by the names that they get: that of the order is `order_id`.

    Lines of one order are one purchase only if the property `order_id` says so.
    """
    kept = [name for name in columns if targets.get(name, "items.").startswith("items.") and name != order]
    return {"order_id": order, **{name.removeprefix("properties."): name for name in kept}}


def _with_time_of_day(
    table: pa.Table, day: str, rule: Any, reading: str, remark: str
) -> tuple[dict[str, Any] | str, str, str]:
    """Join a column of dates with that of their times of day, or name a better column, where there is one."""
    hours = next((name for name in table.column_names if is_time_of_day(table[name])), None)
    if hours is None:
        return rule, reading, f"{remark} {_remark_on_a_better_time(table, day)}".strip()
    days, times = as_text(table[day]), as_text(table[hours])
    both = pa.chunked_array([pc.binary_join_element_wise(days, times, " ")])
    proposed = propose_time(both)
    if proposed is None:
        return rule, reading, remark
    extras, joined, about = proposed
    return {"columns": [day, hours], **extras}, f"with {hours}: {joined}", about


def _remark_on_a_better_time(table: pa.Table, day: str) -> str:
    """Name a column of numbers since 1970 on the same days as a column of dates."""
    extras, _, _ = propose_time(table[day]) or ({}, "", "")
    days, _ = as_timestamp(table[day], form=extras.get("format"))
    for name in table.column_names:
        unit = (propose_time(table[name]) or ({}, "", ""))[0].get("unit")
        if unit is None:
            continue
        times, _ = as_timestamp(table[name], unit)
        days_apart = pc.abs(pc.days_between(days, times))
        if count_filled(times) and pc.mean(pc.less_equal(days_apart, 1)).as_py() >= SAME_DAYS:
            rule = f"occurred_at: {{column: {name}, unit: {unit}}}"
            return f"{name} holds times on the same days. If they are those of the events, write `{rule}`."
    return ""


def _examples_of(column: pa.ChunkedArray) -> tuple[str, ...]:
    """Some different cells of a column, as they stand there."""
    if _is_nested(column):
        return tuple(str(cell) for cell in column.slice(0, EXAMPLES).to_pylist())
    cells = pc.unique(as_text(column.slice(0, 1_000))).drop_null().slice(0, EXAMPLES)
    return tuple(cells.to_pylist())
