"""`tessera rebuild-state`: make the service's online state anew from the event log."""

from __future__ import annotations

from rich.console import Console

from orchestration.commands.home import HomeOption, existing_home_of

console = Console(highlight=False, emoji=False)


def rebuild_state(*, home: HomeOption = None) -> None:
    """Rebuild the online state from the event log: recent activity, preferences, mutes, quiet hours, opt-outs.

    Use it when the state is damaged or lost. Stop the service first. What was learned online, such as the counts
    of a bandit, is kept unless the file is damaged.
    """
    from orchestration.upkeep.state import rebuild_state as rebuild

    place = existing_home_of(home)
    console.print(f"[green]✓[/] {rebuild(place):,} changes were read from the event log.")
