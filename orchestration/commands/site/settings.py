"""`tessera settings`: every knob with its value, unit, reason and origin, and a checked way to change one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from ml.home import Home
from ml.settings import SettingsError, load_site_settings
from ml.settings.changes import set_knobs, to_flow_yaml
from ml.settings.knobs import Knob, knob_value, select_knobs
from orchestration.commands.home import HomeOption, home_of

DEFAULT = "default"
console = Console(highlight=False, emoji=False)


@dataclass(frozen=True)
class KnobReading:
    """A knob, its value in force as plain data, and where the value comes from: `default` or `file:line`."""

    knob: Knob
    value: Any
    origin: str


def settings(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A setting such as ports.dagster, or a section such as ports."),
    ] = None,
    *,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Check a value and write it into the site's settings."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Print the settings: each with its value, unit, reason, legal values and where the value comes from.

    `--set` writes into the site's files and keeps what else stands there, comments included. Without a site it
    writes into the home's own copy. It can be repeated; where one value is not legal, none is written.

    Examples: `tessera settings ports`, `tessera settings --set ports.dagster=3001`
    """
    place = home_of(home)
    assignments = dict(_assignment(change) for change in changes or ())
    files = set_knobs(place, assignments) if assignments else {}
    readings = read_knobs(place, [name] if name or not assignments else list(assignments))
    if as_json:
        typer.echo(json.dumps([_as_json(reading) for reading in readings], ensure_ascii=False, indent=2))
        return
    for changed, file in files.items():
        console.print(f"[green]✓[/] {escape(f'{changed} is written to {file}')}", soft_wrap=True)
    _print(readings)


def read_knobs(home: Home, names: Sequence[str | None]) -> list[KnobReading]:
    """The knobs of these names or sections as they are in force; None stands for all of them.

    Raises:
        UnknownKnobError: There is no such setting or section.
        SettingsError: A file of settings has a fault.
    """
    loaded = load_site_settings(home)
    return [
        KnobReading(knob, _plain(knob_value(loaded.settings, knob.name)), loaded.origins.get(knob.name, DEFAULT))
        for name in names
        for knob in select_knobs(name)
    ]


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise SettingsError(f"--set {text}: expected NAME=VALUE, such as ports.dagster=3001")
    return name.strip(), value.strip()


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    return TypeAdapter(Any).dump_python(value, mode="json")


def _as_json(reading: KnobReading) -> dict[str, Any]:
    knob = reading.knob
    return {
        "name": knob.name,
        "value": reading.value,
        "unit": knob.unit,
        "reason": knob.reason,
        "legal": knob.legal,
        "default": _plain(knob.default),
        "origin": reading.origin,
    }


def _print(readings: Sequence[KnobReading]) -> None:
    """A line for each knob, and below it the reason and the legal values."""
    section = ""
    for reading in readings:
        knob = reading.knob
        if knob.section != section:
            section = knob.section
            console.print(Text(f"\n{section}", style="bold"))
        line = Text("  ")
        line.append(knob.name.removeprefix(f"{section}."), style="cyan")
        line.append(f": {to_flow_yaml(reading.value)}")
        line.append(f"  {knob.unit}" if knob.unit else "", style="dim")
        line.append(f"  [{reading.origin}]", style="dim" if reading.origin == DEFAULT else "green")
        console.print(line, soft_wrap=True)
        legal = f" Legal: {knob.legal}." if knob.legal else ""
        console.print(Padding(Text(f"{knob.reason}{legal}", style="dim"), (0, 0, 0, 6)))
