"""The page of the settings, from the typed sections in `ml.settings`."""

from __future__ import annotations

from itertools import groupby

from markdown_tables import code, table
from pydantic import TypeAdapter

from ml.settings.changes import to_flow_yaml
from ml.settings.knobs import Knob, all_knobs, section_type
from ml.settings.sections import Settings

LONGEST_DEFAULT = 60
INTRODUCTION = """\
# Settings

Every knob of Tessera stands here with its default, its unit and its reason. A site's `settings.yaml` holds only
what it changes, and `simulator.yaml` does the same for the simulated site. [Operation](../operation.md#settings)
explains where the files are and how `tessera settings` reads and writes them.
"""


def settings_page() -> str:
    """The whole page, one heading a section."""
    parts = [INTRODUCTION]
    for section, knobs in groupby(all_knobs(), key=lambda knob: knob.name.split(".")[0]):
        parts += [
            f"## {section}",
            _purpose(section),
            table(("Knob", "Default", "Unit", "Reason"), map(_row, knobs)),
        ]
    return "\n\n".join(parts)


def _purpose(section: str) -> str:
    """The docstring of a section."""
    kind = section_type(Settings.model_fields[section].annotation)
    return ((kind.__doc__ if kind else "") or "").split("\n\n", maxsplit=1)[0]


def _row(knob: Knob) -> tuple[str, ...]:
    default = to_flow_yaml(TypeAdapter(object).dump_python(knob.default, mode="json"))
    shown = code(default) if len(default) <= LONGEST_DEFAULT else "several; `tessera settings` prints them"
    legal = f" Legal: {knob.legal}." if knob.legal else ""
    return code(knob.name.partition(".")[2]), shown, knob.unit, f"{knob.reason}{legal}"
