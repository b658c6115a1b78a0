"""`tessera segment`: segment any table of users, without a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ml.errors import InvalidInputError
from orchestration.commands.home import HomeOption, chosen_settings, home_of

console = Console(highlight=False)


def segment(
    *,
    features: Annotated[Path, typer.Option(help="Parquet file with one row per `user_id` and numeric columns.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; it is created if it does not exist.")],
    previous: Annotated[
        Path | None,
        typer.Option(help="`model` folder of a previous run, whose segments keep their numbers and names."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the samples and random starts; equal seeds yield equal segments.")
    ] = 0,
    home: HomeOption = None,
) -> None:
    """Segment a table of users.

    Every numeric column is a feature, and so is every key of a map or struct of numbers. Text columns describe the
    segments. Writes `user_segments.parquet` (user_id, segment, name, membership_<segment>…), `segments.json`
    (profiles and the comparison of candidates), `report.html` and the folder `model`, which can segment new users.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ml.segmentation import load_segmentation
    from ml.segmentation.output import segment_table

    try:
        table = pq.read_table(features)
    except pa.ArrowInvalid as error:
        raise InvalidInputError(f"{features} cannot be read as Parquet: {error}") from error
    previous_segmentation = load_segmentation(previous) if previous else None
    with console.status("Comparing algorithms and numbers of segments …"):
        segmentation = segment_table(
            table, chosen_settings(home_of(home)).segmentation, out, previous_segmentation, seed
        )
    summary = Table("segment", "name", "users", "share")
    for profile in segmentation.profiles:
        summary.add_row(str(profile.segment), profile.name, f"{profile.size:,}", f"{profile.share:.1%}")
    console.print(summary, segmentation.reason, f"Report: {out / 'report.html'}", sep="\n", soft_wrap=True)
