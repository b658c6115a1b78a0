"""`tessera ingest`: other people's files into the event log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ml.home import Home
from ml.sources import SOURCES, IngestReport, SourceError, ingest, open_source
from ml.sources.convert import as_timestamp
from orchestration.commands.home import HomeOption

console = Console()


def ingest_command(
    source: Annotated[str, typer.Argument(help=f"What the input is: {', '.join(SOURCES)}.", metavar="SOURCE")],
    path: Annotated[Path, typer.Option(help="The file, or the folder with the files.")],
    home: HomeOption = None,
    mapping: Annotated[
        Path | None, typer.Option(help="For `files`: YAML file that says which column is which field.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only events at this time or later; ISO 8601, UTC if it names no zone.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only events before this time; ISO 8601.")] = None,
) -> None:
    """Read files of events into the log.

    All of the input becomes visible at once, or nothing does; the same input twice changes nothing. Rows that are no
    events go to the dead letters with field and reason.

    Sources: `globo` (folder with clicks.parquet), `online_retail`, `files` (Parquet, CSV or JSON Lines; columns named
    as in the event contract, or any others with --mapping), and the exports that `--help` lists above.
    """
    now = dt.datetime.now(dt.UTC)
    try:
        window = (_time(since, "--since"), _time(until, "--until"))
        opened = open_source(source, mapping)
        with _progress() as progress:
            task = progress.add_task(f"ingest {source}", total=None)
            report = ingest(
                opened, path, Home(home), now, *window,
                progress=lambda rows, total: progress.update(task, completed=rows, total=total),
            )  # fmt: skip
    except SourceError as error:
        console.print(f"[red]tessera ingest:[/] {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print(
            "[yellow]Stopped.[/] Nothing was ingested: events become visible only when all of them are "
            "written. Run the same command again to start over."
        )
        raise typer.Exit(130) from None
    _tell(report, path)


def _time(text: str | None, option: str) -> dt.datetime | None:
    if text is None:
        return None
    import pyarrow as pa

    value, bad = as_timestamp(pa.array([text]))
    if bad[0] or not value[0].is_valid:
        raise SourceError(f"{option} {text!r} is no time. Write it as 2017-10-16 or 2017-10-16T09:00:00Z")
    moment: dt.datetime = value[0].as_py().astimezone(dt.UTC)
    return moment


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn(),
        console=console, transient=True,
    )  # fmt: skip


def _tell(report: IngestReport, path: Path) -> None:
    if report.already_ingested:
        console.print(f"{path} was ingested before with the same content: nothing to do.", highlight=False)
        return
    console.print(f"[bold]{report.accepted:,}[/] events accepted of {report.rows:,} rows.", highlight=False)
    if report.items:
        console.print(f"{report.items:,} items in the catalogue.", highlight=False)
    if report.outside:
        console.print(f"{report.outside:,} events lay outside --since and --until.", highlight=False)
    rejected = sum(report.rejected.values())
    console.print(f"{rejected:,} rows rejected{' (kept as dead letters):' if rejected else '.'}", highlight=False)
    for reason, count in report.rejected.most_common():
        console.print(f"  {count:>9,}  {reason}", highlight=False, markup=False)
    if not report.accepted and report.rows:
        console.print("[red]No row is an event inside the window; check --mapping, --since and --until.[/]")
        raise typer.Exit(1)
