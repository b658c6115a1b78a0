"""`tessera ingest`: other people's files into the event log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestration.commands.home import HomeOption, home_of

if TYPE_CHECKING:
    from ml.sources import IngestReport

console = Console(highlight=False)


def ingest(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="What the input is; see above.")],
    *,
    path: Annotated[Path, typer.Option(help="The file, or the folder with the files.")],
    mapping: Annotated[
        Path | None, typer.Option(help="For `files`: YAML file that says which column is which field.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only events at this time or later; ISO 8601, UTC if it names no zone.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only events before this time; ISO 8601.")] = None,
    home: HomeOption = None,
) -> None:
    """Read files of events into the log.

    SOURCE is `globo` (the folder with clicks.parquet), `online_retail` (its one file), or `files`: any Parquet,
    CSV or JSON Lines file whose columns have the names of the event contract, or other names and a --mapping.
    Exports of other products: `google_analytics_4` (BigQuery export), `universal_analytics`, `mixpanel`.

    All of the input becomes visible at once, or nothing does; the same input twice changes nothing. Rows that are
    no events go to the dead letters with field and reason.
    """
    from ml.sources import SourceError, open_source
    from ml.sources import ingest as ingest_source

    try:
        opened = open_source(source, mapping)
        first, last = _time(since, "--since"), _time(until, "--until")
        with _progress() as progress:
            task = progress.add_task(f"ingest {source}", total=None)
            report = ingest_source(
                opened,
                path,
                home_of(home),
                dt.datetime.now(dt.UTC),
                since=first,
                until=last,
                progress=lambda rows, total: progress.update(task, completed=rows, total=total),
            )
    except SourceError as error:
        console.print(f"[red]tessera ingest:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print(
            "[yellow]Stopped.[/] Nothing was ingested: events become visible only when all of them are written. "
            "Run the same command again to start over."
        )
        raise typer.Exit(130) from None
    _tell(report, path)


def _time(text: str | None, option: str) -> dt.datetime | None:
    if text is None:
        return None
    import pyarrow as pa

    from ml.sources import SourceError
    from ml.sources.convert import as_timestamp

    column, bad = as_timestamp(pa.array([text]))
    if bad[0] or column.null_count:
        raise SourceError(f"{option} {text!r} is no time. Write it as 2017-10-16 or 2017-10-16T09:00:00Z")
    moment: dt.datetime = column[0].as_py()
    return moment


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _tell(report: IngestReport, path: Path) -> None:
    if report.already_ingested:
        console.print(f"{path} was ingested before, with the same content: nothing to do.", soft_wrap=True)
        return
    console.print(f"[bold]{report.accepted:,}[/] events accepted of {report.rows:,} rows.")
    if report.items:
        console.print(f"{report.items:,} items added to the catalogue.")
    if report.outside:
        console.print(f"{report.outside:,} events lay outside --since and --until.")
    if report.erased:
        console.print(f"{report.erased:,} events of people who were erased were left out.")
    rejected = sum(report.rejected.values())
    console.print(f"{rejected:,} rows rejected{', kept as dead letters:' if rejected else '.'}")
    for reason, count in report.rejected.most_common():
        console.print(f"  {count:>9,}  {reason}", markup=False, soft_wrap=True)
    if not report.accepted and not report.erased:
        console.print("[red]No row became an event.[/] Check --mapping, --since and --until.")
        raise typer.Exit(1)
