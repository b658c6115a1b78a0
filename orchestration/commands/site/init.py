"""`tessera init`: a folder with the files that the owner of a site edits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ml.site.new_site import create_site

console = Console(highlight=False, emoji=False)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the site; it is made if absent.")],
) -> None:
    """Start a site: a folder with its settings, rules, segments and experiments.

    The files hold the defaults, with comments. An existing file is never overwritten.

    Example: `tessera init shop`
    """
    for file, purpose in create_site(folder).items():
        console.print(f"[green]✓[/] {escape(str(file))}  [dim]{purpose}[/]", soft_wrap=True)
    site = folder.as_posix()
    console.print(
        "",
        "Next:",
        f"  tessera demo --site {site}            try everything on a simulated site",
        f"  tessera settings --site {site}        every setting, its value and its reason",
        f"  tessera ingest files --site {site} …  take in your own events",
        "",
        f"TESSERA_SITE={site} in the environment saves the option.",
        sep="\n",
        markup=False,
        soft_wrap=True,
    )
