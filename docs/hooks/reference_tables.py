"""The page of the tables, from the YAML files of the dbt project, where each column is described once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from markdown_tables import code, table

from ml.console.tables import CONSOLE_TABLES
from orchestration.product_files import DBT_PROJECT_FOLDER

MODELS = DBT_PROJECT_FOLDER / "models"
MARTS = ("marts", "segmented", "sequences", "recommendation")
INTRODUCTION = """\
# Tables

These are the tables of the warehouse, `warehouse.duckdb` in the home. The marts are what reports, models and the
service read; they have enforced contracts, so that a column never changes its name or type by accident. The first
line of each says what one row is. `tessera docs` writes a page about the warehouse at hand, with SQL and lineage.

Any program that reads DuckDB can open the file while no run is at work. A home may be moved, so no table names the
folder that it lies in: the models of staging are views that look for the event log beside the warehouse. Where you
open it from another folder than the home, say first where that is:

```sql
set file_search_path = '/path/to/home';
```
"""
CONSOLE = """\
The bundle that the service reads holds these tables as Parquet files in its folder `console`. They are sums, made
anew with each publication: no column names a person, and whoever is erased is in none of them after the next one.
"""


def tables_page() -> str:
    """The whole page: marts with their columns, then the models that they are made of."""
    parts = [INTRODUCTION, "## Marts"]
    parts += [part for folder in MARTS for model in _models(folder) for part in _mart(model)]
    for folder in sorted(path.name for path in MODELS.iterdir() if path.is_dir() and path.name not in MARTS):
        rows = [(code(model["name"]), model.get("description", "")) for model in _models(folder)]
        if rows:
            parts += [f"## {folder.capitalize()}", table(("Model", "What it holds"), rows)]
    parts += ["## Published for the console", CONSOLE]
    for name, published in CONSOLE_TABLES.items():
        columns = [(code(column), str(kind), meaning) for column, (kind, meaning) in published.columns.items()]
        parts += [f"### console/{name}", published.description, table(("Column", "Type", "Meaning"), columns)]
    return "\n\n".join(parts)


def _models(folder: str) -> list[dict[str, Any]]:
    """The described models of a folder, sources included, in the order of their names."""
    described: list[dict[str, Any]] = []
    for file in sorted((MODELS / folder).rglob("*.yml")):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        described += document.get("models", [])
        described += [entry for source in document.get("sources", []) for entry in source["tables"]]
    return sorted(described, key=lambda model: str(model["name"]))


def _mart(model: dict[str, Any]) -> list[str]:
    rows = [
        (code(column["name"]), column.get("data_type", ""), column.get("description", ""))
        for column in model.get("columns", [])
    ]
    return [f"### {model['name']}", model.get("description", ""), table(("Column", "Type", "Meaning"), rows)]


def readers(path: Path = MODELS / "exposures.yml") -> dict[str, list[str]]:
    """Labels of those who read each table, by the table's name."""
    labels: dict[str, list[str]] = {}
    for exposure in yaml.safe_load(path.read_text(encoding="utf-8"))["exposures"]:
        for reference in exposure["depends_on"]:
            labels.setdefault(reference.split("'")[1], []).append(exposure["label"])
    return labels
