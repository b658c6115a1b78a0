"""`tessera check`: figures of the marts beside a plain count of the raw events."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Column

from orchestration.commands.home import HomeOption, chosen_settings, existing_home_of
from orchestration.runtime.text_table import text_table

console = Console(highlight=False, emoji=False)


def check(*, home: HomeOption = None) -> None:
    """Compare figures of the tables with a plain count of the raw events, side by side.

    The events are read from the files of the log and counted without SQL: events, page views, clicks, impressions,
    purchases, revenue by currency, people, visits, returning visitors. Then the totals over days and over users
    are compared with those over visits. Events that came after the last run are not compared. Exit status 1 says
    that figures differ by more than a stated reason explains.
    """
    from orchestration.upkeep.plain_check import check_home

    place = existing_home_of(home, is_checked=False)
    result = check_home(place, chosen_settings(place))
    table = text_table(
        "figure", Column("expected", justify="right"), Column("in the table", justify="right"), "table", ""
    )
    for entry in result.comparisons:
        verdict = "[green]equal[/]" if entry.is_equal else f"explained: {entry.reason}"
        table.add_row(
            entry.figure,
            _format(entry.expected),
            _format(entry.value),
            entry.mart,
            verdict if entry.agrees else "[red]differs[/]",
        )
    console.print(table)
    console.print(
        f"{result.rows:,} rows of the event log were read, {result.repeats:,} of them repeats "
        f"and {result.erased:,} of people who asked to be erased.",
        soft_wrap=True,
    )
    if result.new_parts:
        console.print(f"{result.new_parts:,} files of the log came after the last run and are not compared.")
    different = [f"{entry.figure} in {entry.mart}" for entry in result.comparisons if not entry.agrees]
    if different:
        console.print(f"[red]✗[/] {len(different)} figures differ: {', '.join(different)}", soft_wrap=True)
        raise typer.Exit(1)
    console.print(f"[green]✓[/] All {len(result.comparisons)} figures agree.")


def _format(value: float | str) -> str:
    """Format a number with thousands, amounts with two digits."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
