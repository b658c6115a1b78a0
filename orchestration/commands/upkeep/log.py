"""`tessera log quarantine`: take an event out of the log."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console

from ml.home import Home
from ml.integrity.named_lock import only_writer
from orchestration.commands.home import HomeOption, chosen_settings, existing_home_of
from orchestration.runtime.counts import count_noun

console = Console(highlight=False, markup=False, emoji=False)
log = typer.Typer(help="The event log: take an event out.", no_args_is_help=True)
SEALING_SECONDS = 10
"""How long a collector may take to seal a part whose age is up."""
PAUSE_SECONDS = 0.5


@log.command()
def quarantine(
    event_id: Annotated[
        str,
        typer.Argument(metavar="EVENT_ID", help="The event_id that was sent, or the one in `staging.stg_events`."),
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why the event is taken out; it is kept beside the event.")],
    home: HomeOption = None,
) -> None:
    """Take an event out of the log, so that the service, the warehouse and publishing no longer meet it.

    The event is kept in `quarantine/events.jsonl` of the home, and `tessera dead-letters replay` brings it back.
    Copies of it go with it. A running service forgets it within seconds; counts over all people, such as the
    popularity of an item, stay until the next start with an empty state. If a running service still writes
    the file with the event, the command waits for the sealing.

    Example: tessera log quarantine order-1001 --reason "sent by a test"
    """
    from ml.events.log import EventLog
    from ml.events.quarantine import Quarantine
    from ml.events.removal import EventStillOpenError, take_out

    place = existing_home_of(home)
    with only_writer(place.warehouse, "tessera log quarantine"):
        try:
            count = take_out(EventLog(place), Quarantine(place), event_id, reason)
        except EventStillOpenError as error:
            seconds = chosen_settings(place).collector.part_age_seconds + SEALING_SECONDS
            console.print(f"{error}; waiting up to {seconds:.0f} s for it to be sealed", soft_wrap=True)
            count = _take_out_once_sealed(place, event_id, reason, seconds)
    console.print(
        f"{count_noun(count, 'event')} taken out of the log. `tessera materialize` takes it out of the tables."
    )


def _take_out_once_sealed(home: Home, event_id: str, reason: str, seconds: float) -> int:
    """Try again until the collector has sealed the part.

    Raises:
        EventStillOpenError: It has not, in this time.
    """
    from ml.events.log import EventLog
    from ml.events.quarantine import Quarantine
    from ml.events.removal import EventStillOpenError, take_out

    deadline = time.monotonic() + seconds
    while True:
        time.sleep(PAUSE_SECONDS)
        try:
            return take_out(EventLog(home), Quarantine(home), event_id, reason)
        except EventStillOpenError:
            if time.monotonic() >= deadline:
                raise
