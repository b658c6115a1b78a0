"""Erases people from tables in Parquet and CSV files, whatever the names of their columns."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.integrity.checked_tables import write_named_by_content
from ml.integrity.digests import stem_of
from ml.privacy.id_matcher import IdMatcher
from ml.spreadsheet_cells import escape_formula
from ml.tables.layouts import sample_text


def erase_from_tables(folder: Path, matcher: IdMatcher) -> int:
    """Drop the rows with one of the ids in any column from every table below a folder.

    Ids that name something else as well, such as an item, count only in columns that hold people.

    Returns:
        The number of rows that were dropped.
    """
    removed = 0
    for file in sorted(
        path for path in folder.rglob("*") if path.suffix in (".parquet", ".csv") and path.is_file()
    ):
        removed += (
            _erase_from_parquet(file, matcher) if file.suffix == ".parquet" else _erase_from_csv(file, matcher)
        )
    return removed


def _erase_from_parquet(file: Path, matcher: IdMatcher) -> int:
    table = pq.read_table(file)
    named = np.zeros(len(table), dtype=bool)
    for name, column in zip(table.column_names, table.columns, strict=True):
        people = pa.array(sorted(matcher.ids_in(name)), pa.string())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            named |= np.asarray(pc.is_in(pc.cast(column, pa.string()), value_set=people))
    if named.any():
        kept = table.filter(pa.array(~named))
        if stem_of(file) != file.stem:
            write_named_by_content(kept, file.parent, stem_of(file))
        else:
            draft = file.with_name(f".{file.name}.part")
            pq.write_table(kept, draft, compression="zstd")
            os.replace(draft, file)
    return int(named.sum())


def _erase_from_csv(file: Path, matcher: IdMatcher) -> int:
    if not file.read_bytes().strip():
        return 0
    sample = sample_text(file)
    delimiter = sample.dialect.delimiter if sample.dialect.has_quotes else ","
    with open(file, encoding=sample.encoding, newline="") as opened:
        rows = list(csv.reader(opened, delimiter=delimiter))
    ids_by_column = [{*ids, *map(escape_formula, ids)} for ids in map(matcher.ids_in, rows[0])]
    kept = [row for row in rows if not any(cell in ids for cell, ids in zip(row, ids_by_column, strict=False))]
    if len(kept) < len(rows):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows(kept)
        draft = file.with_name(f".{file.name}.part")
        draft.write_text(text.getvalue(), encoding="utf-8")
        os.replace(draft, file)
    return len(rows) - len(kept)
