"""A table of users as people have it, made ready for segmentation: an id, numbers, and categories as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.segmentation.features.features import USER_ID
from ml.tables.chunks import Chunk, TableError
from ml.tables.column_roles import NONE, ColumnChoice, find_column, named_columns, open_with_roles, quoted
from ml.tables.conversion import as_text, flatten
from ml.tables.id_columns import read_unique_ids
from ml.tables.number_columns import CellPlace, Numbers, has_leading_zeros, parse_numbers
from ml.tables.table_files import Log, TableFile
from ml.tables.time_columns import parse_times
from ml.tables.usual_names import normalized

MOSTLY_NUMBERS = 0.9  # share of the cells from which a column is one of numbers with mistakes in it
SHARED = 0.5  # share of the rows whose text others must have as well, for the text to describe anybody
FEW_LEVELS = 20  # different texts up to which a column may be one of categories
FEW_CODES = 5  # different whole numbers up to which it may; more of them are counts
TRUE, FALSE = ("true", "t"), ("false", "f")
INDEX_NAMES = ("column1", "unnamed0", "index", "rownumber", "row", "rownames")


class Use(Enum):
    """What a column of the table is good for."""

    FEATURE = "features"
    DESCRIPTION = "describing the segments, but not forming them"
    NOTHING = "not used, being ids, times, empty, or nearly all different"


@dataclass(frozen=True)
class _UserColumn:
    """A column of the table.

    Attributes:
        name: Name of the column.
        use: What it is good for.
        values: Numbers, text, maps or structs; None for a column that is good for nothing.
        remark: How the cells were read, where that is not plain.
        may_be_categorical: Whether it has few values and is not said to be categorical.
    """

    name: str
    use: Use
    values: pa.Array | None = None
    remark: str = ""
    may_be_categorical: bool = False


def read_user_table(
    path: Path,
    user: str | None = None,
    exclude: Sequence[str] = (),
    categorical: Sequence[str] = (),
    log: Log = lambda line: None,
) -> tuple[pa.Table, list[str]]:
    """Read a table of one row a user.

    Numbers are features; text describes the segments, unless it is categorical. Ids, times and texts that are
    nearly all different are left out. Without a column of ids the number of the row is the id, from 1.

    Args:
        path: The file.
        user: Column of the ids, or `none`; the usual names are recognized.
        exclude: Columns to leave out.
        categorical: Columns whose values are names of categories, numbers too.
        log: Is told in sentences what became of each column.

    Returns:
        `user_id` as text, numbers, and categories as text; and the columns of `categorical` as the file has them.

    Raises:
        TableError: The file or a cell of it cannot be used, a user has several rows, or a column is not there.
    """
    table = open_with_roles(path, ColumnChoice(user=user))
    left_out = set(named_columns(table, exclude, "exclude"))
    categories = named_columns(table, categorical, "categorical")
    if both := sorted(left_out & set(categories)):
        raise TableError(f"{path}: column {both[0]!r} cannot be both excluded and categorical")
    id_column = _id_column(table, user)
    chunk = table.read([name for name in table.columns if name not in left_out or name == id_column], log)
    ids = _ids(table, chunk, id_column)
    columns = []
    for name in chunk.table.column_names:
        if name != id_column:
            place = CellPlace(path.name, name, chunk.numbers)
            columns.append(_user_column(chunk.table[name], place, name in categories, table.delimiter))
    if not table.has_header:
        log(f"{path.name}: the file has no header, so that columns are called by their number")
    _tell(columns, categories, path.name, id_column, log)
    used = {column.name: column.values for column in columns if column.use is not Use.NOTHING}
    return pa.table({USER_ID: ids, **used}), categories


def _id_column(table: TableFile, user: str | None) -> str | None:
    if user is not None:
        return find_column(table, "user", ColumnChoice(user=user))
    return find_column(table, "user", others="id", is_certain=True)


def _ids(table: TableFile, chunk: Chunk, column: str | None) -> pa.Array:
    """Ids as text: those of the column, or the numbers of the rows.

    Raises:
        TableError: A row has no id, or that of an earlier row.
    """
    if column is None:
        return pc.cast(pa.array(chunk.numbers + 1), pa.string())
    place = CellPlace(table.path.name, column, chunk.numbers)
    rest = f", name another column with --user, or add --user {NONE} to number the rows"
    return read_unique_ids(chunk.table[column], place, rest)


def _user_column(column: pa.ChunkedArray, place: CellPlace, is_category: bool, delimiter: str) -> _UserColumn:
    """Find out what a column is good for.

    Raises:
        TableError: It is one of numbers with a mistake in it, or a category that is nested.
    """
    name, array = place.column, flatten(column)
    is_keyed = pa.types.is_map(array.type) or pa.types.is_struct(array.type)
    if is_category:
        if pa.types.is_nested(array.type):
            raise place.error(0, f"values of the type {array.type} cannot be categories")
        return _UserColumn(name, Use.FEATURE, as_text(array))
    if name == USER_ID or len(array) == array.null_count or _is_key(array, name):
        return _UserColumn(name, Use.NOTHING)
    if is_keyed:
        return _UserColumn(name, Use.FEATURE, array)
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        return _UserColumn(name, Use.NOTHING)
    if has_leading_zeros(array):
        return _text_column(array, name)
    numbers = parse_numbers(_flags_as_numbers(array), delimiter)
    if not numbers.is_bad.any():
        return _UserColumn(name, Use.FEATURE, numbers.values, numbers.remark, _is_code(numbers.values))
    _check_mostly_text(array, numbers, place)
    return _text_column(array, name)


def _text_column(array: pa.Array, name: str) -> _UserColumn:
    text = as_text(array)
    counts = pc.value_counts(text.drop_null()).field("counts")
    shared = pc.sum(counts.filter(pc.greater(counts, 1))).as_py() or 0
    times = parse_times(array)
    is_time = pa.types.is_timestamp(times.values.type) and not times.is_bad.any()
    if is_time or shared < SHARED * (len(text) - text.null_count):
        return _UserColumn(name, Use.NOTHING)
    return _UserColumn(name, Use.DESCRIPTION, text, "", len(counts) <= FEW_LEVELS)


def _check_mostly_text(array: pa.Array, numbers: Numbers, place: CellPlace) -> None:
    """Refuse a column of numbers with a mistake in it, which as text would be lost."""
    is_number = np.asarray(pc.is_valid(numbers.values)) & ~numbers.is_bad
    n_numbers, n_bad = int(is_number.sum()), int(numbers.is_bad.sum())
    row = int(np.argmax(numbers.is_bad))
    if numbers.mixes_marks:
        raise place.error(
            row, f"{array[row].as_py()!r} has another decimal mark than other cells. Write all alike"
        )
    if n_numbers < MOSTLY_NUMBERS * (n_numbers + n_bad):
        return
    raise place.error(
        row,
        f"{array[row].as_py()!r} is not a number, as {n_numbers:,} of {n_numbers + n_bad:,} cells are."
        " Correct it, or name the column with --exclude or --categorical",
    )


def _flags_as_numbers(array: pa.Array) -> pa.Array:
    """Return 1 and 0 for a column of text that only says true and false."""
    if not pa.types.is_string(array.type):
        return array
    words = pc.utf8_lower(array)
    if not pc.all(pc.is_in(words.drop_null(), pa.array([*TRUE, *FALSE]))).as_py():
        return array
    return pc.if_else(pc.is_valid(words), pc.is_in(words, pa.array(TRUE)), None).cast(pa.int8())


def _is_key(array: pa.Array, name: str) -> bool:
    """Return whether a column numbers the rows or names something else, one row each."""
    plain = normalized(name)
    if not (plain.endswith("id") or plain in INDEX_NAMES):
        return False
    return bool(pc.count_distinct(array, mode="all").as_py() == len(array))


def _is_code(numbers: pa.Array) -> bool:
    """Return whether a column has few whole numbers, yet more than two, which may be names of categories."""
    distinct = pc.unique(pc.cast(numbers, pa.float64())).drop_null()
    is_whole = pc.all(pc.equal(distinct, pc.round(distinct))).as_py()
    return bool(2 < len(distinct) <= FEW_CODES and 2 * len(distinct) <= len(numbers) and is_whole)


def _tell(
    columns: Sequence[_UserColumn], categories: Sequence[str], file: str, id_column: str | None, log: Log
) -> None:
    log(f"{file}: {'reading ' + id_column + ' as user' if id_column else 'no ids; the rows are numbered'}")
    for use in Use:
        names = [
            f"{column.name} (categorical)" if column.name in categories else column.name
            for column in columns
            if column.use is use
        ]
        if names:
            log(f"{file}: {use.value}: {', '.join(names)}")
    remarks = [f"{column.name} with {column.remark}" for column in columns if column.remark]
    if remarks:
        log(f"{file}: reading {', '.join(remarks)}")
    flags = [f"--categorical {quoted(column.name)}" for column in columns if column.may_be_categorical]
    if flags:
        log(f"{file}: columns of few values may be categories, which form segments with {' '.join(flags)}")
