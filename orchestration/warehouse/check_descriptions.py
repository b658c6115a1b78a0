"""Says in words what a data test of dbt requires, for the pages of Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_data_test(test: Mapping[str, Any]) -> str:
    """Return one sentence that is true when a data test passes.

    Args:
        test: The node of the test in dbt's manifest.
    """
    written = test.get("description") or test.get("config", {}).get("meta", {}).get("description")
    if written:
        return str(written)
    generic = test.get("test_metadata")
    if not generic:  # the name of a test with an SQL file of its own is a sentence
        return f"{str(test['name']).replace('_', ' ').capitalize()}."
    arguments = generic.get("kwargs", {})
    column = f"`{arguments.get('column_name', '')}`"
    columns = " and ".join(f"`{name}`" for name in arguments.get("columns") or ())
    parts = " and ".join(f"`{name}`" for name in arguments.get("by") or ())
    sentences = {
        "not_null": f"Every row has a value in {column}.",
        "no_nulls": f"Every row has a value in {columns}.",
        "unique": f"No two rows have the same {column}.",
        "accepted_values": f"{column} is one of {', '.join(map(str, arguments.get('values', ())))}.",
        "relationships": f"Every {column} is a `{arguments.get('field')}` of {_model_of(arguments.get('to'))}.",
        "unique_together": f"No two rows have the same {columns} together.",
        "steps_add_up": f"At each step of a funnel, everybody who entered went on or dropped out, by {parts}.",
    }
    name = str(generic["name"])
    if name in sentences:
        return sentences[name]
    subject = columns or (column if arguments.get("column_name") else "")
    words = name.replace("_", " ").capitalize()
    return f"{words}: {subject}." if subject else f"{words}."


def _model_of(reference: object) -> str:
    """Return the model that an argument such as `ref('users')` names."""
    parts = str(reference).split("'")
    return f"`{parts[1]}`" if len(parts) > 2 else f"`{reference}`"
