"""`tessera console`: the pages for people alone, without the rest of the service."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from orchestration.commands.home import HomeOption, chosen_settings, home_of


def console(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            metavar="PORT",
            show_default="ports.service of the settings",
            help="Port to listen on.",
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Serve the console on this machine until Ctrl-C, without the rest of the service.

    It shows what was published last. `tessera up` and a running service serve the same pages at /console.
    """
    from orchestration.runtime.addresses import address_of
    from orchestration.runtime.processes import Program, require_free_ports

    chosen = home_of(home)
    chosen_port = port or chosen_settings(chosen).ports.service
    command = [sys.executable, "-m", "serving.console", "--port", str(chosen_port)]
    require_free_ports([Program("Console", command, chosen_port, "ports.service")])
    typer.echo(f"The console: {address_of(chosen_port)}/console, until Ctrl-C.")
    with subprocess.Popen(command) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # which the console gets from the terminal, too
            status = 0
    if status:
        raise typer.Exit(status)
