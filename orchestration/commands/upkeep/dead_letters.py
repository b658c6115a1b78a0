"""`tessera dead-letters`: see what was rejected and why, repair it by rules, and put it into the log again."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ml.integrity.named_lock import only_writer
from orchestration.commands.home import HomeOption, chosen_settings, existing_home_of
from orchestration.runtime.counts import count_noun

if TYPE_CHECKING:
    from ml.events.rejected.rejections import RejectionFilter
    from ml.events.rejected.repair import RepairRules
    from ml.home import Home

console = Console(highlight=False, markup=False, emoji=False)
dead_letters = typer.Typer(
    help="Rejected rows and quarantined events: list, count, export, repair and replay them.", no_args_is_help=True
)


class Grouping(enum.StrEnum):
    """What rejected rows are counted by."""

    reason = "reason"
    field = "field"
    source = "source"


FieldOption = Annotated[str | None, typer.Option("--field", help="Only rows rejected because of this field.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only rows with this text in their reason.")]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", help="Only rows of this source: `files`, `json`, `segment`, `snowplow`, or `by hand`, …"
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count what would go into the log; write nothing.")]


@dead_letters.command("list")
def list_rows(
    *,
    field: FieldOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of rows, the latest first.")] = 20,
    home: HomeOption = None,
) -> None:
    """List rejected rows and quarantined events, the latest first, each with its reason and content.

    Example: tessera dead-letters list --field occurred_at --limit 5
    """
    from ml.events.rejected.rejections import RejectionFilter, read_rejections

    rows = read_rejections(existing_home_of(home), RejectionFilter(field, reason, source))
    for row in rows.slice(0, limit).to_pylist():
        about = " ".join(filter(None, (row["field"], row["reason"])))
        _print(f"{row['received_at']:%Y-%m-%d %H:%M:%S}  {row['source']}  {about}")
        _print(f"  {row['payload']}")
    _print(f"{min(limit, len(rows)):,} of {count_noun(len(rows), 'row')}.")


@dead_letters.command()
def count(
    *,
    by: Annotated[
        list[Grouping] | None,
        typer.Option(help="What to count by; can be repeated.", show_default="field and reason"),
    ] = None,
    field: FieldOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    home: HomeOption = None,
) -> None:
    """Count rejected rows and quarantined events in groups, the largest group first.

    Example: tessera dead-letters count --by source --by reason
    """
    from rich.table import Table
    from rich.text import Text

    from ml.events.rejected.rejections import RejectionFilter, count_rejections, read_rejections

    columns = list(dict.fromkeys(by)) if by else [Grouping.field, Grouping.reason]
    rows = read_rejections(existing_home_of(home), RejectionFilter(field, reason, source))
    groups = count_rejections(rows, columns)
    if len(groups):
        table = Table(box=None, pad_edge=False)
        table.add_column("rows", justify="right")
        for name in (*columns, "first received", "last received"):
            table.add_column(name, overflow="fold")
        for group in groups.to_pylist():
            times = (f"{group[end]:%Y-%m-%d %H:%M}" for end in ("first", "last"))
            names = (_printable(group[name] or "–") for name in columns)
            table.add_row(f"{group['rows']:,}", *map(Text, (*names, *times)))
        console.print(table)
    _print(f"{count_noun(len(rows), 'row')} in {count_noun(len(groups), 'group')}.")


@dead_letters.command()
def export(
    *,
    out: Annotated[Path, typer.Option(help="File to write, .csv or .jsonl.")],
    field: FieldOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    home: HomeOption = None,
) -> None:
    """Write rejected rows and quarantined events to a file, one a line.

    In a CSV file, a text that a spreadsheet would run as a formula gets the prefix `'`.

    Example: tessera dead-letters export --reason "lies in the future" --out future.csv
    """
    from ml.events.rejected.rejections import RejectionFilter, read_rejections, write_rejections

    rows = read_rejections(existing_home_of(home), RejectionFilter(field, reason, source))
    write_rejections(rows, out)
    _print(f"{count_noun(len(rows), 'row')} written to {out}.")


@dead_letters.command()
def repair(
    *,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Give a field its name in the event contract; can be repeated."),
    ] = None,
    convert: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=KIND",
            help="Convert a value: `number`, `decimal-comma`, `text`, `time`, or `time:FORMAT` such as "
            "`time:%d.%m.%Y %H:%M`; can be repeated.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Give a field this value; can be repeated."),
    ] = None,
    field: FieldOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
) -> None:
    """Repair rejected rows by rules, and put those that then keep the event contract into the log.

    Fields are renamed first, then converted, then set. A row that the rules do not fit, or that still breaks the
    contract, stays as it was. No rule writes `authority`, `consent`, `received_at` or `source`.

    Example: tessera dead-letters repair --field country --reason "'Germany'" --set country=DE --dry-run
    """
    from ml.events.rejected.rejections import RejectionFilter
    from ml.events.rejected.repair import RepairRules

    rules = RepairRules(
        renames=_pairs(rename, "--rename", "OLD=NEW"),
        conversions=_pairs(convert, "--convert", "FIELD=KIND"),
        values=_pairs(set_, "--set", "FIELD=VALUE"),
    )
    if not rules:
        raise typer.BadParameter("no rule is given", param_hint="--rename, --convert or --set")
    chosen = RejectionFilter(field, reason, source)
    _replay(existing_home_of(home), chosen, rules, dry_run, "tessera dead-letters repair")


@dead_letters.command()
def replay(
    *,
    field: FieldOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
) -> None:
    """Put rejected rows and quarantined events through validation into the log again, as they are.

    Use it after the cause of the rejection is mended, such as a clock that was behind. What passes leaves the dead
    letters and the quarantine; an event that the log has already is not written twice.

    Example: tessera dead-letters replay --reason "lies in the future" --dry-run
    """
    from ml.events.rejected.rejections import RejectionFilter

    _replay(
        existing_home_of(home),
        RejectionFilter(field, reason, source),
        None,
        dry_run,
        "tessera dead-letters replay",
    )


def _replay(home: Home, chosen: RejectionFilter, rules: RepairRules | None, is_dry_run: bool, doing: str) -> None:
    from ml.events.live_dead_letters import read_open_letters
    from ml.events.rejected.replay import replay as replay_events

    max_future = dt.timedelta(seconds=chosen_settings(home).collector.max_future_seconds)
    with only_writer(home.warehouse, doing):
        report = replay_events(home, dt.datetime.now(dt.UTC), max_future, chosen, rules, is_dry_run)
    verb = "would go" if is_dry_run else "went"
    _print(f"{count_noun(report.replayed, 'event')} {verb} into the log.")
    if report.replayed and not is_dry_run:
        _print("`tessera materialize` brings them into the tables.")
    if report.already_in_log:
        _print(f"{report.already_in_log:,} in the log already.")
    if report.retried:
        _print(f"{report.retried:,} quarantined, which the log still holds: the next rebuild tries them again.")
    if report.left:
        _print(f"{count_noun(report.left.total(), 'row')} cannot go into the log:")
        for why, rows in report.left.most_common():
            _print(f"  {rows:>9,}  {why}")
    still_open = sum(chosen.accepts(letter) for letter in read_open_letters(home))
    if still_open:
        _print(f"{still_open:,} more in a file that a running service still writes: try again in a minute.")


def _pairs(options: Sequence[str] | None, name: str, form: str) -> dict[str, str]:
    """Return what options of the form A=B say.

    Raises:
        typer.BadParameter: One has another form, or two are about the same field.
    """
    pairs: dict[str, str] = {}
    for option in options or ():
        left, equals, right = option.partition("=")
        if not (left and equals):
            raise typer.BadParameter(f"{option!r} is not of the form {form}", param_hint=name)
        if left in pairs:
            raise typer.BadParameter(f"{left!r} is given twice", param_hint=name)
        pairs[left] = right
    return pairs


def _print(text: str) -> None:
    console.print(_printable(text), soft_wrap=True)


def _printable(text: str) -> str:
    """The text without characters that would steer the terminal; rejected rows hold what strangers sent."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
