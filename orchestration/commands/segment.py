"""`tessera segment`: segment any table of users, without a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ml.errors import InvalidInputError
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.runtime.text_table import text_table

# Names of files, columns and segments stand in the messages, so that nothing in them is markup.
console = Console(highlight=False, markup=False, emoji=False)

USERS_A_SEGMENT = 2  # fewer cannot be told apart from a single one


def segment(
    *,
    features: Annotated[
        Path, typer.Option(help="Table with one row a user: Parquet, CSV or JSON Lines, compressed or not.")
    ],
    user: Annotated[
        str | None,
        typer.Option(
            help="Column of the users' ids, where its name does not tell; `none` takes the numbers of the rows."
        ),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            help="Column whose values are names of categories, even if they are numbers; several with commas."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Column that is not to be used; several with commas.")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(min=2, help="Number of segments, whatever the evidence says; by default the data decide."),
    ] = None,
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

    Every numeric column is a feature, and so is every key of a map or struct of numbers, and every column that
    `--categorical` names. Other text describes the segments. Writes `user_segments.parquet` (user_id, segment,
    name, membership_<segment>…), `segments.json` (profiles and the comparison of candidates), `report.html` and
    the folder `model`, which can segment new users.

    Example: tessera segment --features customers.csv --categorical Gender --out segments
    """
    from ml.segmentation import load_segmentation
    from ml.segmentation.output import segment_table
    from ml.segmentation.user_table import read_user_table
    from ml.tables.output_files import check_writable

    if out.exists() and not out.is_dir():
        raise InvalidInputError(f"{out}: is a file. Name a folder for the results")
    check_writable(out)
    reading: list[str] = []
    table, categories = read_user_table(features, user, exclude or (), categorical or (), reading.append)
    for line in reading:
        console.print(line, soft_wrap=True)
    if k is not None and k * USERS_A_SEGMENT > len(table):
        raise InvalidInputError(f"--k {k}: {features} has only {len(table):,} users. Choose fewer segments")
    previous_segmentation = load_segmentation(previous) if previous else None
    with console.status("Comparing algorithms and numbers of segments …"):
        segmentation = segment_table(
            table,
            chosen_settings(home_of(home)).segmentation,
            out,
            previous_segmentation,
            seed,
            categorical=categories,
            segments=k,
            reading=reading,
        )
    summary = text_table("segment", "name", "users", "share")
    for profile in segmentation.profiles:
        summary.add_row(str(profile.segment), profile.name, f"{profile.size:,}", f"{profile.share:.1%}")
    hint = []
    if categories and not segmentation.has_structure:
        columns = ",".join(categories)
        hint = [f'categories may hide segments that other columns form: compare with --exclude "{columns}"']
    console.print(summary, segmentation.reason, *hint, f"Report: {out / 'report.html'}", sep="\n", soft_wrap=True)
