"""`tessera ingest`: other people's files into the event log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ml.errors import InvalidInputError
from ml.events.normalization.ids import NOBODY
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_moment
from orchestration.runtime.counts import count_noun

if TYPE_CHECKING:
    from ml.sources import IngestReport

console = Console(highlight=False, emoji=False)


def ingest(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="What the input is; see above.")],
    *,
    path: Annotated[
        Path | None, typer.Option(show_default=False, help="The file, or the folder with the files.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="For `files`: YAML file that says which column is which field.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take in the file by the mapping that is proposed, without asking.")
    ] = False,
    since: Annotated[
        dt.datetime | None,
        typer.Option(
            parser=parse_moment,
            metavar="TIME",
            help="Only events at this time or later; ISO 8601, UTC if it names no zone.",
        ),
    ] = None,
    until: Annotated[
        dt.datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="Only events before this time; ISO 8601."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Read files of events into the log.

    SOURCE is `globo` (the folder with clicks.parquet), `online_retail` (its one file), or `files`: any Parquet,
    CSV or JSON Lines file. Where its columns do not have the names of the event contract, a mapping says which is
    which: without --mapping one is proposed, written into the current folder as `NAME.mapping.yaml`, and used once
    you agree. Exports of other products: `google_analytics_4` (BigQuery export), `universal_analytics` and
    `mixpanel`.

    All of the input becomes visible at once, or nothing does, and taking in the same input twice changes nothing.
    Rows that are not valid events are kept as dead letters, with the field and the reason.
    """
    from ml.sources import ingest as ingest_source
    from ml.sources import open_source

    path = _require_path(source, path)
    if source == "files" and mapping is None:
        from orchestration.commands.mapping_proposal import choose_mapping

        mapping = choose_mapping(path, console, is_agreed=yes)
    opened = open_source(source, mapping)
    opened_home = home_of(home)
    if opened_home.is_simulated:
        console.print(
            f"Warning: {escape(str(opened_home.path))} holds the events of a simulated site, which would be "
            "counted together with yours. --home, or the variable TESSERA_HOME, names a home of their own.",
            soft_wrap=True,
        )
    with _progress() as progress:
        task = progress.add_task(f"ingest {source}", total=None)
        report = ingest_source(
            opened,
            path,
            opened_home,
            dt.datetime.now(dt.UTC),
            since=since,
            until=until,
            item_url_pattern=chosen_settings(opened_home).collector.item_url_pattern,
            progress=lambda rows, total: progress.update(task, completed=rows, total=total),
        )
    _print_report(report, path, mapping)


def _require_path(source: str, path: Path | None) -> Path:
    """The path of the input, which has to be an option.

    Raises:
        typer.BadParameter: It is missing; the message gives the command that was meant.
    """
    if path is not None:
        return path
    if Path(source).exists():
        raise typer.BadParameter(
            f"{source} is the input, not a source. Run `tessera ingest files --path {source}`", param_hint="SOURCE"
        )
    raise typer.BadParameter(
        f"it is missing. Run `tessera ingest {source} --path FILE`, with the file or folder to read",
        param_hint="--path",
    )


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _print_report(report: IngestReport, path: Path, mapping: Path | None) -> None:
    if report.already_ingested:
        console.print(
            f"{escape(str(path))} was ingested before, with the same content: nothing to do.", soft_wrap=True
        )
        return
    if report.items:
        console.print(f"{count_noun(report.items, 'item')} added to the catalogue.")
    if report.items and not report.rows:  # the mapping describes items alone
        return
    accepted, rows = count_noun(report.accepted, "event"), count_noun(report.rows, "row")
    console.print(f"{accepted} accepted of {rows}.")
    if report.outside:
        console.print(f"{report.outside:,} events lay outside --since and --until.")
    if report.erased:
        console.print(f"{report.erased:,} events of people who were erased were left out.")
    for name, count in report.placeholders.most_common():
        console.print(
            f"Warning: {count:,} times {escape(name)} {NOBODY}; {escape(str(path))} was read without it.",
            soft_wrap=True,
        )
    for name, count in (+report.unreadable).items():
        console.print(
            f"Warning: {count:,} values of {name} were not recognized; they are kept in `properties` only.",
            soft_wrap=True,
        )
    rejected = sum(report.rejected.values())
    console.print(f"{count_noun(rejected, 'row')} rejected{', kept as dead letters:' if rejected else '.'}")
    for reason, count in report.rejected.most_common():
        examples = report.examples.get(reason)
        seen = f": {', '.join(examples)}" if examples else ""
        console.print(f"  {count:>9,}  {reason}{seen}", markup=False, soft_wrap=True)
    if rejected and mapping is not None:
        console.print(
            f"If the mapping is at fault, correct {escape(str(mapping))} and run the command again: rows that the "
            "log has already count once.",
            soft_wrap=True,
        )
    if not report.accepted and not report.erased:
        raise InvalidInputError(f"no row of {path} became an event: check --mapping, --since and --until")
