"""`tessera experiment segment`: a segment strategy proves itself, or does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ml.errors import InvalidInputError
from orchestration.commands.experiment_console import console, shown_interval, warehouse_of
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_json_object

if TYPE_CHECKING:
    from ml.experiments.analysis.segment_strategy import StrategyResult
    from ml.home import Home
    from orchestration.warehouse.warehouse import Warehouse


def segment(
    segments: Annotated[list[str], typer.Argument(metavar="SEGMENT…", help="Names of the segments to target.")],
    *,
    experiment_id: Annotated[
        str | None, typer.Option("--experiment", help="Judge by this experiment; else one of its own is made.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Primary metric of a new experiment.")] = "clicks_per_user",
    lift: Annotated[float, typer.Option(help="Minimum detectable effect of a new experiment.")] = 0.05,
    payload: Annotated[
        dict[str, Any] | None,
        typer.Option(
            parser=parse_json_object,
            metavar="JSON",
            help="What the treatment shows, as JSON, for whoever shows it.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=7, help="Length of a new experiment.")] = 28,
    home: HomeOption = None,
) -> None:
    """Make an experiment out of "treat only these segments", and say whether that beats treating all alike.

    The first call writes the definition (everybody is randomised, so that the others can be judged too). Once
    units were exposed, the same call reports the strategy against treating everybody and against treating nobody.
    """
    from ml.experiments.analysis.segment_strategy import compare_strategy
    from orchestration.warehouse.experiment_tables import load_definitions, read_tables

    place = home_of(home)
    settings = chosen_settings(place)
    experiments = load_definitions(place, settings)
    key = experiment_id or "segment-" + "-".join(_slug(name) for name in sorted(segments))
    if experiment_id is None and key not in experiments.experiments:
        _refuse_unknown(segments, warehouse_of(place))
        file = _define_strategy(place, key, segments, metric, lift, payload or {}, days)
        console.print(
            f"{key} is defined in {file}. It starts now and ends in {days} days; call again when units were "
            f"exposed."
        )
        return
    tables = read_tables(warehouse_of(place), key)
    if tables.exposures.num_rows == 0:
        raise InvalidInputError(f"no exposure of {key} has reached the warehouse yet")
    result = compare_strategy(
        experiments, key, segments, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
    )
    _print_strategy(result)


def _refuse_unknown(segments: list[str], warehouse: Warehouse) -> None:
    """Raise ValueError for a segment that nobody is in, where there are segments to compare with."""
    if "user_segments" not in warehouse.tables():
        return
    known = warehouse.read("select distinct name from user_segments order by name")["name"].to_pylist()
    unknown = sorted(set(segments) - set(known))
    if unknown:
        raise InvalidInputError(f"nobody is in {', '.join(unknown)}; segments: {', '.join(known)}")


def _print_strategy(result: StrategyResult) -> None:
    shown = Table("comparison", f"change of {result.metric}", "always-valid interval")
    named = ", ".join(result.segments)
    for name, reading in (
        (f"effect on {named} ({result.share:.0%} of the units)", result.inside),
        ("effect on the others", result.outside),
        (f"targeting {named} against treating nobody", result.against_nobody),
        (f"targeting {named} against treating everybody", result.against_everybody),
    ):
        shown.add_row(name, f"{reading.relative.value:+.2%}", shown_interval(reading.relative))
    words = {
        "target": f"Targeting {named} beats both ways of treating all alike.",
        "treat everybody": "Treating everybody is better: the others gain too.",
        "treat nobody": "Treating nobody is better: the treatment harms the segments it was meant for.",
        "not decided": "Not decided: the intervals still hold 0.",
    }
    console.print(shown, f"[bold]{words[result.verdict]}[/]", sep="\n")


def _define_strategy(
    home: Home, key: str, segments: list[str], metric: str, lift: float, payload: dict[str, Any], days: int
) -> Path:
    from ml.experiments.definition.drafts import add_experiment
    from orchestration.warehouse.experiment_tables import editable_definitions_file

    file = editable_definitions_file(home, chosen_settings(home))
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add_experiment(
        file,
        key,
        {
            "hypothesis": f"Treating only {', '.join(segments)} beats treating all alike.",
            "unit": "user",
            "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5, "payload": payload}},
            "primary_metric": metric,
            "minimum_detectable_effect": lift,
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(days=days)).isoformat(),
        },
    )
    return file


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
