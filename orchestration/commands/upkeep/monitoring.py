"""`tessera alerts` and `tessera health`: what monitoring saw, who is told, and the state in ten lines."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from orchestration.commands.home import HomeOption, chosen_settings, existing_home_of
from orchestration.runtime.text_table import text_table

console = Console(highlight=False, markup=False, emoji=False)
alerts = typer.Typer(help="Alarms and who is notified: list, acknowledge, test.", no_args_is_help=True)


@alerts.command("list")
def list_alarms(*, home: HomeOption = None) -> None:
    """List the alarms that are open."""
    from ml.monitoring.journal import ACKNOWLEDGED, Journal

    journal = Journal(existing_home_of(home))
    acknowledged = journal.with_mark(ACKNOWLEDGED)
    opened = journal.open_alarms()
    if not opened:
        console.print("No alarm is open.")
        return
    table = text_table("alarm", "since", "severity", "what", "")
    for entry in opened:
        mark = "acknowledged" if entry.alarm in acknowledged else ""
        table.add_row(entry.alarm, entry.facts["since"][:10], entry.facts["severity"], entry.text, mark)
    console.print(table)


@alerts.command("acknowledge")
def acknowledge(
    alarm: Annotated[
        str, typer.Argument(metavar="ALARM", help="Name of the alarm; `tessera alerts list` shows it.")
    ],
    *,
    home: HomeOption = None,
) -> None:
    """Acknowledge an alarm, so that it is not sent again and `tessera health` passes over it."""
    from ml.monitoring.journal import ACKNOWLEDGED, Entry, Journal

    journal = Journal(existing_home_of(home))
    names = [entry.alarm for entry in journal.open_alarms()]
    if alarm not in names:
        raise typer.BadParameter(f"{alarm} is not an open alarm; the open ones are {', '.join(names) or 'none'}")
    now = dt.datetime.now(dt.UTC).isoformat()
    journal.append([Entry(now, ACKNOWLEDGED, alarm, "Somebody is dealing with it.")])
    console.print(f"{alarm} is acknowledged.")


@alerts.command("test")
def send_test(*, home: HomeOption = None) -> None:
    """Send a test message to the addresses in the file that the setting `alerts.addresses_file` names.

    Exit status 1 means that an address did not accept it.
    """
    from ml.monitoring.alerts import deliver, read_addresses

    place = existing_home_of(home)
    addresses = read_addresses(place, chosen_settings(place).alerts)
    if not addresses:
        raise typer.BadParameter(
            "alerts.addresses_file names no file: write addresses of Apprise into a file of the home, one per"
            " line, and name it with `tessera settings --set alerts.addresses_file=alerts.txt`"
        )
    faults = deliver(addresses, "A test of Tessera's alerts", "If you read this, alerts reach you.", "low")
    for fault in faults:
        console.print(fault, soft_wrap=True)
    console.print(f"{len(addresses) - len(faults)} of {len(addresses)} addresses accepted the test message.")
    if faults:
        raise typer.Exit(1)


def health(*, home: HomeOption = None) -> None:
    """Print the state of the home in ten lines.

    Exit status 1 means that something needs attention, so that cron can call it.
    """
    from orchestration.upkeep.health import measure_health

    place = existing_home_of(home)
    lines = measure_health(place, chosen_settings(place), dt.datetime.now(dt.UTC))
    for line in lines:
        console.print(f"{'ok  ' if line.is_well else 'look'}  {line.subject:<12} {line.text}", soft_wrap=True)
    if not all(line.is_well for line in lines):
        raise typer.Exit(1)
