"""The file by which a mapping is proposed: its layout and its first rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from ml.sources.input_files import list_input_files
from ml.sources.source import SourceError
from ml.tables.layouts import has_header, sample_text
from ml.tables.readers import detect_format, read_chunks

SAMPLE_ROWS = 50_000
REQUIRED = ("event_type", "occurred_at")


def needs_mapping(path: Path) -> bool:
    """Return whether the columns of a file have other names than the event contract.

    Raises:
        TableError: The file cannot be read.
    """
    return not set(REQUIRED) <= set(read_sample(first_file(path)).column_names)


def first_file(path: Path) -> Path:
    """Return the file, or the first one of a folder."""
    return list_input_files(path)[0]


def describe_layout(file: Path) -> tuple[str, dict[str, str]]:
    """Return the layout of a file in words, and as the part `file` of a mapping.

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


def read_sample(file: Path) -> pa.Table:
    """Return the first rows of a file."""
    parts: list[pa.Table] = []
    for chunk in read_chunks(file):
        parts.append(chunk.table)
        if sum(map(len, parts)) >= SAMPLE_ROWS:
            break
    return pa.concat_tables(parts, promote_options="permissive").slice(0, SAMPLE_ROWS)
