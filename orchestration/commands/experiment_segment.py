"""`tessera experiment segment`: test by an experiment whether a segment strategy pays off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ml.errors import InvalidInputError
from orchestration.commands.experiment_console import console, format_change, format_interval, open_warehouse
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_json_object
from orchestration.runtime.text_table import text_table

if TYPE_CHECKING:
    from ml.experiments.analysis.segment_strategy import StrategyResult
    from ml.home import Home
    from orchestration.warehouse.warehouse import Warehouse


def segment(
    segments: Annotated[list[str], typer.Argument(metavar="SEGMENT…", help="Names of the segments to target.")],
    *,
    experiment_id: Annotated[
        str | None, typer.Option("--experiment", help="Experiment to evaluate; by default a new one is defined.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Primary metric of a new experiment.")] = "clicks_per_user",
    lift: Annotated[float, typer.Option(help="Minimum detectable effect of a new experiment.")] = 0.05,
    payload: Annotated[
        dict[str, Any] | None,
        typer.Option(
            parser=parse_json_object,
            metavar="JSON",
            help="Payload of the treatment, as JSON.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=7, help="Length of a new experiment.")] = 28,
    home: HomeOption = None,
) -> None:
    """Test by an experiment whether treating only these segments beats treating all users alike.

    The first call writes the definition, in which all users are randomized, so that the other segments can be
    judged too. Once units are exposed, the same call reports the strategy against treating everybody and against
    treating nobody.
    """
    from ml.experiments.analysis.segment_strategy import compare_strategy
    from orchestration.warehouse.experiment_tables import load_definitions, read_tables

    place = home_of(home)
    settings = chosen_settings(place)
    definitions = load_definitions(place, settings)
    key = experiment_id or "segment-" + "-".join(_to_slug(name) for name in sorted(segments))
    if experiment_id is None and key not in definitions.experiments:
        _refuse_unknown(segments, open_warehouse(place))
        file = _define_strategy(place, key, segments, metric, lift, payload or {}, days)
        console.print(
            f"{key} is defined in {file}. It starts now and ends in {days} days. "
            "Call this command again once units are exposed."
        )
        return
    tables = read_tables(open_warehouse(place), key)
    if tables.exposures.num_rows == 0:
        raise InvalidInputError(f"the warehouse contains no exposure of {key} yet")
    result = compare_strategy(
        definitions, key, segments, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
    )
    _print_strategy(result)


def _refuse_unknown(segments: list[str], warehouse: Warehouse) -> None:
    """Raise InvalidInputError for a segment without users, if there are segments to compare with."""
    if "user_segments" not in warehouse.tables():
        return
    names = warehouse.read("select distinct name from user_segments order by name")["name"].to_pylist()
    unknown = sorted(set(segments) - set(names))
    if unknown:
        raise InvalidInputError(f"no user is in {', '.join(unknown)}; legal segments: {', '.join(names)}")


def _print_strategy(result: StrategyResult) -> None:
    """Print the comparison and its verdict."""
    table = text_table("comparison", "units", f"change of {result.metric}", "always-valid interval")
    targeted = ", ".join(result.segments)
    for name, units, inference in (
        (f"effect on {targeted} ({result.share:.0%} of the units)", result.units_inside, result.inside),
        ("effect on the others", result.units_outside, result.outside),
        (f"targeting {targeted} against treating nobody", result.units_inside, result.against_nobody),
        (f"targeting {targeted} against treating everybody", result.units_outside, result.against_everybody),
    ):
        relative = inference.relative
        table.add_row(name, f"{units:,}", format_change(relative), format_interval(relative))
    verdicts = {
        "target": f"Targeting {targeted} is better than treating all users alike.",
        "treat everybody": "Treating everybody is better: the other users gain too.",
        "treat nobody": "Treating nobody is better: the treatment harms the targeted segments.",
        "not decided": "The result is not decided: the intervals contain 0.",
    }
    console.print(table, f"[bold]{verdicts[result.verdict]}[/]", sep="\n")


def _define_strategy(
    home: Home, key: str, segments: list[str], metric: str, lift: float, payload: dict[str, Any], days: int
) -> Path:
    """Write the definition of the experiment and return its file."""
    from ml.experiments.definition.drafts import add_experiment
    from orchestration.warehouse.experiment_tables import editable_definitions_file

    file = editable_definitions_file(home, chosen_settings(home))
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add_experiment(
        file,
        key,
        {
            "hypothesis": f"Treating only {', '.join(segments)} is better than treating all users alike.",
            "unit": "user",
            "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5, "payload": payload}},
            "primary_metric": metric,
            "minimum_detectable_effect": lift,
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(days=days)).isoformat(),
        },
    )
    return file


def _to_slug(name: str) -> str:
    """Return the name as part of an id."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
