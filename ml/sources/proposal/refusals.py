"""Why nothing can be proposed for a file, and what its owner can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

OTHER_CHARACTERS = (
    "If other characters than comma, semicolon, tab or | separate the cells, write a mapping that says so, with a "
    'line such as `file: {delimiter: "#"}`, and name it by --mapping'
)


def describe_one_column(path: Path, column: str) -> str:
    """Say of a file with one column that its head is no head of a table, or that its cells are not separated."""
    only = f"{path}: has one column only, {column!r}, so no mapping can be proposed."
    if column.startswith("#"):
        return (
            f"{only} The file begins with lines of remarks, as a report does. Delete the lines above the names of "
            "the columns; each row below them has to be something that one person did at one time"
        )
    return f"{only} {OTHER_CHARACTERS}"


def describe_missing_time(
    path: Path, columns: Sequence[str], examples: Mapping[str, Sequence[str]], targets: Collection[str]
) -> str:
    """Say which columns are called like a time, what they hold instead, and what a time looks like.

    Args:
        path: The file.
        columns: Its columns.
        examples: Some cells of the columns that are called like a time.
        targets: The fields that were recognized.
    """
    seen = "".join(f" {name} holds {', '.join(cells) or 'nothing'}." for name, cells in examples.items())
    text = (
        f"{path}: no column holds dates or times, so no mapping can be proposed.{seen} The columns are "
        f"{', '.join(columns)}. A time is written like 2026-03-02 08:00:00, 02.03.2026 or 20260302, "
        "or is the number of seconds or milliseconds since 1970. If a column is one, write a mapping with a line "
        'such as `occurred_at: {column: NAME, format: "%d.%m.%Y"}`, and name it by --mapping'
    )
    if {"user_id", "item_id"} <= set(targets):
        text += (
            ". A table of users and items without times needs no pipeline: "
            f"`tessera fit --interactions {path} --out model` learns from it"
        )
    return text


def describe_missing_person(path: Path, columns: Sequence[str]) -> str:
    """Say that no column tells people apart by its name."""
    return (
        f"{path}: no column is called like a person, a visitor or a session, so no mapping can be proposed. "
        f"The columns are {', '.join(columns)}. Write a mapping with the line `user_id: NAME`, where NAME is the "
        "column that tells people apart, and name it by --mapping"
    )


def describe_other_kinds(folder: Path, lacking: Mapping[str, Sequence[str]], others: Sequence[str]) -> str:
    """Say of a folder that its files are not alike, and how each is read.

    Args:
        folder: The folder.
        lacking: By name of a file, the columns of the first file that it does not have.
        others: Names of the files that are like the first.
    """
    faults = "; ".join(f"{name} has no column {', '.join(missing)}" for name, missing in lacking.items())
    commands = ", then ".join(
        f"`tessera ingest files --path {folder / name} --yes`" for name in (*lacking, *others)
    )
    return f"{folder}: the files are of different kinds: {faults}. Take in each by itself: {commands}"
