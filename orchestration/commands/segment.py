"""`tessera segment`: segments of any table of users, without a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ml.errors import InvalidInputError
from orchestration.commands.home import HomeOption, chosen_settings

console = Console(highlight=False)


def segment(
    *,
    features: Annotated[Path, typer.Option(help="Parquet file: one row per `user_id`, numeric columns.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; made if absent.")],
    previous: Annotated[
        Path | None,
        typer.Option(help="The `model` folder of an earlier run, whose segments keep number and name."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of samples and starts; the same seed gives the same segments.")
    ] = 0,
    home: HomeOption = None,
) -> None:
    """Find segments in a table of users.

    Every numeric column is a feature, and so is every key of a map or struct of numbers; text columns describe the
    segments. Writes `user_segments.parquet` (user_id, segment, name, membership_<segment>…), `segments.json`
    (profiles and the choice with its table), `report.html` and the folder `model`, which segments new users.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ml.segmentation import load_segmentation
    from ml.segmentation.output import segment_table

    try:
        table = pq.read_table(features)
    except pa.ArrowInvalid as error:
        raise InvalidInputError(f"{features} cannot be read as Parquet: {error}") from error
    earlier = load_segmentation(previous) if previous else None
    with console.status("Comparing algorithms and numbers of segments …"):
        found = segment_table(table, chosen_settings().segmentation, out, earlier, seed)
    shown = Table("segment", "name", "users", "share")
    for profile in found.profiles:
        shown.add_row(str(profile.segment), profile.name, f"{profile.size:,}", f"{profile.share:.1%}")
    console.print(shown, found.reason, f"Report: {out / 'report.html'}", sep="\n", soft_wrap=True)
