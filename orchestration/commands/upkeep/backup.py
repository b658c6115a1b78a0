"""`tessera backup` and `tessera restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.commands.home import HomeOption, existing_home_of, name_home

console = Console(highlight=False, emoji=False)


def backup(
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="The folder of the backups, outside of the home.")
    ],
    *,
    without_keys: Annotated[
        bool,
        typer.Option("--without-keys", help="Copy no keys, where they are kept elsewhere; see `tessera restore`."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Back up the home, while the service and runs may be at work.

    Writes DEST/TIME with everything that cannot be built anew; files that have not changed are links to the backup
    before. Every event that was acknowledged before the printed mark is in it. The keys go to DEST/keys: keep them
    apart from the rest, since they tell who stands behind a pseudonym. The warehouse, the Bentos and the history
    of runs are left out: `tessera materialize` builds them from the rest.
    """
    from orchestration.upkeep.backup import REBUILT, back_up

    report = back_up(existing_home_of(home), destination, with_keys=not without_keys)
    console.print(f"[green]✓[/] {escape(str(report.folder))}", soft_wrap=True)
    console.print(f"Every event that was acknowledged before {report.mark.isoformat()} is in it.", soft_wrap=True)
    console.print(
        f"{report.copied:,} files were copied, {report.linked:,} are links to the previous backup; "
        f"{report.events:,} events are in sealed parts.",
        soft_wrap=True,
    )
    console.print(f"Left out, since `tessera materialize` builds them anew: {', '.join(REBUILT)}.", soft_wrap=True)


def restore(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A backup, or the folder of the backups, of which the newest counts."),
    ],
    *,
    home: HomeOption = None,
) -> None:
    """Restore a backup into a home that is missing or empty.

    Whoever was erased since the backup stays erased: the newest list of erased ids comes along, and an erasure
    begins for each of them that the backup still holds. Where the backup was made --without-keys, put site.key and
    site.key.check into the home afterwards.
    """
    from ml.erasure.erased_again import begin_erasures_again
    from orchestration.upkeep.restoration import restore as restore_home

    place = name_home(home)
    restored = restore_home(source, place)
    console.print(
        f"[green]✓[/] {escape(str(place.path))} is as it was at {restored.mark.isoformat()}.", soft_wrap=True
    )
    if restored.missing_keys:
        console.print(f"Put the keys back: {', '.join(restored.missing_keys)}.", soft_wrap=True)
    elif begun := begin_erasures_again(place):
        console.print(
            f"{len(begun):,} people were erased since: run `tessera materialize --job erasure` before starting.",
            soft_wrap=True,
        )
    console.print("Next: `tessera verify`, then `tessera materialize`.")
