"""Which column of a table of interactions is the user, the item, the time, the rating and the weight."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ml.tables.chunks import TableError
from ml.tables.headerless_files import headerless_message
from ml.tables.table_files import TableFile, open_table
from ml.tables.usual_names import (
    ANY_ID,
    ENDINGS,
    EVENT_TIME,
    ID_ROLES,
    OTHER_IDS,
    OTHER_TIMES,
    USUAL_NAMES,
    Role,
    normalized,
)

KEYS_OF_OTHER_FILES = {
    "orderid",
    "orderno",
    "ordernumber",
    "invoiceid",
    "invoice",
    "invoiceno",
    "transactionid",
    "cartid",
}
HEADING = re.compile(r"\w+:")  # a line of its own that names the item of those below it
NONE = "none"  # in place of a name, it says that a column is not to be used


@dataclass(frozen=True)
class ColumnChoice:
    """What the options say about the columns of tables: a name, `none`, or nothing, which leaves it to the names.

    Attributes:
        user, item, time, rating, weight: Names of columns; numbers from 1 in a file without a header.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None
    weight: str | None = None

    @property
    def is_numbered(self) -> bool:
        """Whether columns are named by number, so that the file's first line is a row."""
        names = [name for name in (self.user, self.item, self.time, self.rating, self.weight) if name]
        named = [name for name in names if name != NONE]
        return bool(named) and all(name.isdigit() for name in named)


LEFT_TO_NAMES = ColumnChoice()


def open_with_roles(path: Path, choice: ColumnChoice = LEFT_TO_NAMES) -> TableFile:
    """Open a file whose columns have roles; columns that are named by number say that it has no header.

    Raises:
        TableError: As `open_table`.
    """
    return open_table(path, choice.is_numbered)


def find_column(
    table: TableFile,
    role: Role,
    choice: ColumnChoice = LEFT_TO_NAMES,
    others: str = "",
    is_certain: bool = False,
) -> str | None:
    """Name of the column that has a role; None if there is none.

    Args:
        table: The file.
        role: The role.
        choice: What the options say.
        others: Names, between blanks, that a column of this role may have in this table besides the usual ones.
        is_certain: Whether a name of the first two lines of the usual ones, or of `others`, is needed.

    Raises:
        TableError: The chosen column is not there, or several columns might be meant.
    """
    chosen = getattr(choice, role)
    if chosen is not None:
        is_none = chosen == NONE and NONE not in table.columns
        return None if is_none else named_column(table, chosen, role)
    columns = {name: normalized(name) for name in table.columns}
    candidates: list[str] = []
    first, second, *weaker = USUAL_NAMES[role]
    for line in (first, second, others, *(() if is_certain else weaker)):
        candidates = [name for name, plain in columns.items() if plain in line.split()]
        if candidates:
            break
    if not candidates and not is_certain and role in ENDINGS:
        candidates = [name for name, plain in columns.items() if re.search(ENDINGS[role], plain)]
    if not candidates and not is_certain and role in ID_ROLES:
        candidates = _only_other_id(columns, role)
    if not candidates and not is_certain and role == "time":
        times = [name for name in columns if EVENT_TIME.search(name) and not OTHER_TIMES.search(columns[name])]
        candidates = times if len(times) == 1 else []
    if len(candidates) > 1:
        raise TableError(
            f"{table.path}: several columns might be the {role}: {', '.join(candidates)}. Choose one, such as "
            f"--{role} {quoted(candidates[0])}"
        )
    return candidates[0] if candidates else None


def _only_other_id(columns: Mapping[str, str], role: Role) -> list[str]:
    """The one column that ends in `id` and names nothing usual; none if there are several.

    Args:
        columns: Names of the columns, and what is left of them to compare.
        role: `user` or `item`.
    """
    other: Role = "item" if role == "user" else "user"
    names = " ".join(USUAL_NAMES[other]).split()
    ids = [
        name
        for name, plain in columns.items()
        if ANY_ID.search(name)
        and not OTHER_IDS.search(plain)
        and plain not in names
        and not re.search(ENDINGS[other], plain)
    ]
    return ids if len(ids) == 1 else []


def require_column(table: TableFile, role: Role, choice: ColumnChoice = LEFT_TO_NAMES, others: str = "") -> str:
    """`find_column`, for a role that must be filled.

    Raises:
        TableError: There is no such column, or as `find_column`.
    """
    column = find_column(table, role, choice, others)
    if column is not None:
        return column
    if not table.has_header:
        raise TableError(headerless_message(table))
    raise TableError(
        f"{table.path}: no column is called like the {role}. Its columns are {', '.join(table.columns)}. Add "
        f"--{role} with the name of one{_other_remedy(table, role)}"
    )


def _other_remedy(table: TableFile, role: Role) -> str:
    """What else may help where no column is called like the role: another first line, or another file."""
    if HEADING.fullmatch(table.columns[0]) and len(table.columns) == 1:
        return (
            ". If lines such as 1: name the item of those below, write it beside each: "
            f'awk \'/:$/ {{sub(/:/, ""); item = $0; next}} {{print item "," $0}}\' {table.path} > ratings.csv'
        )
    unnamed = sum(name == f"column {place + 1}" for place, name in enumerate(table.columns))
    if unnamed > 1:
        return ". If the header comes later, delete the lines above it"
    key = next((name for name in table.columns if normalized(name) in KEYS_OF_OTHER_FILES), None)
    if role not in ID_ROLES or key is None:
        return ""
    return (
        f", or join this file first with the one that says whose {key} it is"
        if role == "user"
        else f", or join this file first with the one that says what belongs to each {key}"
    )


def possible_columns(table: TableFile, role: Role, others: str = "") -> list[str]:
    """Columns that may have a role by their names, the likeliest first; names that only describe are left out."""
    first, second, third, *_ = USUAL_NAMES[role]
    columns = {name: normalized(name) for name in table.columns}
    by_line = [
        name for line in (first, second, others, third) for name, plain in columns.items() if plain in line.split()
    ]
    by_ending = [name for name, plain in columns.items() if role in ENDINGS and re.search(ENDINGS[role], plain)]
    return list(dict.fromkeys([*by_line, *by_ending]))


def shared_column(table: TableFile, other: TableFile, role: Role) -> str | None:
    """The one column that may have a role and that another table has too; None if there is none, or several."""
    shared = [name for name in possible_columns(table, role) if has_column(other, name)]
    return shared[0] if len(shared) == 1 else None


def require_id_column(table: TableFile, role: Role, choice: ColumnChoice = LEFT_TO_NAMES) -> str:
    """The column of the ids in a table of users or items; the first one of a file without a header.

    What the options say is the column of the interactions, so that here it counts only where the table has it.

    Raises:
        TableError: As `require_column`.
    """
    if not table.has_header:
        return table.columns[0]
    chosen = getattr(choice, role)
    if chosen is not None and has_column(table, chosen):
        return named_column(table, chosen, role)
    return require_column(table, role, others="id")


def named_column(table: TableFile, chosen: str, option: str) -> str:
    """The column that an option names: by its name, that name written otherwise, or its number from 1.

    Raises:
        TableError: There is no such column.
    """
    same = _columns_called(table, chosen)
    if len(same) == 1:
        return same[0]
    if chosen.isdigit() and 0 < int(chosen) <= len(table.columns):
        return table.columns[int(chosen) - 1]
    close = get_close_matches(chosen, table.columns, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise TableError(
        f"{table.path}: there is no column {chosen!r} for --{option}; there are {', '.join(table.columns)}{hint}"
    )


def has_column(table: TableFile, chosen: str) -> bool:
    """Whether the table has a column of this name, however it is written."""
    return table.has_header and bool(_columns_called(table, chosen))


def _columns_called(table: TableFile, chosen: str) -> list[str]:
    """The column of this name, or else those with that name written otherwise."""
    if chosen in table.columns:
        return [chosen]
    plain = normalized(chosen)  # nothing is left of a name in other letters than Latin ones
    return [name for name in table.columns if plain and normalized(name) == plain]


def named_columns(table: TableFile, chosen: Sequence[str], option: str) -> list[str]:
    """The columns that an option names, each time one or several with commas between them.

    Raises:
        TableError: One of them is not there.
    """
    names = []
    for text in chosen:
        is_one = text in table.columns or "," not in text
        names += [named_column(table, part.strip(), option) for part in ([text] if is_one else text.split(","))]
    return list(dict.fromkeys(names))


def quoted(name: str) -> str:
    """A name as it is typed after an option."""
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'
