"""Erases people from tables in Parquet and CSV files, whatever the names of their columns."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.integrity.digests import stem_of, write_named_by_content
from ml.spreadsheet_cells import escape_formula

DELIMITERS = ",;\t|"


def erase_from_tables(folder: Path, ids: Sequence[str]) -> int:
    """Drop the rows with one of the ids in any column from every table below a folder.

    Returns:
        The number of rows that were dropped.
    """
    removed = 0
    for file in sorted(
        path for path in folder.rglob("*") if path.suffix in (".parquet", ".csv") and path.is_file()
    ):
        removed += _erase_from_parquet(file, ids) if file.suffix == ".parquet" else _erase_from_csv(file, ids)
    return removed


def _erase_from_parquet(file: Path, ids: Sequence[str]) -> int:
    table = pq.read_table(file)
    named = np.zeros(len(table), dtype=bool)
    people = pa.array(ids, pa.string())
    for column in table.columns:
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


def _sniff_delimiter(header: str) -> str:
    """Return what separates the cells of a header; a comma where there is a single cell."""
    try:
        return csv.Sniffer().sniff(header, DELIMITERS).delimiter
    except csv.Error:
        return ","


def _erase_from_csv(file: Path, ids: Sequence[str]) -> int:
    with open(file, encoding="utf-8", newline="") as opened:
        delimiter = _sniff_delimiter(opened.readline())
        opened.seek(0)
        rows = list(csv.reader(opened, delimiter=delimiter))
    cells = {*ids, *map(escape_formula, ids)}
    kept = [row for row in rows if not cells.intersection(row)]
    if len(kept) < len(rows):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows(kept)
        draft = file.with_name(f".{file.name}.part")
        draft.write_text(text.getvalue(), encoding="utf-8")
        os.replace(draft, file)
    return len(rows) - len(kept)
