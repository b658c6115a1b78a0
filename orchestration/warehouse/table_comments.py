"""Comments on the tables that Python writes beside the marts, from the sources that the dbt project describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from orchestration.product_files import DBT_PROJECT_FOLDER

NUMBER = re.compile(r"(?<=_)\d+$")
FAMILIES = {"membership_": "n", "_at_": "k"}
"""Columns that a number names: `membership_3` is described as `membership_n`, `ndcg_at_10` as `ndcg_at_k`."""


@dataclass(frozen=True)
class TableDescription:
    """What a table is, and what each of its columns means."""

    table: str
    columns: Mapping[str, str]

    def describe(self, column: str) -> str | None:
        """Return what a column means; None for a column without a description."""
        return self.columns.get(_described_name(column))

    def statements(self, name: str, columns: list[str]) -> list[str]:
        """Return the SQL that attaches the descriptions to a table with these columns."""
        statements = [f"comment on table {name} is {_quoted(self.table)}"]
        for column in columns:
            text = self.describe(column)
            if text is not None:
                statements.append(f'comment on column {name}."{column}" is {_quoted(text)}')
        return statements


@cache
def described_tables() -> Mapping[str, TableDescription]:
    """Return the descriptions of all sources of the dbt project, by the name of the table."""
    tables = {}
    for file in sorted((DBT_PROJECT_FOLDER / "models").glob("*/_sources.yml")):
        for source in yaml.safe_load(file.read_text(encoding="utf-8"))["sources"]:
            for table in source["tables"]:
                columns = {column["name"]: column["description"] for column in table["columns"]}
                tables[table["name"]] = TableDescription(table["description"], columns)
    return tables


def _described_name(column: str) -> str:
    for part, letter in FAMILIES.items():
        if part in column:
            return NUMBER.sub(letter, column)
    return column


def _quoted(text: str) -> str:
    return "'" + " ".join(text.split()).replace("'", "''") + "'"
