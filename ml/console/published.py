"""The published tables of the console in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.console.selection import VisitSelection
from ml.console.tables import CONSOLE_TABLES, DIMENSIONS, FOLDER


@dataclass(frozen=True)
class PublishedTables:
    """The tables in the folder of a bundle. Files are read again for each question: little stays in memory.

    Attributes:
        bundle: Folder of the bundle.
    """

    bundle: Path

    @cached_property
    def is_complete(self) -> bool:
        """Whether all tables are there; a bundle of an earlier version has none."""
        return all((self.bundle / FOLDER / f"{name}.parquet").is_file() for name in CONSOLE_TABLES)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The row of the table `about`."""
        row: dict[str, Any] = self.read("about").to_pylist()[0]
        return row

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """The values of each dimension, those with the most visits first."""
        visits = self.read("visits", columns=(*DIMENSIONS, "visits"))
        values = {}
        for name in DIMENSIONS:
            sums = visits.group_by(name).aggregate([("visits", "sum")])
            values[name] = sums.sort_by([("visits_sum", "descending"), (name, "ascending")])[name].to_pylist()
        return values

    @cached_property
    def pages(self) -> dict[int, dict[str, Any]]:
        """The rows of the table `pages` by the number of the page."""
        return {row["page"]: row for row in self.read("pages").to_pylist()}

    def read(
        self,
        name: str,
        selection: VisitSelection | None = None,
        columns: Sequence[str] | None = None,
        condition: pc.Expression | None = None,
    ) -> pa.Table:
        """Read the rows of a table.

        Args:
            name: Name of the table.
            selection: Which dates and values of dimensions to read; None reads all.
            columns: Columns to read; None reads all.
            condition: What else has to hold of a row.
        """
        conditions = [] if condition is None else [condition]
        if selection is not None:
            date = pc.field("date")
            conditions += [date >= pa.scalar(selection.first), date <= pa.scalar(selection.last)]
            conditions += [pc.field(key) == value for key, value in selection.filters.items()]
        whole = None
        for each in conditions:
            whole = each if whole is None else whole & each
        file = self.bundle / FOLDER / f"{name}.parquet"
        return pq.read_table(file, columns=None if columns is None else list(columns), filters=whole)

    def sums(
        self,
        name: str,
        selection: VisitSelection,
        by: Sequence[str],
        measures: Sequence[str],
        condition: pc.Expression | None = None,
    ) -> list[dict[str, Any]]:
        """Sum measures by columns, in the order of these columns.

        Args:
            name: Name of the table.
            selection: Which dates and values of dimensions count.
            by: Columns to group by; without any there is one row, even if nothing counts.
            measures: Columns to sum.
            condition: What else has to hold of a row that counts.
        """
        rows = self.read(name, selection, columns=list(dict.fromkeys((*by, *measures))), condition=condition)
        if not by:
            return [{measure: pc.sum(rows[measure]).as_py() or 0 for measure in measures}]
        ordered = sum_by(rows, by, measures).sort_by([(key, "ascending") for key in by])
        sums: list[dict[str, Any]] = ordered.to_pylist()
        return sums


def sum_by(rows: pa.Table, by: Sequence[str], measures: Sequence[str]) -> pa.Table:
    """Sum measures by columns; the sums bear the names of the measures."""
    sums = rows.group_by(list(by)).aggregate([(measure, "sum") for measure in measures])
    return sums.rename_columns([*by, *measures])
