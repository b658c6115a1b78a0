"""What to say of a file whose first line is a row already."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ml.tables.number_columns import parse_numbers
from ml.tables.table_files import TableFile
from ml.tables.time_columns import parse_times
from ml.tables.usual_names import ID_ROLES

EARLIEST_SECONDS = 3e8  # 1979: smaller numbers are rarely times since 1970
HIGHEST_RATING = 10
LEAST_CODE = 100_000  # whole numbers that are all as large name something: plays and hours have small ones too
SHOWN_CELLS = 8
MATRIX_COLUMNS = 12
FEWEST_ROWS = 3  # with fewer rows, nothing can be said of what a column has in all of them


def headerless_message(table: TableFile) -> str:
    """Say how to name the columns of a file without a header, in an order that its first rows suggest."""
    if _is_matrix(table):
        return (
            f"{table.path}: the file has no header and {len(table.columns)} columns of numbers, as if each row "
            "were a user and each column an item. Make a row of each cell: user_id, item_id, rating"
        )
    roles = guessed_roles(table)
    flags = " ".join(f"--{role} {place + 1}" for role, place in roles.items())
    first = ", ".join(table.first_rows[0][:SHOWN_CELLS])
    return (
        f"{table.path}: the file has no header; its first row is {first}. Name its columns by their number: if "
        f"these are what they look like, add {flags}"
    )


def guessed_roles(table: TableFile) -> dict[str, int]:
    """Guess the roles of columns from the first rows: role to place, from 0.

    Times since 1970 and dates are times, other numbers from the third column on are ratings or weights, unless
    they are codes, and the first two other columns are user and item. A column that is the same in all rows, or
    counts the rows, has no role.
    """
    rows = [row for row in table.first_rows if len(row) == len(table.columns)]
    guesses: dict[str, int] = {}
    values: dict[str, int] = {}
    free: list[int] = []
    for place, cells in enumerate(zip(*rows, strict=True)):
        if _says_nothing(cells):
            continue
        kind = _kind_of(cells, place)
        if kind is None or kind in values:
            free.append(place)
        else:
            values[kind] = place
    if len(free) < len(ID_ROLES) and "weight" in values:  # large numbers name something where else nothing does
        free = sorted([*free, values.pop("weight")])
    for role, place in zip(ID_ROLES, free, strict=False):
        guesses[role] = place
    return guesses | values


def _is_matrix(table: TableFile) -> bool:
    """Whether all columns are numbers, and more than a table of interactions ever has."""
    if len(table.columns) < MATRIX_COLUMNS:
        return False
    cells = pa.array([cell.strip() or None for row in table.first_rows for cell in row], pa.string())
    return not parse_numbers(cells).is_bad.any()


def _says_nothing(cells: Sequence[str]) -> bool:
    """Whether a column is the same in all of several rows, or numbers them 1, 2, 3 and so on."""
    if len(cells) < FEWEST_ROWS:
        return False
    is_count = cells[0] in ("0", "1") and all(cell == str(int(cells[0]) + row) for row, cell in enumerate(cells))
    return is_count or len(set(cells)) == 1


def _kind_of(cells: Sequence[str], place: int) -> str | None:
    column = pa.array([cell.strip() or None for cell in cells], pa.string())
    numbers = parse_numbers(column)
    if numbers.is_bad.any():
        return None if parse_times(column).is_bad.any() else "time"
    present = numbers.values.drop_null().to_pylist()
    if place < 2 or not present:
        return None
    if min(present) > EARLIEST_SECONDS:
        return "time"
    if len(present) > 1 and min(present) == max(present):
        return None
    if min(present) >= LEAST_CODE and all(float(value).is_integer() for value in present):
        return None
    return "rating" if max(present) <= HIGHEST_RATING else "weight"
