"""`tessera verify`: search the home for damaged files."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.commands.home import HomeOption, existing_home_of

console = Console(highlight=False, emoji=False)


def verify(
    *,
    set_aside: Annotated[
        bool,
        typer.Option(
            "--set-aside",
            help="Keep damaged parts of the event log below events/damaged, and save their readable events.",
        ),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Search the home for damaged files, and say what to do about each.

    Compares the parts of the event log, the snapshots and the published bundles with their checksums, reads the
    open parts, the warehouse and the models, and checks the databases, the erasures and the key of the site. It
    changes nothing without --set-aside, and the service may run. Exit status 1 says that something is damaged.
    """
    from orchestration.upkeep.verification import set_damaged_parts_aside, verify_home

    place = existing_home_of(home, is_checked=False)
    if set_aside:
        for file, saved in set_damaged_parts_aside(place).items():
            console.print(
                f"{escape(str(file))}: {saved:,} events were saved; the file is kept below events/damaged"
            )
    damages = verify_home(place, report=lambda name: console.print(f"[dim]{escape(name)} …[/]"))
    for error in damages:
        console.print(f"[red]✗[/] {escape(f'{error.file}: {error.damage}')}", soft_wrap=True)
        console.print(f"  Remedy: {error.remedy}.", markup=False, soft_wrap=True)
    if damages:
        raise typer.Exit(1)
    console.print("[green]✓[/] Nothing is damaged.")
