"""`tessera log quarantine` and `tessera log replay`: take an event out of the log, and put events in again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from ml.home import Home
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.warehouse.lock import NamedLock

console = Console(highlight=False)
log = typer.Typer(help="The event log: take an event out, and put rejected events in again.", no_args_is_help=True)
SEALING_SECONDS = 10
"""How long a collector may take to seal a part whose age is up."""
PAUSE_SECONDS = 0.5


@log.command()
def quarantine(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="The event_id that was sent, or the one in `stg_events`.")
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why the event is taken out; it is kept beside the event.")],
    home: HomeOption = None,
) -> None:
    """Take an event out of the log, so that the service, the warehouse and publishing no longer meet it.

    The event is kept in `quarantine/events.jsonl` of the home, and `tessera log replay` brings it back. Copies
    of it go with it. If a running service still writes the file with the event, the command waits for the sealing.

    Example: tessera log quarantine order-1001 --reason "sent by a test"
    """
    from ml.events.log import EventLog
    from ml.events.quarantine import Quarantine
    from ml.events.removal import EventStillOpenError, take_out

    place = home_of(home)
    with _only_writer(place, "tessera log quarantine"):
        try:
            count = take_out(EventLog(place), Quarantine(place), event_id, reason)
        except EventStillOpenError as error:
            seconds = chosen_settings(place).collector.part_age_seconds + SEALING_SECONDS
            console.print(f"{error}; waiting up to {seconds:.0f} s for it to be sealed", soft_wrap=True)
            count = _take_out_once_sealed(place, event_id, reason, seconds)
    noun = "event" if count == 1 else "events"
    console.print(f"{count:,} {noun} taken out of the log. `tessera materialize` takes it out of the tables.")


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


@log.command()
def replay(
    *,
    field: Annotated[str | None, typer.Option(help="Only dead letters about this field.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those with this text in their reason.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be replayed; write nothing.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Put dead letters and quarantined events through validation into the log again.

    Use it after what rejected them is mended, such as a clock that was behind. What passes leaves the dead letters
    and the quarantine; an event that the log has already is not written twice.

    Example: tessera log replay --reason "lies in the future" --dry-run
    """
    from ml.events.replay import replay as replay_events

    place = home_of(home)
    max_future = dt.timedelta(seconds=chosen_settings(place).collector.max_future_seconds)
    with _only_writer(place, "tessera log replay"):
        report = replay_events(place, dt.datetime.now(dt.UTC), max_future, field, reason, dry_run)
    would = "would be " if dry_run else ""
    console.print(f"{report.replayed:,} events {would}replayed.")
    if report.already_in_log:
        console.print(f"{report.already_in_log:,} are in the log already.")
    if report.retried:
        console.print(
            f"{report.retried:,} quarantined events are still in the log; the next rebuild tries them again."
        )
    if report.left:
        console.print(f"{report.left.total():,} stay:")
        for why, count in report.left.most_common():
            console.print(f"  {count:>9,}  {why}", markup=False, soft_wrap=True)


@contextmanager
def _only_writer(home: Home, doing: str) -> Iterator[None]:
    """Keep runs of the pipeline, which merge and replace parts too, out until the block ends.

    Raises:
        LockedError: Such a run is at work.
    """
    lock = NamedLock(home.warehouse.with_suffix(".lock"))
    lock.acquire(doing)
    try:
        yield
    finally:
        lock.release()
