"""Proposes a mapping for a file of events: which column is which field, and how its cells are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from ml.events.normalization.orders import ORDER_ID_KEYS
from ml.sources.proposal.column_targets import choose_targets, is_called_like_a_time
from ml.sources.proposal.event_columns import ORDERS, QUANTITIES, RATINGS
from ml.sources.proposal.rules import NO_TIME_OF_DAY, propose_rule, propose_time
from ml.sources.source import SourceError
from ml.tables.conversion import as_text, as_timestamp
from ml.tables.input_checks import check_input_file
from ml.tables.layouts import has_header, sample_text
from ml.tables.readers import detect_format, read_chunks
from ml.tables.time_columns import count_filled
from ml.tables.usual_names import normalized

SAMPLE_ROWS = 50_000
EXAMPLES = 3
SAME_DAYS = 0.95  # share of the rows whose two columns name the same day, or the one beside it in another zone
REQUIRED = ("event_type", "occurred_at")


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

    def to_yaml(self) -> str:
        """Return the mapping as the text of a file."""
        head = f"# Proposed for {self.path.name}. Change what is wrong; docs/own-data.md explains every rule.\n"
        remarks = "".join(f"# {remark}\n" for remark in self.remarks)
        return head + remarks + yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True, width=110)


def needs_mapping(path: Path) -> bool:
    """Return whether the columns of a file have other names than the event contract.

    Raises:
        TableError: The file cannot be read.
    """
    return not set(REQUIRED) <= set(_sample(_first_file(path)).column_names)


def propose_mapping(path: Path) -> Proposal:
    """Propose a mapping for a file, or for the files of a folder by the first of them.

    Raises:
        SourceError: A time or a person cannot be found among the columns.
        TableError: The file cannot be read.
    """
    file = _first_file(path)
    layout, file_rule = _describe_layout(file)
    table = _sample(file)
    targets = choose_targets(table)
    if "occurred_at" not in targets.values():
        raise SourceError(_describe_missing_time(path, table))
    if not {"user_id", "anonymous_id", "session_id"} & set(targets.values()):
        raise SourceError(_describe_missing_person(path, table.column_names))
    proposal = Proposal(path, layout, [], {})
    rules: dict[str, Any] = {}
    items: dict[str, Any] = {}
    for name in table.column_names:
        target = targets.get(name)
        rule, reading, remark = propose_rule(target, name, table[name])
        proposal.columns.append(ProposedColumn(name, _examples_of(table[name]), target, reading))
        proposal.remarks += [remark] if remark else []
        if target == "occurred_at":
            better = _remark_on_a_better_time(table, targets)
            proposal.remarks += [better] if better else []
        if target is not None:
            (items if target.startswith("items.") else rules)[target.removeprefix("items.")] = rule
    if not {"user_id", "anonymous_id"} & rules.keys():
        rules["anonymous_id"] = rules["session_id"]
        proposal.remarks.append("No column names a person, so each session counts as one visitor.")
    if "event_type" not in rules:
        kind, reason = _only_type(targets, table.column_names)
        rules["event_type"], proposal.constants["event_type"] = {"value": kind}, f"{kind}, {reason}"
        if kind == "purchase":
            _add_amount(rules, items, table.column_names)
    elif "value" not in rules and "price" in items and "purchase" in _types_in(table, rules["event_type"]):
        _add_amount(rules, items, table.column_names, of_types=["purchase"])
        proposal.remarks.append(_describe_amount(rules["value"]))
    first = [name for name in ("event_id", "event_type", "occurred_at") if name in rules]
    proposal.content = {name: rules[name] for name in [*first, *(name for name in rules if name not in first)]}
    if items:
        proposal.content["items"] = {"item_id": rules["item_id"], **items}
    order = _order_column(table.column_names)
    if order is not None and order not in ORDER_ID_KEYS and order not in targets:
        proposal.content["properties"] = _properties(targets, table.column_names, order)
        proposal.remarks.append(f"Lines with the same {order} are one order.")
    if file_rule:
        proposal.content["file"] = file_rule
    return proposal


def _only_type(targets: Mapping[str, str], columns: Sequence[str]) -> tuple[str, str]:
    """The type of every event of a file that has no column of types, and why."""
    value = next((column for column, target in targets.items() if target == "value"), None)
    if value is not None and normalized(value) in RATINGS.split():
        return "rating", f"because the column {value} holds ratings"
    order = _order_column(columns) or value
    if order is not None:
        return "purchase", f"because there is a column {order}"
    return "page_view", "because no column says what happened"


def _types_in(table: pa.Table, rule: Any) -> Collection[str]:
    """The types of the rows, by the rule of the column that says what happened."""
    if isinstance(rule, str):
        types: list[str] = as_text(table[rule]).unique().drop_null().to_pylist()
        return types
    words: Mapping[str, str] = rule["words"]
    return words.values()


def _order_column(columns: Sequence[str]) -> str | None:
    return next((column for column in columns if normalized(column) in ORDERS.split()), None)


def _properties(targets: Mapping[str, str], columns: Sequence[str], order: str) -> dict[str, str]:
    """The columns that are no field of an event, by the names that they get: that of the order is `order_id`.

    Lines of one order are one purchase only if the property `order_id` says so.
    """
    kept = [name for name in columns if targets.get(name, "items.").startswith("items.") and name != order]
    return {"order_id": order, **{name.removeprefix("properties."): name for name in kept}}


def _add_amount(rules: dict[str, Any], items: Mapping[str, Any], columns: Sequence[str], **keys: Any) -> None:
    """Make the amount of an order's line of its price and quantity, where no column has it.

    Args:
        rules: The rules of events, to which that of the amount is added.
        items: The rules of items.
        columns: Names of the columns.
        keys: Further keys of the rule.
    """
    price = items.get("price")
    quantity = next((column for column in columns if normalized(column) in QUANTITIES.split()), None)
    if "value" not in rules and price is not None:
        rule = {"column": price} if isinstance(price, str) else dict(price)
        rules["value"] = rule | ({"times": quantity} if quantity is not None else {}) | keys


def _describe_amount(rule: Mapping[str, Any]) -> str:
    """Say what counts as the amount of a purchase."""
    amount = f"{rule['column']} times {rule['times']}" if "times" in rule else rule["column"]
    return (
        f"No column is the amount of a purchase, so {amount} counts as that; else take `value` out of the mapping."
    )


def _describe_missing_time(path: Path, table: pa.Table) -> str:
    """Say which columns are called like a time, what they hold instead, and what a time looks like."""
    if len(table.column_names) == 1:
        return (
            f"{path}: has one column only, {table.column_names[0]!r}, so no mapping can be proposed. If other "
            "characters than comma, semicolon, tab or | separate the cells, write a mapping that says so, with a "
            'line such as `file: {delimiter: "#"}`, and name it by --mapping'
        )
    named = [name for name in table.column_names if is_called_like_a_time(name)]
    seen = "".join(f" {name} holds {', '.join(_examples_of(table[name])) or 'nothing'}." for name in named)
    return (
        f"{path}: no column holds dates or times, so no mapping can be proposed.{seen} The columns are "
        f"{', '.join(table.column_names)}. A time is written like 2026-03-02 08:00:00, 02.03.2026 or 20260302, "
        "or is the number of seconds or milliseconds since 1970. If a column is one, write a mapping with a line "
        'such as `occurred_at: {column: NAME, format: "%d.%m.%Y"}`, and name it by --mapping'
    )


def _describe_missing_person(path: Path, columns: Sequence[str]) -> str:
    return (
        f"{path}: no column is called like a person, a visitor or a session, so no mapping can be proposed. "
        f"The columns are {', '.join(columns)}. Write a mapping with the line `user_id: NAME`, where NAME is the "
        "column that tells people apart, and name it by --mapping"
    )


def _remark_on_a_better_time(table: pa.Table, targets: Mapping[str, str]) -> str:
    """Name a column of numbers since 1970 on the same days as the dates, if the chosen column has only dates."""
    chosen = next(name for name, target in targets.items() if target == "occurred_at")
    extras, _, remark = propose_time(table[chosen]) or ({}, "", "")
    if NO_TIME_OF_DAY not in remark:
        return ""
    days, _ = as_timestamp(table[chosen], form=extras.get("format"))
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
    if pa.types.is_nested(column.type):
        return tuple(str(cell) for cell in column.slice(0, EXAMPLES).to_pylist())
    cells = pc.unique(as_text(column.slice(0, 1_000))).drop_null().slice(0, EXAMPLES)
    return tuple(cells.to_pylist())


def _first_file(path: Path) -> Path:
    if not path.is_dir():
        return check_input_file(path)
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise SourceError(f"{path}: the folder has no files. Check --path")
    return check_input_file(files[0])


def _describe_layout(file: Path) -> tuple[str, dict[str, str]]:
    """The layout of a file in words, and as the part `file` of a mapping.

    Raises:
        SourceError: The first line is a row.
    """
    kind = detect_format(file)
    if kind != "csv":
        return {"parquet": "Parquet", "jsonl": "JSON Lines"}[kind], {}
    sample = sample_text(file)
    if len(sample.rows) > 1 and not has_header(sample.rows):
        raise SourceError(
            f"{file}: the first line is a row, so that no column has a name. Write a mapping that names all "
            f"{len(sample.rows[0])} of them, such as `file: {{columns: [user, item, time]}}`, and the fields"
        )
    names = {"\t": "tab", ",": "comma", ";": "semicolon"}
    encoding = sample.encoding.removesuffix("-sig")
    delimiter = sample.dialect.delimiter
    layout = f"CSV, separated by {names.get(delimiter, delimiter)}, encoded as {encoding}"
    is_plain = sample.encoding in ("utf-8", "utf-8-sig")
    return layout, {"delimiter": delimiter, **({} if is_plain else {"encoding": sample.encoding})}


def _sample(file: Path) -> pa.Table:
    """The first rows of a file."""
    parts: list[pa.Table] = []
    for chunk in read_chunks(file):
        parts.append(chunk.table)
        if sum(map(len, parts)) >= SAMPLE_ROWS:
            break
    return pa.concat_tables(parts, promote_options="permissive").slice(0, SAMPLE_ROWS)
