"""All that was rejected or set aside, as one table to look through: dead letters and quarantined events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ml.errors import InvalidInputError
from ml.events.dead_letters import DEAD_LETTER_SCHEMA, DeadLetters, reason_without_value
from ml.events.live_dead_letters import read_open_letters
from ml.events.quarantine import Quarantine, QuarantinedEvent
from ml.home import Home, replace_file
from ml.spreadsheet_cells import escape_formulas

GROUPINGS = ("reason", "field", "source")


@dataclass(frozen=True)
class RejectionFilter:
    """Which rejected rows are meant. Without a condition, all are.

    Attributes:
        field: Only rows rejected because of this field; quarantined events have none.
        reason: Only rows with this text in their reason.
        source: Only rows of this source; for quarantined events, of what set them aside.
    """

    field: str | None = None
    reason: str | None = None
    source: str | None = None

    def accepts(self, row: Mapping[str, Any]) -> bool:
        """Whether a row with `field`, `reason` and `source` is meant."""
        return (
            self.field in (None, row["field"])
            and self.source in (None, row["source"])
            and (self.reason is None or self.reason in row["reason"])
        )

    def accepts_entry(self, entry: QuarantinedEvent) -> bool:
        """Whether a quarantined event is meant."""
        return self.accepts({"field": None, "reason": entry.reason, "source": entry.where})


EVERYTHING = RejectionFilter()


def read_rejections(home: Home, chosen: RejectionFilter = EVERYTHING) -> pa.Table:
    """Read the chosen rows in DEAD_LETTER_SCHEMA, the latest first; quarantined events have no `row` and `field`.

    Raises:
        DamagedFileError: A file of dead letters is damaged.
    """
    quarantined = [_as_row(entry) for entry in Quarantine(home).entries()]
    table = pa.concat_tables(
        [
            DeadLetters(home).read(),
            pa.Table.from_pylist(read_open_letters(home), schema=DEAD_LETTER_SCHEMA),
            pa.Table.from_pylist(quarantined, schema=DEAD_LETTER_SCHEMA),
        ]
    )
    rows = table.select(["source", "field", "reason"]).to_pylist()
    table = table.filter(pa.array([chosen.accepts(row) for row in rows], pa.bool_()))
    return table.sort_by([("received_at", "descending")])


def count_rejections(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """Count rows by some of GROUPINGS, most frequent first; reasons count without the value that they quote.

    Returns:
        A table with the columns of `by`, `rows`, and the times `first` and `last` of their receipt.
    """
    reasons = [reason_without_value(reason) for reason in rows["reason"].to_pylist()]
    rows = rows.set_column(rows.schema.get_field_index("reason"), "reason", pa.array(reasons, pa.string()))
    counted = rows.group_by(list(by)).aggregate(
        [("received_at", "count"), ("received_at", "min"), ("received_at", "max")]
    )
    counted = counted.rename_columns([*by, "rows", "first", "last"])
    return counted.take(pc.sort_indices(counted, [("rows", "descending"), *((name, "ascending") for name in by)]))


def write_rejections(rows: pa.Table, file: Path) -> None:
    """Write rows of `read_rejections` to a file, whole or not at all.

    Args:
        rows: The rows.
        file: A `.csv` file, in which a text that a spreadsheet would run as a formula gets the prefix `'`; or a
            `.jsonl` file, one JSON object a line.

    Raises:
        InvalidInputError: The file has another suffix.
    """
    if file.suffix == ".csv":
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(escape_formulas(rows), sink)
        replace_file(file, sink.getvalue().to_pybytes())
    elif file.suffix == ".jsonl":
        lines = (orjson.dumps(row) + b"\n" for row in rows.to_pylist())
        replace_file(file, b"".join(lines))
    else:
        raise InvalidInputError(f"{file}: the suffix must be .csv or .jsonl")


def _as_row(entry: QuarantinedEvent) -> dict[str, Any]:
    return {
        "source": entry.where,
        "row": None,
        "field": None,
        "reason": entry.reason,
        "payload": orjson.dumps(entry.event if entry.event is not None else {"event_id": entry.event_id}).decode(),
        "received_at": dt.datetime.fromisoformat(entry.at),
    }
